package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"mcp-partner/guard"
)

// checkRecord looks at everything that decides on writes: the ledger, the brake,
// the approvers, the policy and where approvals are announced.
func (f *Factory) checkRecord(ctx context.Context, h *house) []check {
	checks := []check{f.checkPolicy()}
	if f.Config.Webhook() != nil {
		checks = append(checks, f.checkWebhook())
	}
	if _, err := os.Stat(h.ledger.Path()); errors.Is(err, fs.ErrNotExist) || !h.keepsRecord() {
		if err := h.missingLedger(ctx); err != nil {
			return append(checks, failedCheck("ledger", err, "cp BACKUP/ledger.db "+shellWord(h.ledger.Path())))
		}
		return append(checks,
			check{"ledger", checkOK, "There is no ledger yet; it is made at the first call or change, and needs a vault.", ""},
			check{"approvers", checkWarn, "There is no approver yet, so nothing can be approved outside of a client.", "mcp-partner approvers add NAME"})
	}
	return append(checks, checkLedger(ctx, h), checkFreeze(ctx, h), checkApprovers(ctx, h), checkRuns(ctx, h))
}

// checkPolicy sums up what decides on writes.
func (f *Factory) checkPolicy() check {
	rules := f.Config.Policy()
	if rules == nil {
		return check{"policy", checkOK, "There is no policy in the config file; the flags --allow-writes and --approval decide.", ""}
	}
	policy, err := guard.NewPolicy(rules)
	if err != nil {
		return failedCheck("policy", err, "mcp-partner policy test --help")
	}
	return check{"policy", checkOK, fmt.Sprintf("%s, digest %s; what no rule is for is read and not written.", count(len(rules), "rule"), policy.Digest()), ""}
}

func (f *Factory) checkWebhook() check {
	if _, err := f.newWebhook(); err != nil {
		return failedCheck("webhook", err, "openssl rand -hex 32 > FILE")
	}
	return check{"webhook", checkOK, "Pending approvals are announced. Whether anybody hears is not tried out.", ""}
}

func checkLedger(ctx context.Context, h *house) check {
	const verify = "mcp-partner ledger verify"
	report, err := h.ledger.Verify(ctx, nil)
	if err != nil {
		return failedCheck("ledger", err, verify)
	}
	status, err := h.ledger.Status(ctx)
	switch {
	case err != nil:
		return failedCheck("ledger", err, verify)
	case !report.Whole():
		return check{"ledger", checkFail, "The ledger is not what was written: " + findingText(report.Findings[0]) + ".", verify}
	}
	return check{"ledger", checkOK, fmt.Sprintf("%s up to %d, each linked to the one before; the vault remembers %d.", entriesText(status.Entries), status.Last, status.Remembered), ""}
}

func checkFreeze(ctx context.Context, h *house) check {
	freeze, err := h.ledger.Freeze(ctx)
	switch {
	case err != nil:
		return failedCheck("freeze", err, "mcp-partner ledger verify")
	case freeze.Reads:
		return check{"freeze", checkWarn, "Writes and reads are frozen: " + freeze.Reason, "mcp-partner unfreeze --approver NAME"}
	case freeze.Writes:
		return check{"freeze", checkWarn, "Writes are frozen: " + freeze.Reason, "mcp-partner unfreeze --approver NAME"}
	}
	return check{"freeze", checkOK, "Nothing is frozen.", ""}
}

func checkApprovers(ctx context.Context, h *house) check {
	approvers, err := h.ledger.Approvers(ctx)
	switch {
	case err != nil:
		return failedCheck("approvers", err, "mcp-partner ledger verify")
	case len(approvers) == 0:
		return check{"approvers", checkWarn, "There is no approver yet, so nothing can be approved outside of a client.", "mcp-partner approvers add NAME"}
	}
	return check{"approvers", checkOK, approverText(len(approvers)), ""}
}

func approverText(n int) string {
	if n == 1 {
		return "1 person may approve writes."
	}
	return fmt.Sprintf("%d people may approve writes.", n)
}

// missingLedger tells a ledger that was removed from one that is there or was
// never made: the vault remembers how far it had come.
func (h *house) missingLedger(ctx context.Context) error {
	if _, err := os.Stat(h.ledger.Path()); !errors.Is(err, fs.ErrNotExist) || !h.keepsRecord() {
		return nil
	}
	remembered, err := h.keyring.Counter(ctx)
	if err != nil || remembered == 0 {
		return err
	}
	return failed("restore ledger.db from a backup, with nothing else; what is missing is recorded at the next write",
		"the ledger %s was removed: the vault remembers %d as the number of its last entry", h.ledger.Path(), remembered)
}
