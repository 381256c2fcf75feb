// Package cli is the root of the command line: the list of commands, in groups.
// Each noun has a folder of its own, in which parsing is split from running:
// newCmdX(deps) builds the cobra command, which fills an options struct and hands
// it to runX. Long help and examples are in help.txt. Parts of the program are built
// by internal/app.
//
// Standard output carries what was asked for and nothing else; everything
// about it, logs included, goes to standard error. A secret enters by standard
// input, a prompt without echo or a file, and never by an argument.
package cli

import (
	"bytes"
	"context"
	_ "embed"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/approvals"
	"mcp-partner/internal/cli/audit"
	"mcp-partner/internal/cli/call"
	"mcp-partner/internal/cli/client"
	"mcp-partner/internal/cli/clients"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/doctor"
	ledgercmd "mcp-partner/internal/cli/ledger"
	"mcp-partner/internal/cli/migrate"
	"mcp-partner/internal/cli/pec"
	"mcp-partner/internal/cli/runs"
	schedulescmd "mcp-partner/internal/cli/schedules"
	"mcp-partner/internal/cli/serve"
	"mcp-partner/internal/cli/setup"
	"mcp-partner/internal/cli/sim"
	tenantscmd "mcp-partner/internal/cli/tenants"
	"mcp-partner/internal/cli/term"
	tokencmd "mcp-partner/internal/cli/token"
	userscmd "mcp-partner/internal/cli/users"
	vaultcmd "mcp-partner/internal/cli/vault"
	"mcp-partner/internal/clientfile"
	"mcp-partner/internal/config"
	"mcp-partner/internal/exit"
)

// Command builds a command for the settings of this process.
type Command func(*cmdutil.Deps) *cobra.Command

// Run runs one command line on the given streams and returns its exit code. The
// context ends at a signal; what runs then ends well.
// Programs for developers bring commands of their own, which then read the same
// config.yaml and environment.
func Run(ctx context.Context, streams *term.Streams, args []string, more ...Command) int {
	deps := cmdutil.NewDeps(streams)
	root := NewRoot(deps, more...)
	root.SetArgs(args)
	if len(args) > 0 && (args[0] == cobra.ShellCompRequestCmd || args[0] == cobra.ShellCompNoDescRequestCmd) {
		completeFlags(deps, root)
	}
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exit.CodeDone
	}
	end := exit.Of(err)
	term.Report(streams.Err, streams.ErrWidth, end)
	return end.Code
}

// NewRoot builds the command line.
func NewRoot(deps *cmdutil.Deps, more ...Command) *cobra.Command {
	root := &cobra.Command{
		Use:               "mcp-partner",
		Short:             "Partner Admin Link for AI agents and for people",
		PersistentPreRunE: deps.Prepare,
		SilenceErrors:     true,
		SilenceUsage:      true,
	}
	root.SetIn(deps.IO.In)
	root.SetOut(deps.IO.Out)
	root.SetErr(deps.IO.Err)
	root.SetFlagErrorFunc(cmdutil.FlagError)
	showHelpOn(root, deps.IO)
	root.SetHelpCommand(newHelp())
	deps.AddGlobals(root.PersistentFlags())
	for _, group := range groups(deps) {
		root.AddGroup(&cobra.Group{ID: group.title, Title: group.title + ":"})
		for _, command := range group.commands {
			command.GroupID = group.title
			root.AddCommand(command)
		}
	}
	for _, command := range more {
		root.AddCommand(command(deps))
	}
	cmdutil.TakeFlagsOnly(root)
	describe(root)
	root.SetHelpCommandGroupID(developGroup)
	root.SetCompletionCommandGroupID(developGroup)
	return root
}

// helpText has the long help and the examples of the commands: prose, kept apart from code
// as the texts for agents are. A part begins with "== " and the command's path. What a
// command lists itself comes after it.
//
//go:embed help.txt
var helpText string

func describe(root *cobra.Command) {
	for part := range strings.SplitSeq(strings.TrimPrefix(helpText, "== "), "\n== ") {
		path, text, _ := strings.Cut(part, "\n")
		long, example, _ := strings.Cut(text, "\nExamples:\n")
		command, _, _ := root.Find(strings.Fields(path)[1:]) // a test finds each
		command.Long = strings.TrimSpace(strings.TrimSpace(long) + "\n\n" + command.Long)
		command.Example = strings.TrimRight(example, "\n")
	}
}

// developGroup is the heading of what is for developers and shells.
const developGroup = "Develop"

// group is a heading of the list of commands.
type group struct {
	title    string
	commands []*cobra.Command
}

func groups(deps *cmdutil.Deps) []group {
	return []group{
		{"Get started", []*cobra.Command{
			setup.NewCmdSetup(deps),
			client.NewCmdInstall(deps),
			client.NewCmdUninstall(deps),
			sim.NewCmdDemo(deps),
		}},
		{"Check", []*cobra.Command{
			call.NewCmdCheck(deps),
			audit.NewCmdAudit(deps),
			pec.NewCmdPEC(deps),
			doctor.NewCmdDoctor(deps),
			call.NewCmdFind(deps),
			call.NewCmdTools(deps),
		}},
		{"Change", []*cobra.Command{
			call.NewCmdCall(deps),
			runs.NewCmdEnsure(deps),
			runs.NewCmdTransition(deps),
		}},
		{"Approve", []*cobra.Command{
			approvals.NewCmdApprovals(deps),
			userscmd.NewCmdUsers(deps),
			approvals.NewCmdPolicy(deps),
			approvals.NewCmdFreeze(deps),
			approvals.NewCmdUnfreeze(deps),
		}},
		{"Serve", []*cobra.Command{
			serve.NewCmdServe(deps),
			serve.NewCmdHealth(deps),
			schedulescmd.NewCmdSchedules(deps),
			tokencmd.NewCmdToken(deps),
			clients.NewCmdClients(deps),
		}},
		{"Administer", []*cobra.Command{
			migrate.NewCmdMigrate(deps),
			tenantscmd.NewCmdTenants(deps),
			vaultcmd.NewCmdVault(deps),
			ledgercmd.NewCmdLedger(deps),
		}},
		{developGroup, []*cobra.Command{
			sim.NewCmdSimulate(deps),
			call.NewCmdOpenAPI(deps),
			newVersion(deps),
		}},
	}
}

