//go:build !windows

package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mcp-partner/internal/exit"
	"mcp-partner/schemas/problems"
)

// rowsOnAPage is how many rows of a plan are shown at once.
const rowsOnAPage = 40

// crowd adds the other tenants of the world to the directory.
func (o *installation) crowd() {
	o.t.Helper()
	cloud := o.world.Cloud()
	rows := []string{"name,tenant_id,credential,cloud,arm_endpoint,arm_audience,authority,skip_instance_discovery"}
	for _, tenant := range o.world.Sim.Tenants() {
		if err := o.world.Sim.ClearLink(tenant.TenantID); err != nil {
			o.t.Fatal(err)
		}
		if tenant.Name != "contoso" {
			rows = append(rows, strings.Join([]string{tenant.Name, tenant.TenantID, "contoso", "custom", cloud.ARMEndpoint, cloud.ARMAudience, cloud.Authority, "true"}, ","))
		}
	}
	dir := o.t.TempDir()
	list, ca := filepath.Join(dir, "tenants.csv"), filepath.Join(dir, "ca.pem")
	for path, text := range map[string]string{list: strings.Join(rows, "\n") + "\n", ca: string(o.world.Server.CAPEM())} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			o.t.Fatal(err)
		}
	}
	o.must("tenants", "import", list, "--ca-file", ca, "--yes")
}

// linkedTo counts the tenants that are linked to a partner.
func (o *installation) linkedTo(partnerID string) (n int) {
	for _, tenant := range o.world.Sim.Tenants() {
		if tenant.PartnerID == partnerID {
			n++
		}
	}
	return n
}

// An approver sees a plan for many tenants page by page, and approves and
// executes it as a whole.
func TestPlanIsApprovedAsAWhole(t *testing.T) {
	t.Parallel()
	o := newInstallationIn(t, startWorldOf(t, rowsOnAPage+3))
	o.addAlice()
	o.crowd()
	code, out, stderr := o.run("ensure", "--partner-id", "1234567", "--allow-writes", "--approval", "approver", "--reason", "roll-out", "--json")
	asked := envelopeIn(t, out)
	if code != exit.CodeApprovalRequired || asked.Approval == nil || o.linkedTo("1234567") != 0 {
		t.Fatalf("exit code %d: %s%s", code, out, stderr)
	}
	id := asked.Approval.ID
	if shown := o.must("approvals", "show", id); strings.Count(shown, "\n  tenant-")+9 < rowsOnAPage || !strings.Contains(shown, "STEPS create") || !strings.Contains(shown, "Register partner ID 1234567 in 43 tenants?") || !strings.Contains(shown, "roll-out") {
		t.Errorf("not every row is shown:\n%s", shown)
	}
	if list := o.must("approvals", "list"); !strings.Contains(list, id) || !strings.Contains(list, "43 tenants") {
		t.Errorf("the list:\n%s", list)
	}
	s := o.at("approvals", "approve", id, "--approver", "alice", "--execute")
	s.expect("3 rows more")
	s.typeLine("q\n")
	if code, shown := s.end(); code != exit.CodeRefused || o.linkedTo("1234567") != 0 {
		t.Fatalf("a plan that was not read to its end: exit code %d:\n%s", code, shown)
	}
	s = o.at("approvals", "approve", id, "--approver", "alice", "--execute")
	s.expect("3 rows more")
	s.typeLine("\n")
	s.expect("Passphrase of approver alice")
	s.typeLine(alicesPassphrase + "\n")
	code, shown := s.end()
	if code != exit.CodeDone || !strings.Contains(shown, "43 done") || o.linkedTo("1234567") != rowsOnAPage+3 || strings.Contains(shown, "horse") {
		t.Fatalf("exit code %d, %d linked:\n%s", code, o.linkedTo("1234567"), shown)
	}
	o.mustBeRecorded("asked", "approved", "confirmed", "run opened", "intent", "outcome", "run ended")
	o.reports()
}

