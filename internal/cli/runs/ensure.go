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
		Short: "Register the expected partner ID wherever our identity has no link",
		Long: `Register a partner ID in every tenant where our identity has no link: the one that
is given, or the one that each entry of the directory expects. Nothing is ever
overwritten; other IDs are reported.

All links are read first. The plan is shown, and approved once, whole; then it is
carried out tenant by tenant, each write under a permit of its own. With --first N
the approval covers N rows. After a crash --resume continues under the same approval,
for 24 hours.

Exit codes: 0 done or unchanged, 1 not every tenant is as planned, 2 usage,
3 refused, 4 approval required.`,
		Example: `  mcp-partner ensure --partner-id 1234567 --plan
  mcp-partner ensure --labels gold --allow-writes
  mcp-partner ensure --partner-id 1234567 --first 5 --allow-writes
  mcp-partner ensure --resume run_0123456789abcdef01
  mcp-partner ensure --run run_0123456789abcdef01 --format csv -o report.csv`,
		Args: cmdutil.NoArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			if err := options.prepare(deps, command.Flags()); err != nil {
				return err
			}
			return runMany(command.Context(), deps, options)
		},
	}
	flags := command.Flags()
	flags.StringVar(&options.partnerID, "partner-id", "", "partner `ID` to register (default: the expected one of each tenant)")
	flags.BoolVar(&options.roles, "roles", false, "also read which identities have a role eligible for partner earned credit (default for one tenant)")
	config.Typed(flags, "partner-id", "roles")
	options.add(flags)
	return command
}

// NewCmdTransition builds `transition`.
func NewCmdTransition(deps *cmdutil.Deps) *cobra.Command {
	options := &manyOptions{tool: schemas.ToolTransitionPartner}
	command := &cobra.Command{
		Use:   "transition",
		Short: "Move links from old partner IDs to a new one in many tenants",
		Long: `Move the link to a new partner ID in every tenant where one of our identities holds
one of the old ones. Where it holds another ID or nothing, nothing is written. The
link of somebody else's identity can be changed or removed by that identity alone.

With --strategy update, the default, there is no moment without a link. With
remove-then-register the link is removed and registered anew; if the new ID is
refused for good the old one is put back, and the row says restored, or stranded
if even that fails.

All links are read first. The plan is shown, and approved once, whole; then it is
carried out tenant by tenant, each write under a permit of its own. Afterwards the
directory expects the new ID. With --first N the approval covers N rows. After a
crash --resume continues under the same approval, for 24 hours.`,
		Example: `  mcp-partner transition --from 7654321 --to 1234567 --plan
  mcp-partner transition --from 7654321,7654322 --to 1234567 --allow-writes
  mcp-partner transition --from 7654321 --to 1234567 --tenants 'emea-*' --first 5 --allow-writes
  mcp-partner transition --resume run_0123456789abcdef01`,
		Args: cmdutil.NoArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			if err := options.prepare(deps, command.Flags()); err != nil {
				return err
			}
			return runMany(command.Context(), deps, options)
		},
	}
	flags := command.Flags()
	flags.Var(&options.from, "from", "old partner `IDS`, with commas between")
	flags.StringVar(&options.to, "to", "", "new partner `ID`")
	flags.StringVar(&options.strategy, "strategy", "", "`STRATEGY` of the move; default: update")
	config.Choices(flags, "strategy", "update", "remove-then-register")
	config.Typed(flags, "from", "to", "strategy")
	options.add(flags)
	return command
}
