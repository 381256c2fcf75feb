//go:build !windows

package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mcp-partner/internal/cli/approvals"
	ledgercmd "mcp-partner/internal/cli/ledger"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/testkit"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
	"mcp-partner/tenants"
)

const (
	alicesPassphrase = "correct horse battery"
	bobsPassphrase   = "staple of another kind"
)

// installation is a state directory on a real disk, with one tenant of a simulated
// Azure, and the program to run on it.
type installation struct {
	t     *testing.T
	world *azure
	env   []string
	state string
}

// newInstallation sets a state directory up as a person would. Nothing is linked.
func newInstallation(t *testing.T) *installation {
	t.Helper()
	return newInstallationIn(t, startWorld(t))
}

func newInstallationIn(t *testing.T, world *azure) *installation {
	t.Helper()
	testkit.SkipShort(t, testkit.Processes)
	if err := world.Sim.ClearLink("contoso"); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	o := &installation{t: t, world: world, state: filepath.Join(dir, "state")}
	o.env = []string{"MCP_PARTNER_STATE_DIR=" + o.state, "NO_COLOR=1", "PATH=" + os.Getenv("PATH"), "TMPDIR=" + os.TempDir(), "TERM=xterm"}
	ca := filepath.Join(dir, "ca.pem")
	secret := filepath.Join(dir, "secret.txt")
	for path, text := range map[string]string{ca: string(world.Server.CAPEM()), secret: world.Sim.ClientSecret()} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o.must("vault", "init")
	contoso, _ := world.Sim.Tenant("contoso")
	cloud := world.Cloud()
	o.must("tenants", "add", "contoso", "--tenant-id", contoso.TenantID, "--client-id", world.Sim.ClientID(), "--secret-file", secret, "--cloud", tenants.CloudCustom,
		"--authority", cloud.Authority, "--arm-endpoint", cloud.ARMEndpoint, "--arm-audience", cloud.ARMAudience, "--ca-file", ca, "--skip-instance-discovery")
	return o
}

// run runs the program without a terminal.
func (o *installation) run(args ...string) (code int, out, stderr string) {
	o.t.Helper()
	command := exec.CommandContext(o.t.Context(), "mcp-partner", args...)
	command.Env = o.env
	var stdout, errors bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &errors
	_ = command.Run() // the exit code tells
	return command.ProcessState.ExitCode(), stdout.String(), errors.String()
}

func (o *installation) must(args ...string) string {
	o.t.Helper()
	code, out, stderr := o.run(args...)
	if code != exit.CodeDone {
		o.t.Fatalf("mcp-partner %s: exit code %d\n%s%s", strings.Join(args, " "), code, out, stderr)
	}
	return out
}

// ask is a call of a writing tool that waits for an approver; it returns the
// approval's ID.
func (o *installation) ask(args ...string) string {
	o.t.Helper()
	code, out, stderr := o.run(append([]string{"call"}, append(args, "--allow-writes", "--approval", "approver", "--json")...)...)
	envelope := envelopeIn(o.t, out)
	if code != exit.CodeApprovalRequired || envelope.Approval == nil {
		o.t.Fatalf("exit code %d: %s%s", code, out, stderr)
	}
	return envelope.Approval.ID
}

func envelopeIn(t *testing.T, text string) answers.Envelope {
	t.Helper()
	var envelope answers.Envelope
	if err := json.Unmarshal([]byte(text), &envelope); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return envelope
}

// at runs the program at a terminal.
func (o *installation) at(args ...string) *session {
	o.t.Helper()
	return atTerminal(o.t, o.env, args...)
}

// addAlice sets the first approver up.
func (o *installation) addAlice() {
	o.t.Helper()
	s := o.at("users", "add", "alice")
	s.expect("New passphrase of approver alice")
	s.typeLine(alicesPassphrase + "\n")
	s.expect("Repeat it")
	s.typeLine(alicesPassphrase + "\n")
	if code, shown := s.end(); code != exit.CodeDone || strings.Contains(shown, "horse") {
		o.t.Fatalf("exit code %d:\n%s", code, shown)
	}
}

func (o *installation) linked() string {
	tenant, _ := o.world.Sim.Tenant("contoso")
	return tenant.PartnerID
}

