package cli

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"mcp-partner/ledger"
)

type ledgerVerifyOptions struct {
	head, export, publicKey string
	acceptGap               string
	reason, approver        string
	json                    bool
	keys                    keyOptions
}

// newLedgerVerify builds `ledger verify`.
func newLedgerVerify(f *Factory) *cobra.Command {
	options := &ledgerVerifyOptions{}
	command := &cobra.Command{
		Use:   "verify",
		Short: "Look for entries that were changed, removed or inserted",
		Long: `Look for entries that were changed, removed or inserted, under the key in the vault
and against the number that the vault remembers. With --head also against a head
that was kept elsewhere, which finds a tail that was cut off together with the
vault.

An auditor without the vault verifies an export instead, with a head and the public
key that mcp-partner ledger head --public-key-file has written.

Missing entries stay a finding until an approver accepts them with --accept-gap,
which records the reason.

Exit codes: 0 nothing was found, 1 something was, or it could not be told.`,
		Example: `  mcp-partner ledger verify --head head.json
  mcp-partner ledger verify --accept-gap 28-32 --reason "restored the backup of Monday" --approver alice
  mcp-partner ledger verify --export ledger.jsonl --head head.json --public-key-file ledger.pem`,
		Args: noArguments,
		RunE: func(command *cobra.Command, _ []string) error { return runLedgerVerify(command.Context(), f, options) },
	}
	flags := command.Flags()
	flags.StringVar(&options.head, "head", "", "head `FILE` that was kept elsewhere")
	flags.StringVar(&options.export, "export", "", "verify this exported `FILE` (jsonl) in place of the ledger")
	flags.StringVar(&options.publicKey, "public-key-file", "", "`FILE` with the public key, for --export")
	flags.StringVar(&options.acceptGap, "accept-gap", "", "accept the missing entries `FROM-TO` as an approver")
	flags.StringVar(&options.reason, "reason", "", "`TEXT` that says why these entries are missing; needed with --accept-gap")
	flags.StringVar(&options.approver, "approver", "", "`NAME` of the approver who accepts (default: asked for)")
	flags.BoolVar(&options.json, "json", false, "print the report as JSON")
	options.keys.add(flags)
	return command
}

func runLedgerVerify(ctx context.Context, f *Factory, o *ledgerVerifyOptions) error {
	if o.acceptGap != "" {
		if err := f.acceptGap(ctx, o); err != nil {
			return err
		}
	} else if o.reason != "" || o.approver != "" {
		return usage("give --accept-gap FROM-TO too, or leave them out", "--reason and --approver go with --accept-gap")
	}
	report, err := f.verifyLedger(ctx, o)
	if err != nil {
		return err
	}
	if err := f.showReport(report, o); err != nil {
		return err
	}
	if !report.Whole() {
		return silent(ExitFailed)
	}
	return nil
}

func (f *Factory) verifyLedger(ctx context.Context, o *ledgerVerifyOptions) (ledger.Report, error) {
	var head *ledger.Head
	if o.head != "" {
		text, err := readInput(o.head, "head")
		if err != nil {
			return ledger.Report{}, err
		}
		parsed, err := ledger.ParseHead(text)
		if err != nil {
			return ledger.Report{}, err
		}
		head = &parsed
	}
	if o.export != "" {
		return verifyExport(o, head)
	}
	if o.publicKey != "" {
		return ledger.Report{}, usage("give --export too, or leave it out", "--public-key-file is for an export; a ledger is verified with the vault's key")
	}
	h, err := f.openLedger(ctx, o.keys)
	if err != nil {
		return ledger.Report{}, err
	}
	defer h.Close()
	return h.ledger.Verify(ctx, head)
}

func verifyExport(o *ledgerVerifyOptions, head *ledger.Head) (ledger.Report, error) {
	if head == nil || o.publicKey == "" {
		return ledger.Report{}, usage("give both", "--export is verified with --head and --public-key-file")
	}
	text, err := readInput(o.publicKey, "public-key-file")
	if err != nil {
		return ledger.Report{}, err
	}
	key, err := ledger.ParsePublicKey(text)
	if err != nil {
		return ledger.Report{}, err
	}
	file, err := os.Open(o.export)
	if err != nil {
		return ledger.Report{}, usage("give the path of a file that you can read", "--export %s cannot be read", o.export)
	}
	defer file.Close()
	return ledger.VerifyExport(file, *head, key)
}

// maxInput bounds a head or a public key, in bytes.
const maxInput = 1 << 20

func readInput(path, flag string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxInput {
		return nil, usage("give the path of a file that you can read", "--%s %s cannot be read", flag, path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, usage("give the path of a file that you can read", "--%s %s cannot be read", flag, path)
	}
	return text, nil
}

func (f *Factory) showReport(report ledger.Report, o *ledgerVerifyOptions) error {
	if o.json {
		return f.IO.printJSON(struct {
			Whole bool `json:"whole"`
			ledger.Report
		}{report.Whole(), report})
	}
	u := f.IO.ui()
	if report.Whole() {
		u.linef(good, "Nothing was changed, removed or inserted in %s, %d to %d.", entriesText(report.Entries), report.First, report.Last)
	} else {
		u.linef(bad, "The record is not what was written; found: %s.", count(len(report.Findings), "place"))
	}
	for _, finding := range report.Findings {
		u.styledField("found", bad, findingText(finding))
	}
	for _, gap := range report.Gaps {
		if gap.AcceptedAt > 0 {
			u.styledField("gap", warn, fmt.Sprintf("%s missing, accepted by %s with entry %d: %s", gap, gap.Approver, gap.AcceptedAt, gap.Reason))
			continue
		}
		u.field("next", fmt.Sprintf("if you know why: mcp-partner ledger verify --accept-gap %d-%d --reason TEXT --approver NAME", gap.From, gap.To))
	}
	if report.Attested > 0 {
		u.field("attested", fmt.Sprintf("up to entry %d by the head", report.Attested))
	}
	for _, note := range report.Notes {
		u.field("note", note)
	}
	return u.err
}

func findingText(finding ledger.Finding) string {
	switch {
	case finding.Seq > 0:
		return fmt.Sprintf("entry %d: %s", finding.Seq, finding.What)
	case finding.Row != "":
		return finding.Row + ": " + finding.What
	}
	return finding.What
}
