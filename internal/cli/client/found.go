package client

import (
	"runtime"
	"strings"

	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/clientfile"
)

// listFound shows the clients of this user that are on this machine, and what install
// would write for each. It changes nothing.
func listFound(deps *cmdutil.Deps, o *InstallOptions) error {
	server, err := o.server(deps)
	if err != nil {
		return err
	}
	u, none := deps.IO.UI(), true
	for _, client := range clientfile.Clients() {
		o.client, o.Scope = client, clientfile.ScopeUser
		path, here := client.Here(clientfile.Place{GOOS: runtime.GOOS, Env: deps.IO.Env})
		if !here {
			continue
		}
		none = false
		u.Line(term.Bold, client.Title)
		u.Field("file", path)
		if file, err := clientfile.Open(path); err == nil {
			if _, found, err := client.Find(file.Text, o.Name); err == nil && found {
				u.Field("has", "a server named "+o.Name+" already")
			}
		}
		block, err := client.Set(nil, o.Name, server)
		if err != nil {
			return err
		}
		showDifference(u, nil, block)
		u.Field("add it", "mcp-partner install "+client.Name+o.flags())
		u.Blank()
	}
	if none {
		u.Line(term.Plain, "No MCP client was found here.")
		u.Field("next", "mcp-partner install CLIENT, where CLIENT is "+strings.Join(clientfile.Names(), ", "))
	}
	return u.Err
}
