package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"mcp-partner/internal/wiretest"
)

// listBudget is the most that tools/list may take of a client's context, in
// bytes: for twelve tools, three of them about many tenants. Nobody raises that.
const listBudget = 15_500

// What a client sees is a contract: a change of it shows in a golden. They are
// written anew by: go test ./e2e -update
func TestGoldens(t *testing.T) {
	t.Parallel()
	for _, era := range wiretest.Eras() {
		t.Run(string(era), func(t *testing.T) {
			t.Parallel()
			s := invocation{args: []string{"serve", "--simulate=2", "--allow-writes", "--log-level", "error"}}.start(t)
			golden(t, era, "hello", s.greet(era))
			for method, name := range map[string]string{
				"tools/list": "tools", "resources/list": "resources", "resources/templates/list": "templates", "prompts/list": "prompts",
			} {
				reply := s.ask(era.Request(name, method, nil, nil))
				if method == "tools/list" && len(reply.Result) > listBudget {
					t.Errorf("tools/list takes %d bytes; the budget is %d", len(reply.Result), listBudget)
				}
				golden(t, era, name, reply)
			}
			s.rest()
		})
	}
}

func golden(t *testing.T, era wiretest.Era, name string, reply wiretest.Reply) {
	t.Helper()
	if reply.Error != nil {
		t.Fatalf("%s: %s", name, reply.Raw)
	}
	var got bytes.Buffer
	if err := json.Indent(&got, reply.Result, "", "  "); err != nil {
		t.Fatal(err)
	}
	got.WriteByte('\n')
	path := filepath.Join("testdata", "golden", string(era), name+".json")
	if *update {
		rewrite(t, path, got.Bytes())
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%s is not what the server says now; if that is meant, run: go test ./e2e -update\n%s", path, got.Bytes())
	}
}

func rewrite(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
}
