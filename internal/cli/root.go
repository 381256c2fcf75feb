package cli

import (
	"context"

	"github.com/spf13/cobra"

	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/approvals"
	"mcp-partner/internal/cli/audit"
	"mcp-partner/internal/cli/call"
	"mcp-partner/internal/cli/client"
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
	"mcp-partner/internal/exit"
)

// Main runs the command line of the process and returns its exit code. The
// context ends at a signal; what runs then ends well.
func Main(ctx context.Context, args []string) int {
	return Run(ctx, term.SystemStreams(), args)
}

// Command builds a command for the settings of this process.
type Command func(*cmdutil.Deps) *cobra.Command

// Run runs one command line on the given streams and returns its exit code.
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

const rootText = `mcp-partner checks, registers, updates and removes Partner Admin Links (PAL) in Azure
tenants: for AI agents over MCP, and for people on this command line.

A link belongs to one identity in one tenant. Reads never change anything. Writes are
off until you set --allow-writes or write a policy in config.yaml; then a person
confirms each write unless the policy allows it. The ledger records what was asked,
approved, done and refused.

A setting comes from its flag, its environment variable (--state-dir is
MCP_PARTNER_STATE_DIR, and so on), config.yaml in the state directory, or the default
that --help shows, in this order. The state directory is
$XDG_STATE_HOME/mcp-partner or ~/.local/state/mcp-partner on Linux,
~/Library/Application Support/mcp-partner on macOS, %AppData%\mcp-partner on
Windows. Secrets are never read from a flag, a variable or config.yaml.

Exit codes: 0 done or unchanged, 1 failed, 2 usage, 3 refused,
4 approval required.`

// NewRoot builds the command line.
func NewRoot(deps *cmdutil.Deps, more ...Command) *cobra.Command {
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
	root.SetHelpCommandGroupID(developGroup)
	root.SetCompletionCommandGroupID(developGroup)
	return root
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
		Use:     "version",
		Short:   "Show version, commit, Go version and MCP protocol versions",
		Example: "  mcp-partner version\n  mcp-partner version --json",
		RunE:    func(*cobra.Command, []string) error { return runVersion(deps, asJSON) },
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
	u.Field("go", build.Go)
	for i, version := range build.Protocols {
		u.Field(map[bool]string{true: "protocols"}[i == 0], version)
	}
	return u.Err
}
