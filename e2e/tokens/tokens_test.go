// Package tokens counts what answers cost a model. It is a module of its own, so
// that the tokenizer's tables stay out of the program's.
package tokens

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/tiktoken-go/tokenizer"
)

// The most that a row of an audit and the list of tools may cost, in tokens of
// o200k.
const (
	rowTokens  = 40
	rows       = 30
	listTokens = 4000
)

func TestTokens(t *testing.T) {
	encoding, err := tokenizer.Get(tokenizer.O200kBase)
	if err != nil {
		t.Fatal(err)
	}
	count := func(text []byte) int {
		ids, _, err := encoding.Encode(string(text))
		if err != nil {
			t.Fatal(err)
		}
		return len(ids)
	}
	program := built(t)
	var audit struct{ Rows json.RawMessage }
	var list []json.RawMessage
	whole := run(t, program, "call", "audit_partner_links", "--simulate=30", "--json")
	if err := json.Unmarshal(whole, &audit); err != nil || json.Unmarshal(audit.Rows, &list) != nil || len(list) != rows {
		t.Fatalf("%d rows, %v: %s", len(list), err, whole)
	}
	if a := float64(count(audit.Rows)) / rows; a > rowTokens {
		t.Errorf("a row of an audit costs %.1f tokens, more than %d", a, rowTokens)
	} else {
		t.Logf("audit: %.1f tokens a row, and %d for all else", a, count(whole)-count(audit.Rows))
	}
	tools := run(t, program, "tools", "--format", "mcp")
	if n := count(tools); n > listTokens {
		t.Errorf("tools/list costs %d tokens, more than %d", n, listTokens)
	} else {
		t.Logf("tools/list: %d tokens, %d bytes", n, len(tools))
	}
}

func built(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mcp-partner")
	command := exec.Command("go", "build", "-o", path, "./cmd/mcp-partner")
	command.Dir, command.Stderr = filepath.Join("..", ".."), os.Stderr
	if err := command.Run(); err != nil {
		t.Fatal(err)
	}
	return path
}

func run(t *testing.T, program string, arguments ...string) []byte {
	t.Helper()
	command := exec.Command(program, arguments...)
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	return out
}
