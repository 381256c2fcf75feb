package approvals

import (
	"cmp"
	"context"

	"github.com/spf13/cobra"

	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/schemas/problems"
)

type rotateOptions struct {
	voidOpen, json bool
}

func newCmdRotateKey(deps *cmdutil.Deps) *cobra.Command {
	options := &rotateOptions{}
	command := &cobra.Command{
		Use:   "rotate-key",
		Short: "Replace the key that seals questions and approvals",
		Long: `Replace the key in the vault that seals questions in the client and proves approvals
that were given over HTTP. Every server on the state directory uses the new key from
its next call. The previous key is kept so that open questions stay valid; the one
before it is deleted. With --void-open the previous key is deleted too, and questions
and approvals under it that nobody has used become void.`,
		Example: `  mcp-partner approvals rotate-key
  mcp-partner approvals rotate-key --void-open`,
		RunE: deps.OnLedger(func(ctx context.Context, session *app.Session, _ []string) error {
			return rotateKey(ctx, deps, session, options)
		}),
	}
	command.Flags().BoolVar(&options.voidOpen, "void-open", false, "delete the previous key too")
	command.Flags().BoolVar(&options.json, "json", false, "print {\"rotated\":\"seal\",\"void_open\":...}")
	return command
}

func rotateKey(ctx context.Context, deps *cmdutil.Deps, session *app.Session, o *rotateOptions) error {
	if err := rotateSeal(ctx, session.App, o.voidOpen); err != nil {
		return err
	}
	detail := "Replaced the key that seals questions and approvals."
	if o.voidOpen {
		detail += " Unused questions and approvals under the previous key are void."
	}
	deps.IO.ChangeMade()
	recorded := session.Guard.Changed(ctx, guard.KindSecret, detail)
	if o.json {
		answer := map[string]any{"rotated": app.SealKey, "void_open": o.voidOpen, "recorded": recorded == nil}
		return cmp.Or(deps.IO.PrintJSON(answer), recorded)
	}
	u := deps.IO.UI()
	u.Line(term.Good, detail)
	if recorded != nil {
		u.Line(term.Warn, "The ledger could not record it: "+problems.As(recorded).Message)
	}
	return u.Err
}

// rotateSeal replaces the key; doing it twice leaves nothing of the old one.
func rotateSeal(ctx context.Context, a *app.App, voidOpen bool) error {
	// One that is not there yet would make the second rotation keep the first.
	if _, err := a.Keyring.Keys(ctx, app.SealKey, guard.KeySize); err != nil {
		return err
	}
	if voidOpen {
		if err := a.Keyring.Rotate(ctx, app.SealKey, guard.KeySize); err != nil {
			return err
		}
	}
	return a.Keyring.Rotate(ctx, app.SealKey, guard.KeySize)
}
