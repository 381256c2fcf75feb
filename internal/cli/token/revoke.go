package token

import (
	"context"

	"github.com/spf13/cobra"

	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/config"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/phrase"
	"mcp-partner/internal/xslices"
)

type revokeOptions struct {
	which  guard.TokenSelection
	caller string
	json   bool
}

func newCmdRevoke(deps *cmdutil.Deps) *cobra.Command {
	options := &revokeOptions{}
	command := &cobra.Command{
		Use:   "revoke [ID]",
		Short: "Revoke a token, the tokens of a caller, or all",
		Long: `Revoke one token by its ID, all tokens of a caller, or all tokens. Every server on the
state directory refuses them from the next call; writes in progress are completed. You
can revoke an expired token too: that ends the runs that it opened and voids the
unused approvals that it gave.`,
		Example: `  mcp-partner token revoke tk_0123456789abcdef01
  mcp-partner token revoke --for nightly
  mcp-partner token revoke --all`,
		Args: cobra.MaximumNArgs(1),
		PreRunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 {
				options.which.ID = args[0]
			}
			return options.check()
		},
		RunE: deps.OnLedger(func(ctx context.Context, session *app.Session, _ []string) error {
			return revoke(ctx, deps, session, options)
		}),
	}
	flags := command.Flags()
	flags.StringVar(&options.caller, "for", "", "all tokens of the caller with this `NAME`")
	flags.BoolVar(&options.which.All, "all", false, "every token")
	flags.BoolVar(&options.json, "json", false, "print {\"revoked\":N}")
	config.Typed(flags, "for", "all")
	return command
}

// check wants exactly one way to name tokens.
func (o *revokeOptions) check() error {
	ways := []bool{o.which.ID != "", o.which.All, o.caller != ""}
	if given := xslices.Filter(ways, func(way bool) bool { return way }); len(given) != 1 {
		return exit.Usage("mcp-partner token revoke --help", "give one of ID, --for NAME and --all")
	}
	if o.caller != "" {
		o.which.For = guard.TokenCaller(o.caller)
	}
	return nil
}

func revoke(ctx context.Context, deps *cmdutil.Deps, session *app.Session, o *revokeOptions) error {
	revoked, err := session.Guard.RevokeTokens(ctx, o.which)
	if err != nil {
		return err
	}
	if revoked == 0 && !o.which.All {
		return exit.Failed("mcp-partner token list", "nothing was revoked: no such token is valid")
	}
	deps.IO.ChangeMade()
	return deps.IO.Answer(o.json, map[string]int{"revoked": revoked}, func(u *term.UI) {
		u.Linef(term.Good, "%s revoked.", phrase.Count(revoked, "token"))
	})
}
