//go:build !windows

package cli

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"mcp-partner/internal/exit"
)

// serve starts the program as a server of its own process.
func (o *installation) serveHTTP(args ...string) ready {
	o.t.Helper()
	command := exec.Command("mcp-partner", append([]string{"serve", "--http", "127.0.0.1:0"}, args...)...)
	command.Env = o.env
	out, err := command.StdoutPipe()
	if err != nil {
		o.t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		_ = command.Wait()
	})
	var at ready
	line, err := bufio.NewReader(out).ReadString('\n')
	if err == nil {
		err = json.Unmarshal([]byte(line), &at)
	}
	if err != nil {
		o.t.Fatalf("%v in %q", err, line)
	}
	return at
}

// approverToken issues a token with partner.approve, with alice's passphrase.
func (o *installation) approverToken(name string) string {
	o.t.Helper()
	s := o.at("token", "issue", "--for", name, "--scope", "partner.approve", "--tenants", "*", "--approver", "alice", "--json")
	s.expect("Passphrase of approver alice")
	s.typeLine(alicesPassphrase + "\n")
	code, shown := s.end()
	_, rest, found := strings.Cut(shown, `"token":"`)
	token, _, _ := strings.Cut(rest, `"`)
	if code != exit.CodeDone || !found || strings.Contains(shown, "horse") {
		o.t.Fatalf("exit code %d:\n%s", code, shown)
	}
	return token
}

