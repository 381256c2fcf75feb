package token

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/xslices"
)

func newCmdList(deps *cmdutil.Deps) *cobra.Command {
	var flags cmdutil.ListFlags
	command := &cobra.Command{
		Use:     "list",
		Short:   "List the tokens of the last 30 days, newest first",
		Example: "  mcp-partner token list\n  mcp-partner token list --json",
		RunE: deps.OnLedger(func(ctx context.Context, session *app.Session, _ []string) error {
			tokens, err := session.Guard.Tokens(ctx)
			if err != nil {
				return err
			}
			return cmdutil.Listing[tokenRow]{
				Name: "tokens", Rows: xslices.Map(tokens, func(t guard.Token) tokenRow { return tokenRowOf(session, t) }), Empty: "There are no tokens.",
				Header: []string{"ID", "FOR", "STATE", "SCOPES", "TENANTS", "USES", "EXPIRES", "ISSUED BY"},
				Cells: func(r tokenRow) []string {
					return []string{r.ID, r.For, r.State, scopesOf(r.Scopes), manyOf(r.Tenants), usesOf(r), r.ExpiresAt, r.IssuedBy}
				},
			}.Show(deps.IO, &flags)
		}),
	}
	flags.Add(command.Flags(), "tokens")
	return command
}

// scopesOf is short: read,write.
func scopesOf(scopes []access.Scope) string {
	return strings.Join(xslices.Map(scopes, func(scope access.Scope) string { return strings.TrimPrefix(string(scope), "partner.") }), ",")
}

// manyOf shows a few of a list and how many there are.
func manyOf(names []string) string {
	if len(names) <= 3 {
		return strings.Join(names, ",")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:2], ","), len(names)-2)
}

func usesOf(r tokenRow) string {
	if r.Uses == 0 {
		return "any"
	}
	return fmt.Sprintf("%d of %d", r.Used, r.Uses)
}
