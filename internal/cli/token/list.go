package token

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
)

type listOptions struct {
	cmdutil.ListFlags
	keys app.KeyFiles
}

// newCmdList builds `token list`.
func newCmdList(deps *cmdutil.Deps) *cobra.Command {
	options := &listOptions{}
	command := &cobra.Command{
		Use:     "list",
		Short:   "List the tokens of the last 30 days, newest first",
		Example: "  mcp-partner token list\n  mcp-partner token list --json",
		Args:    cmdutil.NoArguments,
		RunE:    func(command *cobra.Command, _ []string) error { return runList(command.Context(), deps, options) },
	}
	options.Add(command.Flags(), "tokens")
	cmdutil.AddKeyFlags(&options.keys, command.Flags())
	return command
}

func runList(ctx context.Context, deps *cmdutil.Deps, o *listOptions) error {
	session, err := deps.OpenSession(o.keys, cmdutil.OperatorRules(nil))
	if err != nil {
		return err
	}
	defer session.Close()
	tokens, err := session.Guard.Tokens(ctx)
	if err != nil {
		return err
	}
	rows, cells := make([]tokenRow, len(tokens)), make([][]string, len(tokens))
	for i, t := range tokens {
		r := tokenRowOf(t, session.Guard.TokenState(t))
		rows[i], cells[i] = r, []string{r.ID, r.For, r.State, scopesOf(t.Grant), manyOf(r.Tenants), usesOf(r), r.ExpiresAt, r.IssuedBy}
	}
	if o.JSON {
		return deps.IO.PrintJSON(map[string][]tokenRow{"tokens": rows})
	}
	u := o.UI(deps.IO)
	if len(rows) == 0 {
		u.Line(term.Plain, "No token was issued.")
		return u.Err
	}
	u.Table([]string{"ID", "FOR", "STATE", "SCOPES", "TENANTS", "USES", "EXPIRES", "ISSUED BY"}, cells)
	return u.Err
}

// scopesOf is short: read,write.
func scopesOf(g guard.Grant) string {
	words := make([]string, len(g.Scopes))
	for i, scope := range g.Scopes {
		words[i] = strings.TrimPrefix(string(scope), "partner.")
	}
	return strings.Join(words, ",")
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
