package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mcp-partner/internal/config"
	"mcp-partner/schemas"
)

// Main runs the command line of the process and returns its exit code. The
// context ends at a signal; what runs then ends well.
func Main(ctx context.Context, args []string) int {
	return Run(ctx, systemStreams(), args)
}

// Run runs one command line on the given streams and returns its exit code.
func Run(ctx context.Context, streams *Streams, args []string) int {
	f := newFactory(streams)
	root := newRoot(f)
	root.SetArgs(args)
	if completing(args) {
		f.completeFlags(root)
	}
	err := root.ExecuteContext(ctx)
	if err == nil {
		return ExitDone
	}
	end := endOf(err)
	report(streams.Err, end)
	return end.code
}

const rootText = `mcp-partner serves tools for Partner Admin Link (PAL), the Azure provider
Microsoft.ManagementPartner, to AI agents over MCP, and to people right here.

A link belongs to one identity in one tenant. Reading is always safe. Writes are
off until --allow-writes or a policy in config.yaml, and then a person confirms
each of them unless the policy says otherwise. What was asked, approved, done and
refused stands in the ledger.

Settings come from the flag, else from its environment variable
(--state-dir is MCP_PARTNER_STATE_DIR, and so on), else from config.yaml in the
state directory, else from the default that --help shows. The state directory is
$XDG_STATE_HOME/mcp-partner or ~/.local/state/mcp-partner on Linux,
~/Library/Application Support/mcp-partner on macOS, %AppData%\mcp-partner on
Windows. A secret is never taken from a flag, a variable or config.yaml.

Exit codes: 0 done or unchanged, 1 failed, 2 wrong usage, 3 refused,
4 a person has to approve first.`

func newRoot(f *Factory) *cobra.Command {
	root := &cobra.Command{
		Use:   "mcp-partner",
		Short: "Partner Admin Link for AI agents and for people",
		Long:  rootText,
		Example: `  mcp-partner setup
  mcp-partner vault init
  mcp-partner tenants add contoso --tenant-id GUID --client-id GUID --secret-stdin
  mcp-partner call check_partner_link --tenant contoso
  mcp-partner serve
  mcp-partner call check_partner_link --tenant contoso --simulate`,
		Args:              noArguments,
		RunE:              showHelp,
		PersistentPreRunE: f.prepare,
		SilenceErrors:     true,
		SilenceUsage:      true,
	}
	root.SetIn(f.IO.In)
	root.SetOut(f.IO.Out)
	root.SetErr(f.IO.Err)
	root.SetFlagErrorFunc(flagError)
	root.SetHelpFunc(plainHelp(root.HelpFunc()))
	root.CompletionOptions.HiddenDefaultCmd = false
	f.addGlobals(root.PersistentFlags())
	root.AddCommand(f.commands()...)
	return root
}

func (f *Factory) commands() []*cobra.Command {
	return []*cobra.Command{
		newSetup(f),
		newVault(f),
		newTenants(f),
		newCall(f),
		newAudit(f),
		newTools(f),
		newFind(f),
		newInstall(f),
		newUninstall(f),
		newDoctor(f),
		newHealth(f),
		newServe(f),
		newSimulate(f),
		newPolicy(f),
		newApprovals(f),
		newApprovers(f),
		newFreeze(f),
		newUnfreeze(f),
		newToken(f),
		newLedger(f),
		newEnsure(f),
		newTransition(f),
		newOpenAPI(f),
		newContract(f),
		newDemo(f),
		newVersion(f),
	}
}

// plainHelp takes out what pflag writes behind each boolean flag, writes the one
// optional value as it is typed, and keeps the columns where they are.
func plainHelp(help func(*cobra.Command, []string)) func(*cobra.Command, []string) {
	const noise = "[=true|false]"
	return func(command *cobra.Command, args []string) {
		out := command.OutOrStdout()
		var text bytes.Buffer
		command.SetOut(&text)
		defer command.SetOut(out)
		help(command, args)
		clean := strings.NewReplacer(noise, strings.Repeat(" ", len(noise)), " N[=10]", "[=N]   ").Replace(text.String())
		_, _ = io.WriteString(out, clean) // there is nobody to tell
	}
}

func showHelp(command *cobra.Command, _ []string) error { return command.Help() }

// noArguments refuses words after a command without repeating them: one of
// them may be a secret that was typed in the wrong place.
func noArguments(command *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if command.HasSubCommands() {
		return unknownCommand(command, args[0])
	}
	return usage(help(command), "%s takes no arguments beside its flags", command.CommandPath())
}

// oneArgument wants the one thing that a command is about.
func oneArgument(what string) cobra.PositionalArgs {
	return func(command *cobra.Command, args []string) error {
		if len(args) == 1 {
			return nil
		}
		return usage(help(command), "%s takes one argument, %s, and got %d", command.CommandPath(), what, len(args))
	}
}

func unknownCommand(command *cobra.Command, written string) error {
	var names []string
	for _, sub := range command.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	where := command.CommandPath() + " has"
	if !command.HasParent() {
		where = "there is"
	}
	if near := schemas.Nearest(written, names); near != "" {
		return usage(help(command), "%s no command %q: did you mean %s?", where, schemas.Foreign(written), near)
	}
	return usage(help(command), "%s no command %q; the commands are %s", where, schemas.Foreign(written), strings.Join(names, ", "))
}

func help(command *cobra.Command) string { return command.CommandPath() + " --help" }

// flagError words what pflag refused. It names the flag and never its value.
func flagError(command *cobra.Command, err error) error {
	var missing *pflag.NotExistError
	var invalid *pflag.InvalidValueError
	var empty *pflag.ValueRequiredError
	switch {
	case errors.As(err, &missing):
		return unknownFlag(command, missing.GetSpecifiedName())
	case errors.As(err, &invalid):
		flag := invalid.GetFlag()
		return usage(help(command), "--%s does not take that value: it wants %s", flag.Name, config.Wants(flag))
	case errors.As(err, &empty):
		return usage(help(command), "--%s needs a value: it wants %s", empty.GetSpecifiedName(), config.Wants(empty.GetFlag()))
	}
	return usage(help(command), "the flags cannot be read; write them as --name value")
}

func unknownFlag(command *cobra.Command, name string) error {
	names := flagNames(command.Flags())
	if config.Secretive(name) {
		return usage("give it with --secret-stdin, --secret-file or --passphrase-file, or let it be asked for",
			"there is no flag --%s: a secret is never an argument, which every process can read", schemas.Foreign(name))
	}
	if near := schemas.Nearest(strings.ReplaceAll(name, "_", "-"), names); near != "" {
		return usage(help(command), "%s has no flag --%s: did you mean --%s?", command.CommandPath(), schemas.Foreign(name), near)
	}
	return usage(help(command), "%s has no flag --%s", command.CommandPath(), schemas.Foreign(name))
}

func flagNames(flags *pflag.FlagSet) []string {
	var names []string
	flags.VisitAll(func(flag *pflag.Flag) {
		if !flag.Hidden {
			names = append(names, flag.Name)
		}
	})
	return names
}
