package ledger

import (
	"context"
	"strconv"
	"strings"

	"mcp-partner/internal/cli/approvals"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/exit"
	"mcp-partner/ledger"
)

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
	by, err := approvals.Consent(ctx, deps, session.Guard, o.approver, "")
	if err != nil {
		return err
	}
	defer clear(by.Passphrase)
	event, err := session.Guard.Attest(ctx, ledger.KindGapAccepted, by, strings.TrimSpace(o.reason))
	if err != nil {
		return err
	}
	if err := session.Ledger.AcceptGap(ctx, from, to, event); err != nil {
		return err
	}
	deps.IO.ChangeMade()
	return nil
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
