package docs_test

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// entry is what a button writes into a client's configuration.
type entry struct {
	Command string   `json:"command"`
	Args    []string `json:"args"`
}

// buttons are links that have a client add the server, in the forms that Cursor
// (docs.cursor.com, deeplinks) and VS Code (code.visualstudio.com, MCP installation URL,
// behind its page that leads to applications) document in December 2026.
func buttons() map[string]string {
	command := entry{Command: "mcp-partner", Args: []string{"serve"}}
	cursor, _ := json.Marshal(command) // of text alone
	code, _ := json.Marshal(struct {
		Name string `json:"name"`
		entry
	}{"partner", command})
	return map[string]string{
		"Cursor":  "https://cursor.com/en/install-mcp?" + url.Values{"name": {"partner"}, "config": {base64.StdEncoding.EncodeToString(cursor)}}.Encode(),
		"VS Code": "https://insiders.vscode.dev/redirect?" + url.Values{"url": {"vscode:mcp/install?" + url.PathEscape(string(code))}}.Encode(),
	}
}

// TestReadmeButtonsAddTheServer decodes the buttons as the clients do.
func TestReadmeButtonsAddTheServer(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for client, want := range buttons() {
		button := regexp.MustCompile(`\[Add to ` + client + `\]\(([^)]+)\)`).FindSubmatch(readme)
		if button == nil || string(button[1]) != want {
			t.Errorf("the README lacks [Add to %s](%s)", client, want)
			continue
		}
		at, err := url.Parse(string(button[1]))
		if err != nil {
			t.Fatal(err)
		}
		config, err := base64.StdEncoding.DecodeString(at.Query().Get("config"))
		name := at.Query().Get("name")
		if client == "VS Code" {
			inner, found := strings.CutPrefix(at.Query().Get("url"), "vscode:mcp/install?")
			inner, err = url.PathUnescape(inner)
			config = []byte(inner)
			var named struct{ Name string }
			if json.Unmarshal(config, &named) != nil || !found {
				t.Errorf("VS Code opens %s", at.Query().Get("url"))
			}
			name = named.Name
		}
		var added entry
		if err != nil || json.Unmarshal(config, &added) != nil || added.Command != "mcp-partner" || !slices.Equal(added.Args, []string{"serve"}) || name != "partner" {
			t.Errorf("%s adds %+v, %v", client, added, err)
		}
	}
}
