package ledger

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/cli/users"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/phrase"
	"mcp-partner/ledger"
)

type verifyOptions struct {
	head, heads, export, publicKey string
	acceptGap                      string
	reason, approver               string
	json                           bool
}

func newCmdVerify(deps *cmdutil.Deps) *cobra.Command {
	options := &verifyOptions{}
	command := &cobra.Command{
		Use:   "verify",
		Short: "Find entries that were changed, removed or inserted",
		RunE:  func(command *cobra.Command, _ []string) error { return runVerify(command.Context(), deps, options) },
	}
	flags := command.Flags()
	flags.StringVar(&options.head, "head", "", "head `FILE` that was kept elsewhere")
	flags.StringVar(&options.heads, "heads", "", "`FILE` that was kept elsewhere, with a head on each line")
	flags.StringVar(&options.export, "export", "", "verify this exported `FILE` (jsonl) instead of the ledger")
	flags.StringVar(&options.publicKey, "public-key-file", "", "`FILE` with the public key, for --export")
	flags.StringVar(&options.acceptGap, "accept-gap", "", "accept the missing entries `FROM-TO` as an approver")
	flags.StringVar(&options.reason, "reason", "", "why these entries are missing (`TEXT`), required with --accept-gap")
	flags.StringVar(&options.approver, "approver", "", "`NAME` of the approver who accepts (default: asked for)")
	flags.BoolVar(&options.json, "json", false, "print the report as JSON")
	return command
}

func runVerify(ctx context.Context, deps *cmdutil.Deps, o *verifyOptions) error {
	if o.acceptGap != "" {
		if err := acceptGap(ctx, deps, o); err != nil {
			return err
		}
	} else if o.reason != "" || o.approver != "" {
		return exit.Usage("add --accept-gap FROM-TO, or leave them out", "--reason and --approver are for --accept-gap")
	}
	report, err := verifyLedger(ctx, deps, o)
	if err != nil {
		return err
	}
	if err := showReport(deps, report, o); err != nil {
		return err
	}
	if !report.Whole() {
		return exit.Silent(exit.CodeFailed)
	}
	return nil
}

func verifyLedger(ctx context.Context, deps *cmdutil.Deps, o *verifyOptions) (ledger.Report, error) {
	heads, torn, err := o.readHeads()
	if err != nil {
		return ledger.Report{}, err
	}
	report, err := o.compareWith(ctx, deps, heads)
	if torn > 0 {
		report.Notes = append(report.Notes, fmt.Sprintf("Lines of --heads that cannot be read were not compared: %d.", torn))
	}
	return report, err
}

// readHeads reads what was kept elsewhere. torn counts lines that cannot be read.
func (o *verifyOptions) readHeads() (heads []ledger.Head, torn int, err error) {
	if o.heads != "" {
		text, err := cmdutil.ReadInput("--heads", o.heads, maxHeads)
		if err != nil {
			return nil, 0, err
		}
		if heads, torn = ledger.ParseHeads(text); len(heads) == 0 {
			return nil, 0, exit.Usage("give the file that heads in the config file names", "--heads %s holds no head", o.heads)
		}
	}
	if o.head == "" {
		return heads, torn, nil
	}
	text, err := cmdutil.ReadInput("--head", o.head, maxInput)
	if err != nil {
		return nil, 0, err
	}
	head, err := ledger.ParseHead(text)
	return append(heads, head), torn, err
}

func (o *verifyOptions) compareWith(ctx context.Context, deps *cmdutil.Deps, heads []ledger.Head) (report ledger.Report, err error) {
	if o.export != "" {
		return o.verifyExport(heads)
	}
	if o.publicKey != "" {
		return report, exit.Usage("add --export, or leave it out", "--public-key-file is for an export; a ledger is verified with the vault's key")
	}
	err = onLedger(ctx, deps, func(a *app.App) (err error) {
		report, err = a.Ledger.Verify(ctx, heads)
		return err
	})
	return report, err
}

