package cli

import (
	"context"
	"strconv"
	"strings"

	"mcp-partner/ledger"
)

// acceptGap records that an approver answers for missing entries. What is wrong
// with the flags is told before a passphrase is asked for.
func (f *Factory) acceptGap(ctx context.Context, o *ledgerVerifyOptions) error {
	from, to, err := parseGap(o.acceptGap)
	if err != nil {
		return err
	}
	if strings.TrimSpace(o.reason) == "" {
		return usage("say why with --reason TEXT", "--accept-gap needs a reason")
	}
	if o.export != "" {
		return usage("leave --export out", "a gap is accepted in the ledger, and an export is a copy of it")
	}
	session, err := f.operator(o.keys, operatorRules(nil))
	if err != nil {
		return err
	}
	defer session.Close()
	if o.approver == "" {
		if o.approver, err = f.IO.askLine(ctx, "Approver's name: "); err != nil {
			return err
		}
	}
	by, err := f.IO.askCredentials(ctx, o.approver)
	if err != nil {
		return err
	}
	defer clear(by.Passphrase)
	event, err := session.decider.Attest(ctx, ledger.KindGapAccepted, by, strings.TrimSpace(o.reason))
	if err != nil {
		return err
	}
	return session.ledger.AcceptGap(ctx, from, to, event)
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
		return 0, 0, usage("give it as ledger verify prints it, such as --accept-gap 28-32", "--accept-gap %s is not a range of entries", text)
	}
	return from, to, nil
}
