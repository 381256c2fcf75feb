package cli

import (
	"context"

	"github.com/spf13/cobra"

	"mcp-partner/guard"
	"mcp-partner/internal/config"
)

type tokenRevokeOptions struct {
	id, caller string
	all, json  bool
	keys       keyOptions
}

// newTokenRevoke builds `token revoke`.
func newTokenRevoke(f *Factory) *cobra.Command {
	options := &tokenRevokeOptions{}
	command := &cobra.Command{
		Use:   "revoke [ID]",
		Short: "Void a token, those for a name, or all",
		Long: `Void tokens: one by its ID, those that were issued for a name, or all. It is seen at
the next call by every server on the state directory; what has begun is completed.
An expired token can be revoked too: that ends a run which it opened, and what it
approved and nobody has used.`,
		Example: `  mcp-partner token revoke tk_0123456789abcdef01
  mcp-partner token revoke --for nightly
  mcp-partner token revoke --all`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			if len(args) == 1 {
				options.id = args[0]
			}
			return runTokenRevoke(command.Context(), f, options)
		},
	}
	flags := command.Flags()
	flags.StringVar(&options.caller, "for", "", "all tokens that were issued for this `NAME`")
	flags.BoolVar(&options.all, "all", false, "every token")
	flags.BoolVar(&options.json, "json", false, "print {\"revoked\":N}")
	config.Typed(flags, "for", "all")
	options.keys.add(flags)
	return command
}

func runTokenRevoke(ctx context.Context, f *Factory, o *tokenRevokeOptions) error {
	which := guard.TokenSelection{ID: o.id, All: o.all}
	if o.caller != "" {
		which.For = guard.TokenCaller(o.caller)
	}
	if which != (guard.TokenSelection{ID: o.id}) && which != (guard.TokenSelection{For: which.For}) && which != (guard.TokenSelection{All: o.all}) || which == (guard.TokenSelection{}) {
		return usage("mcp-partner token revoke --help", "give one of ID, --for NAME and --all")
	}
	room, err := f.operator(o.keys, operatorRules(nil))
	if err != nil {
		return err
	}
	defer room.Close()
	revoked, err := room.decider.RevokeTokens(ctx, which)
	if err != nil {
		return err
	}
	if revoked == 0 && !o.all {
		return failed("mcp-partner token list", "nothing was revoked: no such token can still do anything")
	}
	if o.json {
		return f.IO.printJSON(map[string]int{"revoked": revoked})
	}
	u := f.IO.ui()
	u.linef(good, "%s revoked.", count(revoked, "token"))
	return u.err
}
