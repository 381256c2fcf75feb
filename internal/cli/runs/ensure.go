package runs

import (
	"github.com/spf13/cobra"

	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/config"
	"mcp-partner/schemas"
)

// NewCmdEnsure builds `ensure`.
func NewCmdEnsure(deps *cmdutil.Deps) *cobra.Command {
	options := &manyOptions{tool: schemas.ToolEnsurePartnerLinks}
	command := &cobra.Command{
		Use:   "ensure",
		Short: "Register the expected partner ID wherever it is missing",
		Long: `Register a partner ID in every tenant where this server's identity has no link: the
given ID, or the expected ID of each tenant. Existing links are never overwritten;
other IDs are reported.

The command reads all links and shows one plan, which is approved once; then it
executes the plan tenant by tenant, each write under its own permit. With --first N
the approval covers N rows. After a crash, --resume continues under the same approval
for 24 hours.

Exit codes: 0 done or unchanged, 1 not every tenant is as planned, 2 usage,
3 refused, 4 approval required.`,
		Example: `  mcp-partner ensure --partner-id 1234567 --plan
  mcp-partner ensure --labels gold --allow-writes
  mcp-partner ensure --partner-id 1234567 --first 5 --allow-writes
  mcp-partner ensure --resume run_0123456789abcdef01
  mcp-partner ensure --run run_0123456789abcdef01 --format csv -o report.csv`,
		RunE: func(command *cobra.Command, _ []string) error { return runMany(command, deps, options) },
	}
	flags := command.Flags()
	flags.StringVar(&options.in.PartnerID, "partner-id", "", "partner `ID` to register (default: the expected one of each tenant)")
	flags.BoolVar(&options.roles, "roles", false, "also read which identities have a role eligible for partner earned credit (default for one tenant)")
	config.Typed(flags, "partner-id", "roles")
	options.add(deps, flags)
	return command
}

// NewCmdTransition builds `transition`.
func NewCmdTransition(deps *cmdutil.Deps) *cobra.Command {
	options := &manyOptions{tool: schemas.ToolTransitionPartner}
	command := &cobra.Command{
		Use:   "transition",
		Short: "Move links from old partner IDs to a new one in many tenants",
		Long: `Move the link to a new partner ID in every tenant where this server's identity holds
one of the old IDs. Tenants with another ID or without a link are not changed. Only
the identity that holds a link can change or remove it.

With --strategy update, the default, a tenant is never without a link. With
remove-then-register the link is removed and registered again; if the new ID is
refused, the old one is restored. The row then says restored, or stranded if that
failed too.

The command reads all links and shows one plan, which is approved once; then it
executes the plan tenant by tenant, each write under its own permit, and the directory
expects the new ID. With --first N the approval covers N rows. After a crash, --resume
continues under the same approval for 24 hours.`,
		Example: `  mcp-partner transition --from 7654321 --to 1234567 --plan
  mcp-partner transition --from 7654321,7654322 --to 1234567 --allow-writes
  mcp-partner transition --from 7654321 --to 1234567 --tenants 'emea-*' --first 5 --allow-writes
  mcp-partner transition --resume run_0123456789abcdef01`,
		RunE: func(command *cobra.Command, _ []string) error { return runMany(command, deps, options) },
	}
	flags := command.Flags()
	flags.Var((*cmdutil.List)(&options.in.From), "from", "old partner `IDS`, separated by commas")
	flags.StringVar(&options.in.To, "to", "", "new partner `ID`")
	cmdutil.AddChoice(flags, &options.in.Strategy, "strategy", "`STRATEGY` of the move, by default update", "", "update", "remove-then-register")
	config.Typed(flags, "from", "to", "strategy")
	options.add(deps, flags)
	return command
}