// http sends a request that is no MCP.
func (o *installation) http(at ready, token, method, path, body string) (int, string) {
	o.t.Helper()
	url := strings.TrimSuffix(at.URL, "/mcp") + path
	r, err := http.NewRequestWithContext(o.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		o.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		o.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		o.t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// approve reads a question and approves what it shows.
func (o *installation) approve(at ready, approver, id string) (status int, body string) {
	o.t.Helper()
	_, body = o.http(at, approver, "GET", "/approvals/"+id, "")
	_, rest, _ := strings.Cut(body, `"digest":"`)
	digest, _, _ := strings.Cut(rest, `"`)
	return o.http(at, approver, "POST", "/approvals/"+id, fmt.Sprintf(`{"decision":"approve","digest":%q}`, digest))
}

// The way of docs/callers.md: one token asks, another approves over HTTP, and
// the first goes on.
func TestApprovingOverHTTP(t *testing.T) {
	t.Parallel()
	o := newInstallation(t)
	o.addAlice()
	at := o.serveHTTP("--allow-writes", "--approval", "approver")
	var bot struct{ Token string }
	if err := json.Unmarshal([]byte(o.must("token", "issue", "--for", "bot", "--tenants", "contoso", "--scope", "partner.read,partner.write")), &bot); err != nil {
		t.Fatal(err)
	}
	approver := o.approverToken("alice")
	call := func(more string) string {
		_, answer := post(t, at.URL, bot.Token, fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"register_partner","arguments":{"tenant":"contoso","partner_id":"1234567"%s}}}`, more))
		return answer
	}
	answer := call(`,"reason":"new customer"`)
	_, rest, found := strings.Cut(answer, `"approval":{"id":"`)
	id, _, _ := strings.Cut(rest, `"`)
	if !found {
		t.Fatalf("no approval in %s", answer)
	}
	if !strings.Contains(answer, "at "+strings.TrimSuffix(at.URL, "/mcp")+"/approvals/"+id) {
		t.Errorf("the agent is not told of the way over HTTP: %s", answer)
	}
	for name, token := range map[string]string{"who asked": bot.Token, "the token of the start": at.Token} {
		if status, body := o.http(at, token, "POST", "/approvals/"+id, `{"decision":"approve","digest":""}`); status != http.StatusForbidden {
			t.Errorf("%s: status %d, %s", name, status, body)
		}
	}
	var list struct {
		Approvals []struct{ ID, Text, Digest, State string }
	}
	status, body := o.http(at, approver, "GET", "/approvals", "")
	if err := json.Unmarshal([]byte(body), &list); err != nil || status != http.StatusOK || len(list.Approvals) != 1 || list.Approvals[0].ID != id {
		t.Fatalf("status %d, %v: %s", status, err, body)
	}
	if !strings.Contains(list.Approvals[0].Text, "1234567") || !strings.Contains(body, "new customer") || !strings.Contains(body, `"asked_by":"token:bot"`) {
		t.Errorf("%s", body)
	}
	decision := fmt.Sprintf(`{"decision":"approve","digest":%q}`, list.Approvals[0].Digest)
	if status, body := o.http(at, approver, "POST", "/approvals/"+id, decision); status != http.StatusOK || !strings.Contains(body, `"state":"approved"`) || strings.Contains(body, `"same_user":true`) {
		t.Fatalf("status %d: %s", status, body)
	}
	if status, body := o.http(at, approver, "POST", "/approvals/"+id, decision); status != http.StatusConflict {
		t.Errorf("decided twice: status %d, %s", status, body)
	}
	if o.linked() != "" {
		t.Fatal("approving wrote")
	}
	if answer := call(fmt.Sprintf(`,"approval_id":%q`, id)); !strings.Contains(answer, `"status":"done"`) || o.linked() != "1234567" {
		t.Fatalf("linked is %q: %s", o.linked(), answer)
	}
	o.mustBeRecorded("asked", "approved", "confirmed", "intent", "outcome")
	if out := o.must("ledger", "list", "--approver", "token:alice", "--json"); !strings.Contains(out, `"kind":"approved"`) || strings.Contains(out, approver) {
		t.Errorf("%s", out)
	}
}

// A decision outlives the server, and the terminal can carry it out.
func TestApprovalOverHTTPIsExecutedAtTheTerminal(t *testing.T) {
	t.Parallel()
	o := newInstallation(t)
	o.addAlice()
	id := o.ask("register_partner", "--tenant", "contoso", "--partner-id", "1234567")
	at := o.serveHTTP()
	approver := o.approverToken("alice")
	status, body := o.approve(at, approver, id)
	if status != http.StatusOK || !strings.Contains(body, `"same_user":true`) {
		t.Fatalf("who sits at the terminal is not known: status %d, %s", status, body)
	}
	if code, out, stderr := o.run("approvals", "approve", id, "--execute", "--json"); code != exit.CodeDone || o.linked() != "1234567" {
		t.Errorf("exit code %d: %s%s", code, out, stderr)
	}
}

func TestDenialOverHTTP(t *testing.T) {
	t.Parallel()
	o := newInstallation(t)
	o.addAlice()
	id := o.ask("register_partner", "--tenant", "contoso", "--partner-id", "1234567")
	at := o.serveHTTP()
	approver := o.approverToken("alice")
	if status, body := o.http(at, approver, "POST", "/approvals/"+id, `{"decision":"deny","reason":"not ours"}`); status != http.StatusOK || !strings.Contains(body, `"state":"denied"`) {
		t.Fatalf("status %d: %s", status, body)
	}
	if code, out, _ := o.run("call", "register_partner", "--tenant", "contoso", "--partner-id", "1234567", "--approval-id", id, "--allow-writes", "--approval", "approver", "--json"); code != exit.CodeRefused || !strings.Contains(out, "not ours") || o.linked() != "" {
		t.Errorf("exit code %d: %s", code, out)
	}
}

// One rotation leaves what is open; forgetting the replaced key voids it.
func TestRotatingTheKeyOfApprovals(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		rotate []string
		linked string
		says   string
	}{
		"once":      {linked: "1234567", says: `"status":"done"`},
		"void open": {rotate: []string{"--void-open"}, says: `"code":"approval_unknown"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newInstallation(t)
			o.addAlice()
			id := o.ask("register_partner", "--tenant", "contoso", "--partner-id", "1234567")
			at := o.serveHTTP()
			approver := o.approverToken("alice")
			if status, body := o.approve(at, approver, id); status != http.StatusOK {
				t.Fatalf("status %d: %s", status, body)
			}
			o.must(append([]string{"approvals", "rotate-key"}, test.rotate...)...)
			_, out, _ := o.run("call", "register_partner", "--tenant", "contoso", "--partner-id", "1234567", "--approval-id", id, "--allow-writes", "--approval", "approver", "--json")
			if !strings.Contains(out, test.says) || o.linked() != test.linked {
				t.Errorf("linked is %q: %s", o.linked(), out)
			}
			o.mustBeRecorded("approved", "credential")
		})
	}
}
