// Package clientfile adds one server to the configuration of an MCP client, or
// removes it, and keeps everything else, comments and formatting included.
//
// The files belong to other programs. A file that cannot be parsed is refused,
// a copy is kept before a change, and contents are never shown, because other
// servers' entries hold secrets.
package clientfile

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"mcp-partner/internal/xslices"
)

// Scope is whose configuration an entry goes to.
type Scope string

// The scopes: the user's configuration, or that of one project's folder.
const (
	ScopeUser    Scope = "user"
	ScopeProject Scope = "project"
)

// Place is what the paths of a machine depend on.
type Place struct {
	// GOOS is as in runtime.GOOS.
	GOOS string
	// Env looks an environment variable up.
	Env func(name string) (string, bool)
	// Project is the absolute path of the project's folder.
	Project string
}

// Client is a program that calls MCP servers.
type Client struct {
	// Name is typed by people, Title is shown to them.
	Name, Title string
	// Restart says how the client picks up a change.
	Restart string
	// key is the member of the file that holds the servers.
	key string
	// typed is set if an entry names its transport; command is what it calls a server that
	// it starts, "stdio" by default.
	typed   bool
	command string
	// urlKey is the member for a URL, "url" by default.
	urlKey string
	// allTools is set if an entry has to say which tools it lets in.
	allTools bool
	// clientID is the path of the ID under which the issuer knows the client, nil where the
	// file has no place for it.
	clientID []string
	// noRemote says why the file cannot hold a URL; "" if it can.
	noRemote string
	// user gives the path for each system below its base folder; project is below
	// the project's folder, or nil.
	user    map[string]location
	project []string
}

// location is a path below the folder that an environment variable names.
type location struct {
	variable string
	parts    []string
}

const (
	serversKey = "mcpServers"
	vscodeKey  = "servers"

	linux   = "linux"
	darwin  = "darwin"
	windows = "windows"
)

// Clients returns the supported clients. The paths are from each client's
// documentation of November and December 2026; for Claude Desktop on Linux, which has no
// official release, from the builds in use.
func Clients() []Client {
	return []Client{
		{
			Name: "claude-desktop", Title: "Claude Desktop", Restart: "Quit Claude Desktop and start it again.", key: serversKey,
			noRemote: "Claude Desktop takes servers with a URL in its settings (Connectors), not from this file",
			user:     inConfigFolder("Claude", "claude_desktop_config.json"),
		},
		{
			Name: "claude-code", Title: "Claude Code", Restart: "Start a new session of Claude Code, or type /mcp.", key: serversKey, typed: true,
			clientID: []string{"oauth", "clientId"}, user: inHome(".claude.json"), project: []string{".mcp.json"},
		},
		{
			Name: "cursor", Title: "Cursor", Restart: "Turn the server on in Cursor's settings, under MCP.", key: serversKey,
			clientID: []string{"auth", "CLIENT_ID"}, user: inHome(".cursor", "mcp.json"), project: []string{".cursor", "mcp.json"},
		},
		{
			Name: "vscode", Title: "VS Code", Restart: "Run \"MCP: List Servers\" in VS Code and start it.", key: vscodeKey, typed: true,
			clientID: []string{"oauth", "clientId"}, user: inConfigFolder("Code", "User", "mcp.json"), project: []string{".vscode", "mcp.json"},
		},
		{
			Name: "windsurf", Title: "Windsurf", Restart: "Press the refresh button in Windsurf's list of MCP servers.", key: serversKey, urlKey: "serverUrl",
			user: inHome(".codeium", "windsurf", "mcp_config.json"),
		},
		{
			Name: "gemini-cli", Title: "Gemini CLI", Restart: "Start Gemini CLI again; /mcp lists its servers.", key: serversKey, urlKey: "httpUrl",
			clientID: []string{"oauth", "clientId"}, user: inHome(".gemini", "settings.json"), project: []string{".gemini", "settings.json"},
		},
		{
			Name: "copilot-cli", Title: "GitHub Copilot CLI", Restart: "Start copilot again; /mcp show lists its servers.", key: serversKey, typed: true, command: "local", allTools: true,
			user: inHome(".copilot", "mcp-config.json"),
		},
	}
}

func inConfigFolder(parts ...string) map[string]location {
	return map[string]location{
		linux:   {"HOME", append([]string{".config"}, parts...)},
		darwin:  {"HOME", append([]string{"Library", "Application Support"}, parts...)},
		windows: {"APPDATA", parts},
	}
}

func inHome(parts ...string) map[string]location {
	return map[string]location{linux: {"HOME", parts}, darwin: {"HOME", parts}, windows: {"USERPROFILE", parts}}
}

// Lookup returns the client of that name.
func Lookup(name string) (Client, bool) {
	all := Clients()
	i := slices.IndexFunc(all, func(c Client) bool { return c.Name == name })
	if i < 0 {
		return Client{}, false
	}
	return all[i], true
}

// Names lists the names of all clients.
func Names() []string {
	return xslices.Map(Clients(), func(c Client) string { return c.Name })
}

// Path is where the client keeps its configuration. An error says what is
// missing: a folder of the user, or a scope that the client does not have.
func (c Client) Path(place Place, scope Scope) (string, error) {
	switch {
	case scope == ScopeProject && c.project == nil:
		return "", fmt.Errorf("%s has no configuration of a project", c.Title)
	case scope == ScopeProject:
		return place.join(place.Project, c.project...), nil
	}
	at, ok := c.user[place.GOOS]
	if !ok {
		at = c.user[linux]
	}
	if base := place.configHome(at); base != "" {
		return place.join(base, at.parts[1:]...), nil
	}
	base, _ := place.Env(at.variable)
	if base == "" {
		return "", errors.New(at.variable + " is not set, so the folder of " + c.Title + " is not known")
	}
	return place.join(base, at.parts...), nil
}

// Here returns the user's file, and whether the client is on this machine: the file exists
// or, where it does not lie in the home folder itself, its folder.
func (c Client) Here(place Place) (file string, ok bool) {
	file, err := c.Path(place, ScopeUser)
	if err != nil {
		return "", false
	}
	sign := file
	if len(c.user[linux].parts) > 1 {
		sign = filepath.Dir(file)
	}
	_, err = os.Stat(sign)
	return file, err == nil
}

// join joins a path in the notation of the place's system.
func (p Place) join(base string, parts ...string) string {
	if p.GOOS == windows {
		return strings.Join(append([]string{strings.TrimRight(base, `\`)}, parts...), `\`)
	}
	return path.Join(append([]string{base}, parts...)...)
}

// configHome is XDG_CONFIG_HOME, else ~/.config; the convention ignores relative
// paths.
func (p Place) configHome(at location) string {
	if at.parts[0] != ".config" {
		return ""
	}
	dir, _ := p.Env("XDG_CONFIG_HOME")
	if !path.IsAbs(dir) {
		return ""
	}
	return dir
}
