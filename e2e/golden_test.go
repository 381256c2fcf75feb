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

// A client that declares views is told of them: the lists grow by no more than they need,
// and are otherwise the same.
func TestClientThatShowsViewsIsToldOfThem(t *testing.T) {
	t.Parallel()
	const kind = "text/html;profile=mcp-app"
	for _, era := range wiretest.Eras() {
		for name, test := range map[string]struct {
			extension wiretest.Object
			told      bool
		}{
			"views":               {wiretest.Object{"mimeTypes": []string{"text/plain", kind}}, true},
			"views of no kind":    {wiretest.Object{}, false},
			"views of other kind": {wiretest.Object{"mimeTypes": []string{"text/html"}}, false},
		} {
			t.Run(string(era)+" "+name, func(t *testing.T) {
				t.Parallel()
				s := invocation{args: []string{"serve", "--simulate=2", "--allow-writes", "--log-level", "error"}}.start(t)
				can := wiretest.Object{"extensions": wiretest.Object{"io.modelcontextprotocol/ui": test.extension}}
				if era == wiretest.Legacy {
					s.ask(wiretest.Initialize(string(era), can))
				}
				plain, err := os.ReadFile(filepath.Join("testdata", "golden", string(era), "tools.json"))
				check(t, err)
				var packed bytes.Buffer
				check(t, json.Compact(&packed, plain))
				list := s.ask(era.Request("list", "tools/list", nil, can)).Result
				if grown := len(list) - packed.Len(); test.told != (grown > 0) || grown > 600 || test.told != bytes.Contains(list, []byte("ui://mcp-partner/report")) {
					t.Errorf("the list of tools grew by %d bytes", grown)
				}
				resources := s.ask(era.Request("resources", "resources/list", nil, can)).Result
				if test.told != bytes.Contains(resources, []byte("ui://mcp-partner/report")) {
					t.Errorf("resources: %s", resources)
				}
				s.rest()
			})
		}
	}
}
