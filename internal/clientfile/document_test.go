package clientfile

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/tailscale/hujson"
)

var ours = Server{Command: "/opt/mcp partner/mcp-partner", Args: []string{"serve", "--state-dir", "/home/zoë/状態"}}

func client(t testing.TB, name string) Client {
	t.Helper()
	c, ok := Lookup(name)
	if !ok {
		t.Fatalf("no client %s", name)
	}
	return c
}

func TestSetKeepsEverythingElse(t *testing.T) {
	t.Parallel()
	cases := []struct{ name, client, before, after string }{
		{name: "a new file", client: "cursor", before: "", after: `{
  "mcpServers": {
    "partner": {
      "command": "/opt/mcp partner/mcp-partner",
      "args": [
        "serve",
        "--state-dir",
        "/home/zoë/状態"
      ]
    }
  }
}
`},
		{name: "other settings, tabs", client: "claude-desktop", before: "{\n\t\"globalShortcut\": \"Ctrl+Space\"\n}\n",
			after: "{\n\t\"globalShortcut\": \"Ctrl+Space\",\n\t\"mcpServers\": {\n\t\t\"partner\": {\n\t\t\t\"command\": \"/opt/mcp partner/mcp-partner\",\n\t\t\t\"args\": [\n\t\t\t\t\"serve\",\n\t\t\t\t\"--state-dir\",\n\t\t\t\t\"/home/zoë/状態\"\n\t\t\t]\n\t\t}\n\t}\n}\n"},
		{name: "comments, another server, a trailing comma", client: "vscode", before: `{
    // my servers
    "servers": {
        "github": { "url": "https://example/mcp" }, // keep me
        /* and me */
    },
    "inputs": [],
}`, after: `{
    // my servers
    "servers": {
        "github": { "url": "https://example/mcp" }, // keep me
        /* and me */
        "partner": {
            "type": "stdio",
            "command": "/opt/mcp partner/mcp-partner",
            "args": [
                "serve",
                "--state-dir",
                "/home/zoë/状態"
            ]
        }
    },
    "inputs": [],
}`},
		{name: "Windows line ends and a byte order mark", client: "claude-desktop", before: "\ufeff{\r\n  \"a\": 1\r\n}\r\n",
			after: "\ufeff{\r\n  \"a\": 1,\r\n  \"mcpServers\": {\r\n    \"partner\": {\r\n      \"command\": \"/opt/mcp partner/mcp-partner\",\r\n      \"args\": [\r\n        \"serve\",\r\n        \"--state-dir\",\r\n        \"/home/zoë/状態\"\r\n      ]\r\n    }\r\n  }\r\n}\r\n"},
		{name: "an older entry of ours", client: "claude-code", before: `{
  "mcpServers": {
    "a": {},
    "partner": { "command": "old" }, // ours
    "z": {}
  }
}`, after: `{
  "mcpServers": {
    "a": {},
    "partner": {
      "type": "stdio",
      "command": "/opt/mcp partner/mcp-partner",
      "args": [
        "serve",
        "--state-dir",
        "/home/zoë/状態"
      ]
    }, // ours
    "z": {}
  }
}`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := client(t, c.client).Set([]byte(c.before), "partner", ours)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != c.after {
				t.Errorf("got:\n%s\nwant:\n%s", got, c.after)
			}
		})
	}
}

// An entry that points to another server is rewritten as a whole.
func TestSetKeepsFieldsAddedByHand(t *testing.T) {
	t.Parallel()
	remote := Server{URL: "https://partner.example/mcp", ClientID: "11111111-2222-3333-4444-555555555555"}
	cases := []struct {
		name, client string
		server       Server
		before, want string
	}{
		{name: "variables and a comment", client: "cursor", server: Server{Command: "/new", Args: []string{"serve"}},
			before: `{"mcpServers": {"partner": {"command": "/old", "args": ["serve"], "env": {"HTTPS_PROXY": "http://p"} /* ours */}}}`,
			want:   `{"mcpServers": {"partner": {"command": "/new", "args": ["serve"], "env": {"HTTPS_PROXY": "http://p"} /* ours */}}}`},
		{name: "all is said on one line already", client: "cursor", server: Server{Command: "/new", Args: []string{"serve"}},
			before: `{"mcpServers": {"partner": {"args": ["serve"], "command": "/new"}}}`, want: `{"mcpServers": {"partner": {"args": ["serve"], "command": "/new"}}}`},
		{name: "a port for the sign-in", client: "claude-code", server: remote,
			before: `{"mcpServers": {"partner": {"type": "http", "url": "https://old/mcp", "oauth": {"callbackPort": 8080}}}}`,
			want: `{"mcpServers": {"partner": {"type": "http", "url": "https://partner.example/mcp", "oauth": {"callbackPort": 8080,
        "clientId": "11111111-2222-3333-4444-555555555555"
      }}}}`},
		{name: "from a command to a URL", client: "vscode", server: remote, before: "{\n  \"servers\": {\n    \"partner\": {\"command\": \"/old\", \"env\": {\"A\": \"b\"}}\n  }\n}\n", want: `{
  "servers": {
    "partner": {
      "type": "http",
      "url": "https://partner.example/mcp",
      "oauth": {
        "clientId": "11111111-2222-3333-4444-555555555555"
      }
    }
  }
}
`},
		{name: "a client of Cursor's own form", client: "cursor", server: remote, before: "", want: `{
  "mcpServers": {
    "partner": {
      "url": "https://partner.example/mcp",
      "auth": {
        "CLIENT_ID": "11111111-2222-3333-4444-555555555555"
      }
    }
  }
}
`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := client(t, c.client).Set([]byte(c.before), "partner", c.server)
			if err != nil || string(got) != c.want {
				t.Fatalf("%v, got:\n%s\nwant:\n%s", err, got, c.want)
			}
			found, ok, err := client(t, c.client).Find(got, "partner")
			if err != nil || !ok || found.ClientID != c.server.ClientID || found.URL != c.server.URL || found.Command != c.server.Command {
				t.Errorf("found %+v, %v", found, err)
			}
			again, err := client(t, c.client).Set(got, "partner", c.server)
			if err != nil || string(again) != string(got) {
				t.Errorf("%v, set again:\n%s", err, again)
			}
		})
	}
}