func newVersion(deps *cmdutil.Deps) *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use:   "version",
		Short: "Show version, commit, Go version and MCP protocol versions",
		RunE:  func(*cobra.Command, []string) error { return runVersion(deps, asJSON) },
	}
	command.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return command
}

func runVersion(deps *cmdutil.Deps, asJSON bool) error {
	build := app.BuildInfo()
	if asJSON {
		return deps.IO.PrintJSON(build)
	}
	u := deps.IO.UI()
	u.Line(term.Bold, "mcp-partner "+build.Version)
	u.Field("commit", build.Commit+map[bool]string{true: " (modified)"}[build.Modified])
	u.Field("date", build.Date)
	u.Field("go", build.Go)
	for i, version := range build.Protocols {
		u.Field(map[bool]string{true: "protocols"}[i == 0], version)
	}
	return u.Err
}

// helpColumns is how wide a help text is at most.
const helpColumns = 80

// showHelpOn makes every help text of a root fit the terminal.
func showHelpOn(root *cobra.Command, streams *term.Streams) {
	width := helpColumns
	if streams.OutWidth > 0 {
		width = min(width, streams.OutWidth)
	}
	show := root.HelpFunc()
	root.SetHelpFunc(func(command *cobra.Command, args []string) {
		long, example := command.Long, command.Example
		command.Long, command.Example = term.Reflow(long, width), foldExamples(example, width)
		defer func() { command.Long, command.Example = long, example }()
		out := command.OutOrStdout()
		var text bytes.Buffer
		command.SetOut(&text)
		defer command.SetOut(out)
		show(command, args)
		// What pflag writes behind each boolean flag goes, and the columns stay; the
		// one optional value is written as it is typed.
		const noise = "[=true|false]"
		path := command.CommandPath()
		plain := strings.NewReplacer(
			noise, strings.Repeat(" ", len(noise)), " N[=10]", "[=N]   ",
			`Use "`+path+` [command] --help" for more information about a command.`, `Run "`+path+` COMMAND --help" for details.`,
		).Replace(wrapFlags(command, text.String(), width))
		_, _ = io.WriteString(out, term.WrapItems(plain, width)) // a help text is all that was asked for
	})
}

// wrapFlags breaks the lines about flags. Cobra does so with a template: beside one
// the linker keeps each method of each type, which are 5 MB.
func wrapFlags(command *cobra.Command, text string, width int) string {
	for _, flags := range []*pflag.FlagSet{command.LocalFlags(), command.InheritedFlags()} {
		text = strings.Replace(text, flags.FlagUsages(), flags.FlagUsagesWrapped(width), 1)
	}
	return text
}

// newHelp builds `help`, which refuses a command that there is not.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Show the help of a command",
		RunE: func(command *cobra.Command, args []string) error {
			about, rest, err := command.Root().Find(args)
			switch {
			case err != nil:
				return err
			case about.HasSubCommands() && len(rest) > 0:
				return cmdutil.NoArguments(about, rest)
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	}
}

// foldExamples continues long command lines on the next line, as a shell takes
// them.
func foldExamples(text string, width int) string {
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		for len(line) > width {
			at := strings.LastIndex(line[:width-1], " --")
			if at <= len("     ") {
				break
			}
			lines = append(lines, line[:at]+` \`)
			line = "     " + line[at:]
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// completeFlags says of each flag of each command what it takes. Only a shell
// that asks needs it.
func completeFlags(deps *cmdutil.Deps, command *cobra.Command) {
	command.NonInheritedFlags().VisitAll(func(flag *pflag.Flag) {
		complete := completerOf(deps, flag)
		if complete == nil {
			return
		}
		if err := command.RegisterFlagCompletionFunc(flag.Name, complete); err != nil {
			panic("cli: " + err.Error()) // no two commands share a flag
		}
	})
	for _, sub := range command.Commands() {
		completeFlags(deps, sub)
	}
}

// completerOf is nil for flags without a value and for files, which shells know
// themselves.
func completerOf(deps *cmdutil.Deps, flag *pflag.Flag) cmdutil.Completer {
	value, _ := pflag.UnquoteUsage(flag)
	switch {
	case flag.Value.Type() == "bool" || value == "FILE" || value == "DIR":
		return nil
	case flag.Name == "tenant":
		return cmdutil.CompleteOne(deps.TenantNames)
	case flag.Name == "tenants" && flag.Value.Type() != "int":
		return cmdutil.CompleteSeveral(deps.TenantNames)
	case flag.Name == "tool":
		return cmdutil.CompleteOne(cmdutil.ToolNames)
	case flag.Name == "tools":
		return cmdutil.CompleteSeveral(cmdutil.ToolNames)
	case flag.Name == "credential":
		return cmdutil.CompleteOne(deps.CredentialNames)
	case flag.Name == "client":
		return cmdutil.CompleteOne(func(*cobra.Command) []string { return clientfile.Names() })
	case config.ChoicesOf(flag) != nil:
		return cmdutil.CompleteOne(func(*cobra.Command) []string { return config.ChoicesOf(flag) })
	}
	return cobra.NoFileCompletions
}
