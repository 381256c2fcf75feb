package ledger

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/spf13/cobra"

	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/exit"
	"mcp-partner/ledger"
)

type headOptions struct {
	output    string
	publicKey string
	force     bool
	push      bool
}

func newCmdHead(deps *cmdutil.Deps) *cobra.Command {
	options := &headOptions{}
	command := &cobra.Command{
		Use:   "head",
		Short: "Print a signed head of the ledger, to keep elsewhere",
		Long: `Print a signed head: the ledger's last entry and its hash. Keep it on another machine:
only a head kept elsewhere reveals that the end of the ledger was cut off or that all
of it was rewritten. --public-key-file writes the key with which an auditor verifies
heads and exports.`,
		Example: `  mcp-partner ledger head > head.json
  mcp-partner ledger head -o head.json --public-key-file ledger.pem`,
		RunE: func(command *cobra.Command, _ []string) error { return runHead(command.Context(), deps, options) },
	}
	flags := command.Flags()
	flags.StringVarP(&options.output, "output", "o", "", "write to this `FILE`, which only you can read")
	flags.StringVar(&options.publicKey, "public-key-file", "", "write the public key to this `FILE` (PEM)")
	flags.BoolVar(&options.force, "force", false, "replace existing files")
	flags.BoolVar(&options.push, "push", false, "send the head where the config file says, and print nothing")
	deps.AddKeyFlags(flags)
	return command
}

func runHead(ctx context.Context, deps *cmdutil.Deps, o *headOptions) error {
	a, err := openLedger(ctx, deps)
	if err != nil {
		return err
	}
	defer a.Close()
	if o.push {
		if deps.Config.Heads == nil {
			return exit.Usage("add heads: {file: PATH} or {url: URL} to the config file", "--push needs a destination of heads")
		}
		return a.PushHeads(ctx)
	}
	head, err := a.Ledger.Head(ctx)
	if err != nil {
		return err
	}
	if o.publicKey != "" {
		if err := writePublicKey(ctx, a, o); err != nil {
			return err
		}
	}
	text, err := json.Marshal(head)
	if err != nil {
		return err
	}
	if o.output == "" {
		return deps.IO.PrintRawJSON(text)
	}
	return cmdutil.WriteOutput(o.output, append(text, '\n'), o.force)
}

func writePublicKey(ctx context.Context, a *app.App, o *headOptions) error {
	key, err := a.Ledger.PublicKey(ctx)
	if err != nil {
		return err
	}
	text, err := ledger.MarshalPublicKey(key)
	return errors.Join(err, cmdutil.WriteOutput(o.publicKey, text, o.force))
}