func TestApprovedPlanIsExecuted(t *testing.T) {
	t.Parallel()
	o := newInstallation(t)
	o.addAlice()
	id := o.ask("register_partner", "--tenant", "contoso", "--partner-id", "1234567", "--reason", "new customer")
	if again := o.ask("register_partner", "--tenant", "contoso", "--partner-id", "1234567"); again != id {
		t.Errorf("an identical question is another one: %s, %s", id, again)
	}
	if o.linked() != "" {
		t.Fatal("linked before anybody approved")
	}
	s := o.at("approvals", "approve", id, "--approver", "alice", "--execute")
	s.expect("Link partner ID 1234567")
	s.expect("Passphrase of approver alice")
	s.typeLine("not the passphrase\n")
	if code, shown := s.end(); code != exit.CodeRefused || !strings.Contains(shown, "not the passphrase of approver") || o.linked() != "" {
		t.Fatalf("exit code %d:\n%s", code, shown)
	}
	s = o.at("approvals", "approve", id, "--approver", "alice", "--execute")
	s.expect("Passphrase of approver alice")
	s.typeLine(alicesPassphrase + "\n")
	code, shown := s.end()
	if code != exit.CodeDone || !strings.Contains(shown, "Registered partner ID 1234567") || !strings.Contains(shown, "same user") || strings.Contains(shown, "horse") {
		t.Fatalf("exit code %d:\n%s", code, shown)
	}
	if o.linked() != "1234567" {
		t.Errorf("linked is %q", o.linked())
	}
	o.mustBeRecorded("asked", "approved", "confirmed", "intent", "outcome")
	if code, out, _ := o.run("approvals", "show", id, "--json"); code != exit.CodeDone || !strings.Contains(out, `"state":"used"`) || !strings.Contains(out, `"same_user":true`) {
		t.Errorf("exit code %d: %s", code, out)
	}
}

// mustBeRecorded looks for kinds of entries, in this order, in a record that
// verifies.
func (o *installation) mustBeRecorded(kinds ...string) {
	o.t.Helper()
	o.must("ledger", "verify")
	var list struct{ Entries []ledgercmd.EntryRow }
	if err := json.Unmarshal([]byte(o.must("ledger", "list", "--json")), &list); err != nil {
		o.t.Fatal(err)
	}
	left := kinds
	for _, entry := range list.Entries {
		if len(left) > 0 && string(entry.Kind) == left[0] {
			left = left[1:]
		}
	}
	if len(left) > 0 {
		o.t.Errorf("no entry %v in %+v", left, list.Entries)
	}
}

// TestApprovedUpdateIsRefusedWhenLinkChanged approves an update of a link that somebody else has
// changed since it was asked for.
func TestApprovedUpdateIsRefusedWhenLinkChanged(t *testing.T) {
	t.Parallel()
	o := newInstallation(t)
	o.addAlice()
	if err := o.world.Sim.SetLink("contoso", "1234567"); err != nil {
		t.Fatal(err)
	}
	id := o.ask("update_partner", "--tenant", "contoso", "--partner-id", "7654321")
	if err := o.world.Sim.SetLink("contoso", "5555555"); err != nil {
		t.Fatal(err)
	}
	s := o.at("approvals", "approve", id, "--execute")
	s.expect("Replace partner ID 1234567 with 7654321")
	s.expect("Approver's name: ")
	s.typeLine("alice\n")
	s.expect("Passphrase of approver alice")
	s.typeLine(alicesPassphrase + "\n")
	code, shown := s.end()
	if code != exit.CodeRefused || !strings.Contains(shown, string(problems.CodeStateMoved)) || o.linked() != "5555555" {
		t.Errorf("exit code %d, linked %s:\n%s", code, o.linked(), shown)
	}
}

// An approval does not allow what the config file denies.
func TestPolicyAppliesToApprover(t *testing.T) {
	t.Parallel()
	o := newInstallation(t)
	o.addAlice()
	id := o.ask("register_partner", "--tenant", "contoso", "--partner-id", "1234567")
	for name, c := range map[string]struct {
		policy string
		says   problems.Code
	}{
		"denied":      {"policy: [{name: closed, answer: deny}]", problems.CodePolicyDenied},
		"out of tune": {"policy: []", problems.CodePolicyDenied},
		"bounds":      {"tenants: [fabrikam]", problems.CodeNotAllowed},
	} {
		if err := os.WriteFile(filepath.Join(o.state, "config.yaml"), []byte(c.policy), 0o600); err != nil {
			t.Fatal(err)
		}
		// The first time the question is approved and not carried out; after that
		// nobody is asked again.
		approved := o.decided(id)
		s := o.at("approvals", "approve", id, "--approver", "alice", "--execute")
		if !approved {
			s.expect("Passphrase of approver alice")
			s.typeLine(alicesPassphrase + "\n")
		}
		if code, shown := s.end(); code != exit.CodeRefused || !strings.Contains(shown, string(c.says)) || o.linked() != "" {
			t.Errorf("%s: exit code %d:\n%s", name, code, shown)
		}
	}
	if err := os.Remove(filepath.Join(o.state, "config.yaml")); err != nil {
		t.Fatal(err)
	}
	if code, out, stderr := o.run("approvals", "approve", id, "--execute", "--json"); code != exit.CodeDone || o.linked() != "1234567" {
		t.Errorf("exit code %d: %s%s", code, out, stderr)
	}
}

