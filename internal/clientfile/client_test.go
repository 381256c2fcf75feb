package clientfile

import (
	"strings"
	"testing"
)

func env(pairs ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1], true
			}
		}
		return "", false
	}
}

func TestClientFilePaths(t *testing.T) {
	t.Parallel()
	unix := env("HOME", "/home/zoë m")
	mac := env("HOME", "/Users/zoë")
	win := env("APPDATA", `C:\Users\Zoë M\AppData\Roaming`, "USERPROFILE", `C:\Users\Zoë M\`)
	cases := []struct {
		client, goos string
		env          func(string) (string, bool)
		scope        Scope
		want         string
	}{
		{client: "claude-desktop", goos: "linux", env: unix, scope: ScopeUser, want: "/home/zoë m/.config/Claude/claude_desktop_config.json"},
		{
			client: "claude-desktop", goos: "linux", env: env("HOME", "/h", "XDG_CONFIG_HOME", "/x"), scope: ScopeUser,
			want: "/x/Claude/claude_desktop_config.json",
		},
		{
			client: "claude-desktop", goos: "linux", env: env("HOME", "/h", "XDG_CONFIG_HOME", "rel"), scope: ScopeUser,
			want: "/h/.config/Claude/claude_desktop_config.json",
		},
		{client: "claude-desktop", goos: "freebsd", env: unix, scope: ScopeUser, want: "/home/zoë m/.config/Claude/claude_desktop_config.json"},
		{
			client: "claude-desktop", goos: "darwin", env: mac, scope: ScopeUser,
			want: "/Users/zoë/Library/Application Support/Claude/claude_desktop_config.json",
		},
		{
			client: "claude-desktop", goos: "windows", env: win, scope: ScopeUser,
			want: `C:\Users\Zoë M\AppData\Roaming\Claude\claude_desktop_config.json`,
		},
		{client: "claude-code", goos: "linux", env: unix, scope: ScopeUser, want: "/home/zoë m/.claude.json"},
		{client: "claude-code", goos: "windows", env: win, scope: ScopeUser, want: `C:\Users\Zoë M\.claude.json`},
		{client: "claude-code", goos: "darwin", env: mac, scope: ScopeProject, want: "/projects/p/.mcp.json"},
		{client: "cursor", goos: "darwin", env: mac, scope: ScopeUser, want: "/Users/zoë/.cursor/mcp.json"},
		{client: "cursor", goos: "windows", env: win, scope: ScopeUser, want: `C:\Users\Zoë M\.cursor\mcp.json`},
		{client: "cursor", goos: "linux", env: unix, scope: ScopeProject, want: "/projects/p/.cursor/mcp.json"},
		{client: "vscode", goos: "linux", env: unix, scope: ScopeUser, want: "/home/zoë m/.config/Code/User/mcp.json"},
		{client: "vscode", goos: "darwin", env: mac, scope: ScopeUser, want: "/Users/zoë/Library/Application Support/Code/User/mcp.json"},
		{client: "vscode", goos: "windows", env: win, scope: ScopeUser, want: `C:\Users\Zoë M\AppData\Roaming\Code\User\mcp.json`},
		{client: "windsurf", goos: "linux", env: unix, scope: ScopeUser, want: "/home/zoë m/.codeium/windsurf/mcp_config.json"},
		{client: "windsurf", goos: "windows", env: win, scope: ScopeUser, want: `C:\Users\Zoë M\.codeium\windsurf\mcp_config.json`},
		{client: "gemini-cli", goos: "darwin", env: mac, scope: ScopeUser, want: "/Users/zoë/.gemini/settings.json"},
		{client: "gemini-cli", goos: "linux", env: unix, scope: ScopeProject, want: "/projects/p/.gemini/settings.json"},
		{client: "gemini-cli", goos: "windows", env: win, scope: ScopeUser, want: `C:\Users\Zoë M\.gemini\settings.json`},
		{client: "copilot-cli", goos: "linux", env: unix, scope: ScopeUser, want: "/home/zoë m/.copilot/mcp-config.json"},
		{client: "copilot-cli", goos: "darwin", env: mac, scope: ScopeUser, want: "/Users/zoë/.copilot/mcp-config.json"},
		{client: "copilot-cli", goos: "windows", env: win, scope: ScopeUser, want: `C:\Users\Zoë M\.copilot\mcp-config.json`},
		{client: "vscode", goos: "linux", env: unix, scope: ScopeProject, want: "/projects/p/.vscode/mcp.json"},
	}
	for _, c := range cases {
		got, err := client(t, c.client).Path(Place{GOOS: c.goos, Env: c.env, Project: "/projects/p"}, c.scope)
		if err != nil || got != c.want {
			t.Errorf("%s on %s, %s: %q, %v; want %q", c.client, c.goos, c.scope, got, err, c.want)
		}
	}
}

// A home folder exists on every machine, and tells nothing about a client.
func TestOnlyClaudeCodeKeepsItsFileInTheHomeFolder(t *testing.T) {
	t.Parallel()
	for _, c := range Clients() {
		for _, goos := range []string{linux, darwin, windows} {
			if own := len(c.user[goos].parts) > 1; own == (c.Name == "claude-code") {
				t.Errorf("%s on %s: %v", c.Name, goos, own)
			}
		}
	}
}

func TestMissingPathsAreErrors(t *testing.T) {
	t.Parallel()
	if _, err := client(t, "claude-desktop").Path(Place{GOOS: "linux", Env: env()}, ScopeProject); err == nil || !strings.Contains(err.Error(), "no configuration of a project") {
		t.Errorf("a project's scope: %v", err)
	}
	if _, err := client(t, "vscode").Path(Place{GOOS: "windows", Env: env("HOME", "/x")}, ScopeUser); err == nil || !strings.Contains(err.Error(), "APPDATA is not set") {
		t.Errorf("no folder: %v", err)
	}
	if _, ok := Lookup("emacs"); ok {
		t.Error("emacs is known")
	}
}
