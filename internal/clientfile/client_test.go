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
		{"claude-desktop", "linux", unix, ScopeUser, "/home/zoë m/.config/Claude/claude_desktop_config.json"},
		{"claude-desktop", "linux", env("HOME", "/h", "XDG_CONFIG_HOME", "/x"), ScopeUser, "/x/Claude/claude_desktop_config.json"},
		{"claude-desktop", "linux", env("HOME", "/h", "XDG_CONFIG_HOME", "rel"), ScopeUser, "/h/.config/Claude/claude_desktop_config.json"},
		{"claude-desktop", "freebsd", unix, ScopeUser, "/home/zoë m/.config/Claude/claude_desktop_config.json"},
		{"claude-desktop", "darwin", mac, ScopeUser, "/Users/zoë/Library/Application Support/Claude/claude_desktop_config.json"},
		{"claude-desktop", "windows", win, ScopeUser, `C:\Users\Zoë M\AppData\Roaming\Claude\claude_desktop_config.json`},
		{"claude-code", "linux", unix, ScopeUser, "/home/zoë m/.claude.json"},
		{"claude-code", "windows", win, ScopeUser, `C:\Users\Zoë M\.claude.json`},
		{"claude-code", "darwin", mac, ScopeProject, "/projects/p/.mcp.json"},
		{"cursor", "darwin", mac, ScopeUser, "/Users/zoë/.cursor/mcp.json"},
		{"cursor", "windows", win, ScopeUser, `C:\Users\Zoë M\.cursor\mcp.json`},
		{"cursor", "linux", unix, ScopeProject, "/projects/p/.cursor/mcp.json"},
		{"vscode", "linux", unix, ScopeUser, "/home/zoë m/.config/Code/User/mcp.json"},
		{"vscode", "darwin", mac, ScopeUser, "/Users/zoë/Library/Application Support/Code/User/mcp.json"},
		{"vscode", "windows", win, ScopeUser, `C:\Users\Zoë M\AppData\Roaming\Code\User\mcp.json`},
		{"vscode", "linux", unix, ScopeProject, "/projects/p/.vscode/mcp.json"},
	}
	for _, c := range cases {
		got, err := client(t, c.client).Path(Place{GOOS: c.goos, Env: c.env, Project: "/projects/p"}, c.scope)
		if err != nil || got != c.want {
			t.Errorf("%s on %s, %s: %q, %v; want %q", c.client, c.goos, c.scope, got, err, c.want)
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