// decided reports whether a question was approved already.
func (o *installation) decided(id string) bool {
	o.t.Helper()
	_, out, _ := o.run("approvals", "show", id, "--json")
	return strings.Contains(out, `"state":"approved"`)
}

func TestCallIsApprovedAtTerminal(t *testing.T) {
	t.Parallel()
	o := newInstallation(t)
	call := []string{"call", "register_partner", "--tenant", "contoso", "--partner-id", "1234567", "--allow-writes", "--approval", "approver"}
	s := o.at(call...)
	if code, shown := s.end(); code != exit.CodeApprovalRequired || !strings.Contains(shown, "users add NAME") {
		t.Fatalf("without an approver: exit code %d:\n%s", code, shown)
	}
	o.addAlice()
	s = o.at(call...)
	s.expect("Approver who approves it here")
	s.typeLine("\n")
	if code, shown := s.end(); code != exit.CodeApprovalRequired || o.linked() != "" {
		t.Fatalf("not now: exit code %d:\n%s", code, shown)
	}
	s = o.at(call...)
	s.expect("Approver who approves it here")
	s.typeLine("mallory\n")
	mustKnowApprover(t, s)
	s = o.at(call...)
	s.expect("Approver who approves it here")
	s.typeLine("alice\n")
	s.expect("Passphrase of approver alice")
	s.typeLine(alicesPassphrase + "\n")
	if code, shown := s.end(); code != exit.CodeDone || o.linked() != "1234567" {
		t.Fatalf("alice: exit code %d:\n%s", code, shown)
	}
}

// mustKnowApprover ends a command with the approver mallory: it asks for no
// passphrase, and the message lists the existing approvers.
func mustKnowApprover(t *testing.T, s *session) {
	t.Helper()
	code, shown := s.end()
	if code != exit.CodeRefused || !strings.Contains(shown, `there is no approver "mallory"; the approvers are alice`) || strings.Contains(shown, "Passphrase") {
		t.Errorf("exit code %d:\n%s", code, shown)
	}
}

func TestUnknownApproverIsRefusedBeforePassphrase(t *testing.T) {
	t.Parallel()
	o := newInstallation(t)
	id := o.ask("register_partner", "--tenant", "contoso", "--partner-id", "1234567")
	o.must("freeze", "--reason", "test")
	for _, args := range [][]string{{"approvals", "approve", id}, {"unfreeze"}} {
		if code, shown := o.at(args...).end(); code != exit.CodeRefused || !strings.Contains(shown, "there are no approvers yet") || !strings.Contains(shown, "mcp-partner users add NAME") {
			t.Errorf("%v without approvers: exit code %d:\n%s", args, code, shown)
		}
	}
	o.addAlice()
	for _, args := range [][]string{
		{"approvals", "approve", id, "--approver", "mallory"}, {"unfreeze", "--approver", "mallory"},
		{"token", "issue", "--for", "agent", "--scope", "partner.approve", "--tenants", "*", "--approver", "mallory"},
	} {
		mustKnowApprover(t, o.at(args...))
	}
	for _, args := range [][]string{{"approvals", "approve", id}, {"users", "add", "bob"}} {
		s := o.at(args...)
		s.expect("Approver's name: ")
		s.typeLine("mallory\n")
		mustKnowApprover(t, s)
	}
}

func TestFurtherApproversNeedConsent(t *testing.T) {
	t.Parallel()
	o := newInstallation(t)
	o.addAlice()
	for _, c := range []struct {
		name, by, consent, first, second string
		code                             int
		says                             string
	}{
		{
			name: "a wrong passphrase", by: "alice", consent: bobsPassphrase, first: bobsPassphrase, second: bobsPassphrase,
			code: exit.CodeRefused, says: "not the passphrase of approver",
		},
		{
			name: "two that differ", by: "alice", consent: alicesPassphrase, first: bobsPassphrase, second: alicesPassphrase,
			code: exit.CodeRefused, says: "differ",
		},
		{name: "too short", by: "alice", consent: alicesPassphrase, first: "short", second: "short", code: exit.CodeRefused, says: "too short"},
		{
			name: "as it should be", by: "alice", consent: alicesPassphrase, first: bobsPassphrase, second: bobsPassphrase,
			code: exit.CodeDone, says: "bob can approve",
		},
	} {
		s := o.at("users", "add", "bob")
		s.expect("An existing approver must consent.")
		s.typeLine(c.by + "\n")
		s.expect("Passphrase of approver " + c.by)
		s.typeLine(c.consent + "\n")
		s.expect("New passphrase of approver bob")
		s.typeLine(c.first + "\n")
		s.expect("Repeat it")
		s.typeLine(c.second + "\n")
		code, shown := s.end()
		if code != c.code || !strings.Contains(shown, c.says) {
			t.Errorf("%s: exit code %d:\n%s", c.name, code, shown)
		}
		if strings.Contains(shown, "horse") || strings.Contains(shown, "staple") {
			t.Errorf("%s: a passphrase was shown:\n%s", c.name, shown)
		}
	}
	if code, shown := o.at("users", "add", "bob").end(); code != exit.CodeRefused || !strings.Contains(shown, `there is a user "bob" with a passphrase already`) {
		t.Errorf("twice: exit code %d:\n%s", code, shown)
	}
	s := o.at("users", "remove", "alice")
	s.expect("Approver's name: ")
	s.typeLine("bob\n")
	s.expect("Passphrase of approver bob")
	s.typeLine(bobsPassphrase + "\n")
	if code, shown := s.end(); code != exit.CodeDone {
		t.Errorf("exit code %d:\n%s", code, shown)
	}
	if out := o.must("users", "list", "--json"); strings.Contains(out, "alice") || !strings.Contains(out, "bob") {
		t.Error(out)
	}
}

