//go:build !windows

package cli

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// shellLines are the lines of a document's shell blocks, with those that go on
// behind a backslash joined.
func shellLines(t *testing.T, document string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", document))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		joined := strings.ReplaceAll(block[1], "\\\n", " ")
		lines = append(lines, strings.Split(strings.TrimSpace(joined), "\n")...)
	}
	return lines
}

// words splits a line as a shell does, as far as these documents need it.
func words(line string) []string {
	var found []string
	for _, word := range regexp.MustCompile(`'[^']*'|"[^"]*"|\S+`).FindAllString(line, -1) {
		found = append(found, strings.Trim(word, `'"`))
	}
	return found
}

// Every command of docs/callers.md does what the document says: tokens are
// issued, listed and revoked by the program, and the requests for approvers are
// sent to a server.
func TestCallersDocumentCommandsWork(t *testing.T) {
	t.Parallel()
	o := newInstallation(t)
	o.addAlice()
	secret := filepath.Join(t.TempDir(), "secret.txt")
	if err := os.WriteFile(secret, []byte("made up"), 0o600); err != nil {
		t.Fatal(err)
	}
	o.must("tenants", "add", "fabrikam", "--tenant-id", "33333333-3333-4333-8333-333333333333", "--client-id", "44444444-4444-4444-8444-444444444444", "--secret-file", secret)
	at := o.serveHTTP()
	approver := o.approverToken("alice")
	ids := []string{
		o.ask("register_partner", "--tenant", "contoso", "--partner-id", "1234567"),
		o.ask("register_partner", "--tenant", "contoso", "--partner-id", "7654321"),
	}
	ran, sent := 0, 0
	for _, line := range shellLines(t, "callers.md") {
		switch command := words(line); {
		case command[0] == "curl":
			o.curl(at, approver, ids[sent/3], command)
			sent++
		case command[0] != "mcp-partner":
			t.Errorf("what is %q?", line)
		case strings.Contains(line, "--approver"):
			o.approverToken("alice") // the same, with the passphrase typed
			ran++
		case command[1] == "token":
			o.must(command[1:]...)
			ran++
		}
	}
	if ran < 5 || sent != 4 {
		t.Errorf("%d commands and %d requests: the document has other ones", ran, sent)
	}
	for id, want := range map[string]string{ids[0]: "approved", ids[1]: "denied"} {
		if out := o.must("approvals", "show", id, "--json"); !strings.Contains(out, `"state":"`+want+`"`) && !strings.Contains(out, `"state": "`+want+`"`) {
			t.Errorf("%s should be %s: %s", id, want, out)
		}
	}
}

// curl sends what a curl command would, with the document's placeholders filled.
func (o *installation) curl(at ready, token, id string, command []string) {
	o.t.Helper()
	method, body, path := http.MethodGet, "", ""
	for i, word := range command {
		switch {
		case word == "-d":
			method, body = http.MethodPost, command[i+1]
		case strings.HasPrefix(word, "http://127.0.0.1:8080"):
			path = strings.TrimPrefix(word, "http://127.0.0.1:8080")
		case word == "-H" && !strings.HasPrefix(command[i+1], "Authorization: Bearer $TOKEN") && command[i+1] != "Content-Type: application/json":
			o.t.Errorf("a header that no test sends: %q", command[i+1])
		}
	}
	path = strings.Replace(path, "ap_0123456789abcdef01", id, 1)
	_, shown := o.http(at, token, http.MethodGet, "/approvals/"+id, "")
	body = strings.Replace(body, "THE DIGEST THAT WAS SHOWN", between(shown, `"digest":"`, `"`), 1)
	if status, answer := o.http(at, token, method, path, body); status != http.StatusOK || !strings.Contains(answer, id) {
		o.t.Errorf("%s %s %s: status %d, %s", method, path, body, status, answer)
	}
}
