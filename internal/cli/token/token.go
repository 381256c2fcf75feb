// Package token has the commands of invocation tokens.
package token

import (
	"github.com/spf13/cobra"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/phrase"
)

// NewCmdToken builds `token` with its subcommands.
func NewCmdToken(deps *cmdutil.Deps) *cobra.Command {
	command := &cobra.Command{
		Use:   "token",
		Short: "Issue, list and revoke tokens for callers over HTTP",
		Long: `Manage invocation tokens: bearer tokens for callers of mcp-partner serve --http, each
with its own scopes, tenants and expiry. They are valid for every server on this state
directory and across restarts. Only a hash of each token is stored.`,
		Example: `  mcp-partner token issue --for nightly --tenants 'contoso,fab*'
  mcp-partner token list
  mcp-partner token revoke --for nightly`,
	}
	deps.AddKeyFlags(command.PersistentFlags())
	command.AddCommand(newCmdIssue(deps), newCmdList(deps), newCmdRevoke(deps))
	return command
}

// tokenRow is an invocation token as the command line shows it.
type tokenRow struct {
	ID         string         `json:"id"`
	For        string         `json:"for"`
	State      string         `json:"state"`
	Caller     string         `json:"caller"`
	Scopes     []access.Scope `json:"scopes"`
	Tools      []string       `json:"tools,omitempty"`
	Tenants    []string       `json:"tenants"`
	PartnerIDs []string       `json:"partner_ids,omitempty"`
	IssuedBy   string         `json:"issued_by"`
	IssuedAt   string         `json:"issued_at"`
	ExpiresAt  string         `json:"expires_at"`
	RevokedAt  string         `json:"revoked_at,omitempty"`
	// Uses is how many calls it is good for, 0 for any number; Used is counted
	// only where there is a bound.
	Uses int `json:"uses"`
	Used int `json:"used"`
}

func tokenRowOf(session *app.Session, t guard.Token) tokenRow {
	row := tokenRow{
		ID: t.ID, For: t.Name(), State: session.Guard.TokenState(t), Caller: string(t.Caller), Scopes: t.Grant.Scopes, Tools: t.Grant.Tools,
		Tenants: t.Grant.Tenants, PartnerIDs: t.Grant.PartnerIDs, IssuedBy: t.IssuedBy, IssuedAt: phrase.Stamp(t.IssuedAt),
		ExpiresAt: phrase.Stamp(t.ExpiresAt), Uses: t.Uses, Used: t.Used,
	}
	if !t.RevokedAt.IsZero() {
		row.RevokedAt = phrase.Stamp(t.RevokedAt)
	}
	return row
}