// TestRunningServerObservesFreeze has two processes on one state directory:
// the server observes the freeze and the unfreeze at its next call.
func TestRunningServerObservesFreeze(t *testing.T) {
	t.Parallel()
	o := newInstallation(t)
	o.addAlice()
	server := o.serve("--allow-writes", "--approval", "approver")
	register := func() string {
		return server.call("register_partner", map[string]any{"tenant": "contoso", "partner_id": "1234567"})
	}
	if answer := register(); !strings.Contains(answer, "approval_required") {
		t.Fatal(answer)
	}
	o.must("freeze", "--reason", "runs wild")
	if answer := register(); !strings.Contains(answer, "frozen") || !strings.Contains(answer, "runs wild") {
		t.Fatal(answer)
	}
	if answer := server.call("check_partner_link", map[string]any{"tenant": "contoso"}); !strings.Contains(answer, "not_linked") {
		t.Fatal(answer)
	}
	s := o.at("unfreeze")
	s.expect("Approver's name: ")
	s.typeLine("alice\n")
	s.expect("Passphrase of approver alice")
	s.typeLine(alicesPassphrase + "\n")
	if code, shown := s.end(); code != exit.CodeDone {
		t.Fatalf("exit code %d:\n%s", code, shown)
	}
	if answer := register(); !strings.Contains(answer, "approval_required") {
		t.Fatal(answer)
	}
	// What one process asked, another one approves and carries out, as the server's caller.
	var list struct{ Approvals []approvals.ApprovalRow }
	if err := json.Unmarshal([]byte(o.must("approvals", "list", "--json")), &list); err != nil || len(list.Approvals) != 1 {
		t.Fatalf("%v: %+v", err, list)
	}
	s = o.at("approvals", "approve", list.Approvals[0].ID, "--approver", "alice")
	s.expect("Passphrase of approver alice")
	s.typeLine(alicesPassphrase + "\n")
	if code, shown := s.end(); code != exit.CodeDone {
		t.Fatalf("exit code %d:\n%s", code, shown)
	}
	answer := server.call("register_partner", map[string]any{"tenant": "contoso", "partner_id": "1234567", "approval_id": list.Approvals[0].ID})
	if !strings.Contains(answer, "read back and confirmed") || o.linked() != "1234567" {
		t.Fatal(answer)
	}
	server.end()
	o.mustBeRecorded("asked", "freeze", "refusal", "unfreeze", "approved", "intent", "outcome")
}

// client talks to a server on stdio.
type mcpClient struct {
	t       *testing.T
	command *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
	id      int
}

func (o *installation) serve(args ...string) *mcpClient {
	o.t.Helper()
	command := exec.CommandContext(o.t.Context(), "mcp-partner", append([]string{"serve"}, args...)...)
	command.Env = o.env
	in, err := command.StdinPipe()
	if err != nil {
		o.t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		o.t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		o.t.Fatal(err)
	}
	return &mcpClient{t: o.t, command: command, in: in, out: bufio.NewReader(out)}
}

// call calls a tool in the newest revision and returns the answer's line.
func (c *mcpClient) call(tool string, arguments map[string]any) string {
	c.t.Helper()
	c.id++
	params := modernParams()
	params["name"], params["arguments"] = tool, arguments
	line, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": c.id, "method": "tools/call", "params": params})
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.in.Write(append(line, '\n')); err != nil {
		c.t.Fatal(err)
	}
	for {
		answer, err := c.out.ReadString('\n')
		if err != nil {
			c.t.Fatal(err)
		}
		if strings.Contains(answer, `"result"`) || strings.Contains(answer, `"error"`) {
			return answer
		}
	}
}

func (c *mcpClient) end() {
	c.t.Helper()
	if err := c.in.Close(); err != nil {
		c.t.Fatal(err)
	}
	if err := c.command.Wait(); err != nil {
		c.t.Fatal(err)
	}
}
