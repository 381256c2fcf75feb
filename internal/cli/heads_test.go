package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mcp-partner/internal/exit"
	"mcp-partner/internal/testkit"
)

// A server that ends leaves its newest head where the config file says, and the
// record is compared with all of them.
func TestServerPushesHeadAtItsEnd(t *testing.T) {
	t.Parallel()
	dir := stateWithVault(t)
	heads := filepath.Join(t.TempDir(), "heads.jsonl")
	if err := os.WriteFile(filepath.Join(dir, "config.yaml"), []byte("heads: {file: "+heads+"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := runHere(t, "freeze", "--reason", "for the test", "--state-dir", dir); code != exit.CodeDone {
		t.Fatal(stderr)
	}
	server := start(t, nil, "serve", "--state-dir", dir)
	testkit.WaitFor(t, "the server", func() bool { return strings.Contains(server.err.String(), "serving") }, server.err)
	_ = server.in.Close()
	if code, _ := server.end(); code != exit.CodeDone {
		t.Fatal(server.err)
	}
	verify := func(file string) (int, string) {
		code, out, stderr := runHere(t, "ledger", "verify", "--heads", file, "--state-dir", dir)
		return code, out + stderr
	}
	if code, out := verify(heads); code != exit.CodeDone || !strings.Contains(out, "attested") {
		t.Errorf("exit code %d: %s", code, out)
	}
	if _, out, _ := runHere(t, "doctor", "--state-dir", dir); !strings.Contains(out, "Heads of the ledger are pushed") {
		t.Error(out)
	}
	before, err := os.ReadFile(heads)
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"freeze", "--reason", "again"}, {"ledger", "head", "--push"}, {"ledger", "head", "--push"}} {
		if code, _, stderr := runHere(t, append(args, "--state-dir", dir)...); code != exit.CodeDone {
			t.Fatal(args, stderr)
		}
	}
	after, err := os.ReadFile(heads)
	if err != nil || strings.Count(string(after), "\n") != strings.Count(string(before), "\n")+1 {
		t.Errorf("%s, %v", after, err)
	}
	forged := strings.Replace(string(before), `"seq":`, `"seq":1`, 1)
	other := filepath.Join(t.TempDir(), "heads.jsonl")
	if err := os.WriteFile(other, []byte(forged), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out := verify(other); code != exit.CodeFailed || !strings.Contains(out, "is not valid") {
		t.Errorf("exit code %d: %s", code, out)
	}
	if code, out := verify(filepath.Join(dir, "config.yaml")); code != exit.CodeUsage || !strings.Contains(out, "holds no head") {
		t.Errorf("exit code %d: %s", code, out)
	}
	if code, _, stderr := runHere(t, "ledger", "head", "--push", "--state-dir", stateWithVault(t)); code == exit.CodeDone {
		t.Error(stderr)
	}
}
