package cli

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/spf13/cobra"

	"mcp-partner/ledger"
)

type ledgerHeadOptions struct {
	output    string
	publicKey string
	force     bool
	keys      keyOptions
}

// newLedgerHead builds `ledger head`.
func newLedgerHead(f *Factory) *cobra.Command {
	options := &ledgerHeadOptions{}
	command := &cobra.Command{
		Use:   "head",
		Short: "Sign where the ledger ends now, to be kept elsewhere",
		Long: `Sign where the ledger ends now. Keep the head on another machine: only against a head
kept elsewhere does a ledger show that its end was cut off or that all of it was
rewritten. --public-key-file writes the key with which an auditor verifies heads and
exports.`,
		Example: `  mcp-partner ledger head > head.json
  mcp-partner ledger head -o head.json --public-key-file ledger.pem`,
		Args: noArguments,
		RunE: func(command *cobra.Command, _ []string) error { return runLedgerHead(command.Context(), f, options) },
	}
	flags := command.Flags()
	flags.StringVarP(&options.output, "output", "o", "", "write to this `FILE`, readable for you alone")
	flags.StringVar(&options.publicKey, "public-key-file", "", "write the public key to this `FILE` (PEM)")
	flags.BoolVar(&options.force, "force", false, "replace files that are there")
	options.keys.add(flags)
	return command
}

func runLedgerHead(ctx context.Context, f *Factory, o *ledgerHeadOptions) error {
	h, err := f.openLedger(ctx, o.keys)
	if err != nil {
		return err
	}
	defer h.Close()
	head, err := h.ledger.Head(ctx)
	if err != nil {
		return err
	}
	if o.publicKey != "" {
		if err := h.writePublicKey(ctx, o); err != nil {
			return err
		}
	}
	text, err := json.Marshal(head)
	if err != nil {
		return err
	}
	if o.output == "" {
		return f.IO.printRawJSON(text)
	}
	return writeOutput(o.output, append(text, '\n'), o.force)
}

func (h *house) writePublicKey(ctx context.Context, o *ledgerHeadOptions) error {
	key, err := h.ledger.PublicKey(ctx)
	if err != nil {
		return err
	}
	text, err := ledger.MarshalPublicKey(key)
	return errors.Join(err, writeOutput(o.publicKey, text, o.force))
}
