package cli

import (
	"strings"
	"testing"
	"time"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/internal/exit"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
)

// putTickets stores questions for approvers: one that waits, and newer ones that
// are over.
func putTickets(t *testing.T, dir string) {
	t.Helper()
	a := appIn(t, dir)
	defer a.Close()
	now := time.Now()
	for id, c := range map[string]struct {
		age, life time.Duration
		decision  *guard.Decision
	}{
		"ap_aa0000000000000001": {age: 30 * time.Minute, life: time.Hour},
		"ap_ab0000000000000002": {age: 20 * time.Minute, life: 10 * time.Minute},
		"ap_ac0000000000000003": {age: 10 * time.Minute, life: time.Hour, decision: &guard.Decision{Approver: "bob", Reason: "no"}},
		"ap_ad0000000000000004": {age: 5 * time.Minute, life: time.Hour, decision: &guard.Decision{Approved: true, Approver: "bob"}},
	} {
		created := now.Add(-c.age)
		intent := guard.Intent{
			Caller: access.Caller(id), Tool: schemas.ToolRegisterPartner, PartnerID: "1234567",
			Identity: answers.Identity{Tenant: id, TenantID: id, ObjectID: id, Credential: "c", Cloud: "public"},
			Before:   guard.LinkSnapshot{State: answers.LinkNotLinked, Version: -1},
		}
		ticket := guard.Ticket{ID: id, Intent: intent, CreatedAt: created, ExpiresAt: created.Add(c.life), Requester: "somebody"}
		event := guard.Event{Time: created, Kind: guard.KindAsked, Intent: intent, Approval: id}
		if _, err := a.Ledger.PutTicket(t.Context(), ticket, 10, event); err != nil {
			t.Fatal(err)
		}
		if c.decision != nil {
			if _, err := a.Ledger.DecideTicket(t.Context(), id, *c.decision, event, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestApprovalsListShowsPendingFirst(t *testing.T) {
	t.Parallel()
	dir := stateWithVault(t)
	putTickets(t, dir)
	_, out, _ := runHere(t, "approvals", "list", "--state-dir", dir)
	_, rows, _ := strings.Cut(out, "STATE")
	lines := strings.Split(rows, "\n")
	if len(lines) < 5 || !strings.Contains(lines[1], "ap_aa") || !strings.Contains(lines[1], "pending") || !strings.Contains(lines[2], "ap_ad") {
		t.Errorf("list:\n%s", out)
	}
}

func TestApprovalsTakePrefixesOfIDs(t *testing.T) {
	t.Parallel()
	dir := stateWithVault(t)
	putTickets(t, dir)
	code, out, _ := runHere(t, "approvals", "show", "ap_aa", "--state-dir", dir)
	if code != exit.CodeDone || !strings.Contains(out, "ap_aa0000000000000001") {
		t.Errorf("exit code %d:\n%s", code, out)
	}
	code, _, stderr := runHere(t, "approvals", "show", "ap_a", "--state-dir", dir)
	if code != exit.CodeRefused || !strings.Contains(stderr, `the IDs of 4 approvals begin with "ap_a"`) || !strings.Contains(stderr, "approvals list") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

// TestDecidedApprovalIsRefusedBeforePassphrase: without a terminal a passphrase
// that was asked for would be the error.
func TestDecidedApprovalIsRefusedBeforePassphrase(t *testing.T) {
	t.Parallel()
	dir := stateWithVault(t)
	putTickets(t, dir)
	for id, want := range map[string]string{
		"ap_ab": "ap_ab0000000000000002 expired at",
		"ap_ac": "ap_ac0000000000000003 is denied already by bob",
		"ap_ad": "ap_ad0000000000000004 is approved already by bob",
	} {
		code, out, stderr := runHere(t, "approvals", "approve", id, "--approver", "alice", "--state-dir", dir)
		if code != exit.CodeRefused || !strings.Contains(stderr, want) || strings.Contains(out+stderr, "assphrase") {
			t.Errorf("%s: exit code %d: %s%s", id, code, out, stderr)
		}
	}
}