// TestRemoveUndoesSet takes the entry out again and wants the very bytes that
// were there before, or what is the same without an empty list of servers.
func TestRemoveUndoesSet(t *testing.T) {
	t.Parallel()
	for _, before := range []string{
		"{\n  \"mcpServers\": {\n    \"a\": {\"env\": {\"KEY\": \"x\"}}\n  }\n}\n",
		"{\n  \"mcpServers\": {\n    \"a\": {} // last\n  },\n  \"b\": [1, 2] /* end */\n}\n",
		"{\n\t\"theme\": \"dark\"\n}",
		"{\r\n  \"theme\": \"dark\"\r\n}\r\n",
		"{\n  // nothing yet\n}\n",
		"{}\n",
		"\ufeff{\n  \"a\": \"https://x\"\n}\n",
	} {
		c := client(t, "cursor")
		with, err := c.Set([]byte(before), "partner", Server{URL: "https://partner.example/mcp"})
		if err != nil {
			t.Fatalf("%q: %v", before, err)
		}
		after, found, err := c.Remove(with, "partner")
		if err != nil || !found {
			t.Fatalf("%q: found %v, %v", before, found, err)
		}
		if string(after) != before {
			t.Errorf("got:\n%q\nwant:\n%q\nbetween:\n%s", after, before, with)
		}
	}
}

func TestRemoveKeepsNeighbours(t *testing.T) {
	t.Parallel()
	text := "{\n  \"mcpServers\": {\n    \"partner\": {\"command\": \"x\"},\n    // of b\n    \"b\": {}\n  }\n}\n"
	got, found, err := client(t, "cursor").Remove([]byte(text), "partner")
	want := "{\n  \"mcpServers\": {\n    // of b\n    \"b\": {}\n  }\n}\n"
	if err != nil || !found || string(got) != want {
		t.Errorf("found %v, %v:\n%s", found, err, got)
	}
	for _, text := range []string{"", "{}", `{"mcpServers":{}}`, `{"mcpServers":{"other":{}}}`} {
		got, found, err := client(t, "cursor").Remove([]byte(text), "partner")
		if err != nil || found || string(got) != text {
			t.Errorf("%q: %q, found %v, %v", text, got, found, err)
		}
	}
}