// reports looks at the forms in which a run is reported.
func (o *installation) reports() {
	o.t.Helper()
	list := o.must("ensure", "--list")
	run := list[strings.Index(list, "run_"):]
	run = run[:strings.IndexByte(run, ' ')]
	if csv := o.must("ensure", "--run", run, "--format", "csv"); strings.Count(csv, "\n") != rowsOnAPage+4 || !strings.HasPrefix(csv, "company,domain,tenant,tenant_id,") || !strings.Contains(csv, ",done,not_linked,") {
		o.t.Errorf("as CSV:\n%s", csv)
	}
	path := filepath.Join(o.t.TempDir(), "report.jsonl")
	o.must("ensure", "--run", run, "--format", "jsonl", "-o", path)
	if text, err := os.ReadFile(path); err != nil || strings.Count(string(text), `"state":"done"`) != rowsOnAPage+3 {
		o.t.Errorf("as JSONL: %v\n%s", err, text)
	}
	if code, _, _ := o.run("ensure", "--run", run, "--format", "jsonl", "-o", path); code != exit.CodeRefused {
		o.t.Errorf("it wrote over a file: %d", code)
	}
	if code, out, _ := o.run("transition", "--run", run, "--json"); code != exit.CodeRefused || !strings.Contains(out, string(problems.CodeUnknownRun)) {
		o.t.Errorf("the other command shows it: %d %s", code, out)
	}
}

// An approver sees what is written, how much is not touched, and the question
// again right above the passphrase.
func TestApprovingManyShowsPlannedRowsAndTheQuestion(t *testing.T) {
	t.Parallel()
	o := newInstallation(t)
	o.addAlice()
	o.crowd()
	if err := o.world.Sim.SetLink("fabrikam", "1234567"); err != nil {
		t.Fatal(err)
	}
	_, out, _ := o.run("ensure", "--partner-id", "1234567", "--allow-writes", "--approval", "approver", "--json")
	id := envelopeIn(t, out).Approval.ID
	if shown := o.must("approvals", "show", id); !strings.Contains(shown, "1 untouched (--all)") || strings.Contains(shown, "fabrikam") {
		t.Errorf("show:\n%s", shown)
	}
	if shown := o.must("approvals", "show", id, "--all"); strings.Contains(shown, "untouched (") || !strings.Contains(shown, "fabrikam") {
		t.Errorf("show --all:\n%s", shown)
	}
	s := o.at("approvals", "approve", id, "--approver", "alice")
	s.expect("1 untouched (--all)")
	s.expect("Register partner ID 1234567 in 2 tenants?")
	s.expect("Passphrase of approver alice")
	s.typeLine(alicesPassphrase + "\n")
	if code, shown := s.end(); code != exit.CodeDone || !strings.Contains(shown, "Approved until") {
		t.Errorf("exit code %d:\n%s", code, shown)
	}
}

// At a terminal the ID and the number are typed. What was confirmed for the first
// tenant is not gone on with in others.
func TestTransitionIsConfirmedAtTheTerminal(t *testing.T) {
	t.Parallel()
	o := newInstallation(t)
	o.crowd()
	for _, tenant := range o.world.Sim.Tenants() {
		if err := o.world.Sim.SetLink(tenant.TenantID, "7654321"); err != nil {
			t.Fatal(err)
		}
	}
	s := o.at("transition", "--from", "7654321", "--to", "1234567", "--first", "1", "--allow-writes", "--approval", "requester")
	s.expect("Replace partner ID 7654321 with 1234567 in 1 tenant?")
	s.expect("It covers only the first 1 row.")
	s.expect("Type the new partner ID")
	s.typeLine("1234567 1\n")
	code, shown := s.end()
	if code != exit.CodeDone || o.linkedTo("1234567") != 1 || !strings.Contains(shown, "2 beyond first") {
		t.Errorf("exit code %d, %d linked:\n%s", code, o.linkedTo("1234567"), shown)
	}
	run := regexp.MustCompile(`run_[0-9a-f]{18}`).FindString(shown)
	o.must("transition", "--resume", run)
	if n := o.linkedTo("1234567"); n != 1 {
		t.Errorf("one tenant was approved, and %d are written after the run was resumed", n)
	}
	s = o.at("transition", "--from", "7654321", "--to", "1234567", "--allow-writes", "--approval", "requester")
	s.expect("Replace partner ID 7654321 with 1234567 in 2 tenants?")
	s.typeLine("1234567 2\n")
	if code, shown := s.end(); code != exit.CodeDone {
		t.Errorf("the others: exit code %d:\n%s", code, shown)
	}
	if list := o.must("tenants", "list", "--json"); o.linkedTo("1234567") != 3 || strings.Count(list, `"expected_partner_id":"1234567"`) != 3 {
		t.Errorf("%d linked; the directory does not expect the new ID:\n%s", o.linkedTo("1234567"), list)
	}
	if code, _, stderr := o.run("transition", "--resume", "run_000000000000000000"); code == exit.CodeDone || !strings.Contains(stderr, "no run with that ID") {
		t.Errorf("a run that is not there: %d %s", code, stderr)
	}
}
