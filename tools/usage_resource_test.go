package tools_test

import (
	"strings"
	"testing"

	mcpserver "github.com/mark3labs/mcp-go/server"

	"mcp-partner/access"
	"mcp-partner/schemas"
	"mcp-partner/schemas/problems"
	"mcp-partner/tools"
)

func TestKeptUsageIsShownToCallersWhoSeeEveryTenant(t *testing.T) {
	t.Parallel()
	const kept = `{"summary":"2 lines","totals":[{"action":"role_missing","cost_without_credit":"100.50"}]}`
	everywhere := access.Grant{Scopes: []access.Scope{access.ScopeRead}, Tenants: []string{"*"}}
	fails := problems.New(problems.CodeInternal, "The file cannot be read.")
	for _, tt := range []struct {
		name  string
		grant access.Grant
		kept  string
		err   error
		shows string
	}{
		{name: "all tenants", grant: everywhere, kept: kept, shows: "100.50"},
		{name: "nothing was kept", grant: everywhere, shows: "There is no reconciliation yet"},
		{name: "half a file", grant: everywhere, kept: kept[:20], shows: "There is no reconciliation yet"},
		{name: "unreadable", grant: everywhere, kept: kept, err: fails, shows: "The file cannot be read."},
		{name: "one tenant", grant: oneTenant(access.ScopeRead), kept: kept, shows: "There is no reconciliation yet"},
		{name: "other tools", grant: access.Grant{Scopes: []access.Scope{access.ScopeRead}, Tenants: []string{"*"}, Tools: []string{schemas.ToolListTenants}}, kept: kept, shows: `"problem"`},
		{name: "no scope", grant: access.Grant{Tenants: []string{"*"}}, kept: kept, shows: `"problem"`},
	} {
		w := newWire(t, nil)
		w.server = mcpserver.NewMCPServer("t", "1", mcpserver.WithResourceCapabilities(false, false))
		tools.NewService(tools.Deps{
			Directory: w.directory, Clients: w, Guard: w.guard, Reconciliation: func() ([]byte, error) { return []byte(tt.kept), tt.err },
		}).Register(w.server)
		a := w.as("analyst", tt.grant).send("resources/read", `{"uri":"partner://pec/reconcile"}`, noForms)
		if a.Error != nil || len(a.Result.Contents) != 1 {
			t.Fatalf("%s: %+v", tt.name, a)
		}
		text := a.Result.Contents[0].Text
		if !strings.Contains(text, tt.shows) || tt.shows != "100.50" && strings.Contains(text, "100.50") {
			t.Errorf("%s: %s, want %s", tt.name, text, tt.shows)
		}
	}
}