// No error repeats text of the file, which may be another server's secret.
func TestMalformedFileIsRefusedWithoutItsText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"mcpServers": {"a": {"env": {"TOKEN": "hunter2"`: "it is not JSON (line 1",
		`{"mcpServers": {"hunter2": }}`:                    "it is not JSON (line 1",
		`["hunter2"]`:                                      "one JSON object",
		`{"mcpServers": "hunter2"}`:                        `"mcpServers" is not an object`,
		`{"mcpServers": {}, "mcpServers": {"hunter2":1}}`:  "appears twice",
		`{"mcpServers": {"partner": {}, "partner": {}}}`:   "appears twice",
	} {
		c := client(t, "claude-desktop")
		_, setErr := c.Set([]byte(text), "partner", ours)
		_, _, removeErr := c.Remove([]byte(text), "partner")
		for _, err := range []error{setErr, removeErr} {
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
	if _, err := client(t, "claude-desktop").Set(nil, "partner", Server{URL: "https://x"}); err == nil {
		t.Error("Claude Desktop got a URL")
	}
}

func TestFindReadsWhatSetWrote(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"claude-desktop", "claude-code", "cursor", "vscode"} {
		text, err := client(t, name).Set([]byte("{ // c\n}"), "partner", ours)
		if err != nil {
			t.Fatal(err)
		}
		got, found, err := client(t, name).Find(text, "partner")
		if err != nil || !found || got.Command != ours.Command || !slices.Equal(got.Args, ours.Args) {
			t.Errorf("%s: %+v, %v, %v", name, got, found, err)
		}
		if _, found, err := client(t, name).Find(text, "other"); found || err != nil {
			t.Errorf("%s has another: %v", name, err)
		}
	}
	if _, found, err := client(t, "cursor").Find([]byte(`{"mcpServers":{"partner":{"command":["hunter2"]}}}`), "partner"); !found || err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("an entry of another form: %v, %v", found, err)
	}
}

// FuzzSetAndRemove changes any file that parses, and wants that everything but
// our entry means what it meant before.
func FuzzSetAndRemove(f *testing.F) {
	for _, seed := range []string{"{}", "{\"mcpServers\":{}}", "{\"a\":1, /* c */ \"mcpServers\": {\"x\": {},},\n}", "{ // c\n}", "{\"mcpServers\":{\"partner\":1 // c\n,}}", "{\"a\":{\"b\":[1,2,]}}\r\n", "{\"mcpServers\" /*k*/ : /*v*/ {/*e*/}}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c := client(t, "vscode")
		c.key = serversKey
		with, err := c.Set(text, "partner", ours)
		if err != nil {
			return
		}
		if again, err := c.Set(with, "partner", ours); err != nil || !bytes.Equal(again, with) {
			t.Fatalf("%v: set again:\n%s\nafter\n%s", err, again, with)
		}
		if got := meaning(t, with); got[serversKey].(map[string]any)["partner"].(map[string]any)["command"] != ours.Command {
			t.Fatalf("our entry is not there:\n%s", with)
		}
		without, found, err := c.Remove(with, "partner")
		if err != nil || !found {
			t.Fatalf("found %v, %v in:\n%s", found, err, with)
		}
		if a, b := others(t, text), others(t, without); a != b {
			t.Fatalf("%s became %s", a, b)
		}
	})
}

// others is what a file means without our entry and an empty list of servers.
func others(t *testing.T, text []byte) string {
	t.Helper()
	all := meaning(t, text)
	if servers, ok := all[serversKey].(map[string]any); ok {
		delete(servers, "partner")
		if len(servers) == 0 {
			delete(all, serversKey)
		}
	}
	out, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func meaning(t *testing.T, text []byte) map[string]any {
	t.Helper()
	all := map[string]any{}
	text = bytes.TrimPrefix(text, byteOrderMark)
	if len(bytes.TrimSpace(text)) == 0 {
		return all
	}
	plain, err := hujson.Standardize(bytes.Clone(text))
	if err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	if err := json.Unmarshal(plain, &all); err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	return all
}

// Each client has words of its own for the same server.
func TestEntryIsInTheFormOfItsClient(t *testing.T) {
	t.Parallel()
	command, remote := Server{Command: "/m", Args: []string{"serve"}}, Server{URL: "https://partner.example/mcp"}
	for name, test := range map[string]struct{ command, remote string }{
		"windsurf":    {`{"command":"/m","args":["serve"]}`, `{"serverUrl":"https://partner.example/mcp"}`},
		"gemini-cli":  {`{"command":"/m","args":["serve"]}`, `{"httpUrl":"https://partner.example/mcp"}`},
		"copilot-cli": {`{"type":"local","command":"/m","args":["serve"],"tools":["*"]}`, `{"type":"http","url":"https://partner.example/mcp","tools":["*"]}`},
		"vscode":      {`{"type":"stdio","command":"/m","args":["serve"]}`, `{"type":"http","url":"https://partner.example/mcp"}`},
	} {
		for want, server := range map[string]Server{test.command: command, test.remote: remote} {
			c := client(t, name)
			text, err := c.Set(nil, "partner", server)
			if err != nil {
				t.Fatal(name, err)
			}
			var file map[string]map[string]json.RawMessage
			var entry bytes.Buffer
			if json.Unmarshal(text, &file) != nil || json.Compact(&entry, file[c.key]["partner"]) != nil || entry.String() != want {
				t.Errorf("%s: %s, want %s", name, entry.String(), want)
			}
			found, ok, err := c.Find(text, "partner")
			if err != nil || !ok || found.URL != server.URL || found.Command != server.Command || len(c.Kept(text, "partner")) > 0 {
				t.Errorf("%s: found %+v, kept %v, %v", name, found, c.Kept(text, "partner"), err)
			}
			if again, err := c.Set(text, "partner", server); err != nil || !bytes.Equal(again, text) {
				t.Errorf("%s set again: %v\n%s", name, err, again)
			}
		}
	}
	if _, err := client(t, "windsurf").Set(nil, "partner", Server{URL: remote.URL, ClientID: "x"}); err == nil || !strings.Contains(err.Error(), "no place for the ID") {
		t.Errorf("an ID that the file cannot hold: %v", err)
	}
}