func (o *verifyOptions) verifyExport(heads []ledger.Head) (ledger.Report, error) {
	if len(heads) == 0 || o.publicKey == "" {
		return ledger.Report{}, exit.Usage("give both", "--export needs --head and --public-key-file")
	}
	text, err := cmdutil.ReadInput("--public-key-file", o.publicKey, maxInput)
	if err != nil {
		return ledger.Report{}, err
	}
	key, err := ledger.ParsePublicKey(text)
	if err != nil {
		return ledger.Report{}, err
	}
	file, err := os.Open(o.export)
	if err != nil {
		return ledger.Report{}, exit.Usage("give the path of a file that you can read", "--export %s cannot be read", o.export)
	}
	defer file.Close()
	return ledger.VerifyExport(file, heads, key)
}

// maxInput bounds a head or a public key, maxHeads a file of heads, in bytes. A head
// a minute for a year is 220 MB.
const (
	maxInput = 1 << 20
	maxHeads = 256 << 20
)

func showReport(deps *cmdutil.Deps, report ledger.Report, o *verifyOptions) error {
	if o.json {
		return deps.IO.PrintJSON(struct {
			Whole bool `json:"whole"`
			ledger.Report
		}{report.Whole(), report})
	}
	u := deps.IO.UI()
	if report.Whole() {
		u.Linef(term.Good, "No entry was changed, removed or inserted in %s, %d to %d.", phrase.Entries(report.Entries), report.First, report.Last)
	} else {
		u.Linef(term.Bad, "The ledger was changed; found: %s.", phrase.Count(len(report.Findings), "place"))
	}
	for _, finding := range report.Findings {
		u.StyledField("found", term.Bad, FindingText(finding))
	}
	for _, gap := range report.Gaps {
		if gap.AcceptedAt > 0 {
			u.StyledField("gap", term.Warn, fmt.Sprintf("%s missing, accepted by %s with entry %d: %s", gap, gap.Approver, gap.AcceptedAt, gap.Reason))
			continue
		}
		u.Field("next", fmt.Sprintf("if you know why: mcp-partner ledger verify --accept-gap %d-%d --reason TEXT --approver NAME", gap.From, gap.To))
	}
	if report.Attested > 0 {
		u.Field("attested", fmt.Sprintf("up to entry %d by the head", report.Attested))
	}
	for _, note := range report.Notes {
		u.Field("note", note)
	}
	return u.Err
}

func FindingText(finding ledger.Finding) string {
	switch {
	case finding.Seq > 0:
		return fmt.Sprintf("entry %d: %s", finding.Seq, finding.What)
	case finding.Row != "":
		return finding.Row + ": " + finding.What
	}
	return finding.What
}

// acceptGap records that an approver accepts missing entries. Flag errors are
// reported before the passphrase prompt.
func acceptGap(ctx context.Context, deps *cmdutil.Deps, o *verifyOptions) error {
	from, to, err := parseGap(o.acceptGap)
	if err != nil {
		return err
	}
	if strings.TrimSpace(o.reason) == "" {
		return exit.Usage("say why with --reason TEXT", "--accept-gap needs a reason")
	}
	if o.export != "" {
		return exit.Usage("leave --export out", "a gap is accepted in the ledger, not in an export of it")
	}
	session, err := deps.OpenSession(cmdutil.OperatorRules(nil))
	if err != nil {
		return err
	}
	defer session.Close()
	return users.WithConsent(ctx, deps, session.Guard, o.approver, "", func(by guard.Credentials) error {
		event, err := session.Guard.Attest(ctx, ledger.KindGapAccepted, by, strings.TrimSpace(o.reason))
		if err != nil {
			return err
		}
		return session.Ledger.AcceptGap(ctx, from, to, event)
	})
}

// parseGap reads FROM-TO, or the number of a single entry.
func parseGap(text string) (from, to int64, err error) {
	first, last, isRange := strings.Cut(text, "-")
	if !isRange {
		last = first
	}
	from, errFrom := strconv.ParseInt(first, 10, 64)
	to, errTo := strconv.ParseInt(last, 10, 64)
	if errFrom != nil || errTo != nil || from < 1 || to < from {
		return 0, 0, exit.Usage("give it as ledger verify prints it, such as --accept-gap 28-32", "--accept-gap %s is not a range of entries", text)
	}
	return from, to, nil
}
