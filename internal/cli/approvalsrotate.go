package cli

import (
	"context"

	"github.com/spf13/cobra"

	"mcp-partner/guard"
	"mcp-partner/schemas"
)

type rotateOptions struct {
	voidOpen, json bool
	keys           keyOptions
}

// newApprovalsRotateKey builds `approvals rotate-key`.
func newApprovalsRotateKey(f *Factory) *cobra.Command {
	options := &rotateOptions{}
	command := &cobra.Command{
		Use:   "rotate-key",
		Short: "Replace the key that seals questions and proves approvals over HTTP",
		Long: `Replace the key of the vault under which questions in the client are sealed, and
approvals that were given over HTTP are proved. It is seen at the next call by every
server on the state directory. The replaced key is kept, so that what is open goes on;
the one before it is forgotten. With --void-open the replaced one is forgotten too:
what was asked or approved under it, and not used, has to be asked anew.`,
		Example: `  mcp-partner approvals rotate-key
  mcp-partner approvals rotate-key --void-open`,
		Args: noArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			return runApprovalsRotateKey(command.Context(), f, options)
		},
	}
	command.Flags().BoolVar(&options.voidOpen, "void-open", false, "forget the replaced key as well")
	command.Flags().BoolVar(&options.json, "json", false, "print {\"rotated\":\"seal\",\"void_open\":...}")
	options.keys.add(command.Flags())
	return command
}

func runApprovalsRotateKey(ctx context.Context, f *Factory, o *rotateOptions) error {
	room, err := f.operator(o.keys, operatorRules(nil))
	if err != nil {
		return err
	}
	defer room.Close()
	if err := room.rotateSeal(ctx, o.voidOpen); err != nil {
		return err
	}
	detail := "The key of sealed questions was replaced."
	if o.voidOpen {
		detail += " What was asked in a client or approved over HTTP under it, and not used, is void."
	}
	recorded := room.decider.Changed(ctx, guard.KindSecret, detail)
	if o.json {
		if err := f.IO.printJSON(map[string]any{"rotated": sealKey, "void_open": o.voidOpen, "recorded": recorded == nil}); err != nil {
			return err
		}
		return recorded
	}
	u := f.IO.ui()
	u.line(good, detail)
	if recorded != nil {
		u.line(warn, "It could not be recorded: "+schemas.AsProblem(recorded).Message)
	}
	return u.err
}

// rotateSeal replaces the key; doing it twice leaves nothing of the old one.
func (h *house) rotateSeal(ctx context.Context, voidOpen bool) error {
	// One that is not there yet would make the second rotation keep the first.
	if _, err := h.keyring.Keys(ctx, sealKey, guard.KeySize); err != nil {
		return err
	}
	times := 1
	if voidOpen {
		times = 2
	}
	for range times {
		if err := h.keyring.Rotate(ctx, sealKey, guard.KeySize); err != nil {
			return err
		}
	}
	return nil
}
