package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"mcp-partner/guard"
)

type tokenListOptions struct {
	json bool
	keys keyOptions
}

// newTokenList builds `token list`.
func newTokenList(f *Factory) *cobra.Command {
	options := &tokenListOptions{}
	command := &cobra.Command{
		Use:     "list",
		Short:   "List the tokens of the last 30 days, newest first; the tokens themselves are kept nowhere",
		Example: "  mcp-partner token list\n  mcp-partner token list --json",
		Args:    noArguments,
		RunE:    func(command *cobra.Command, _ []string) error { return runTokenList(command.Context(), f, options) },
	}
	command.Flags().BoolVar(&options.json, "json", false, "print {\"tokens\":[...]}")
	options.keys.add(command.Flags())
	return command
}

func runTokenList(ctx context.Context, f *Factory, o *tokenListOptions) error {
	room, err := f.operator(o.keys, operatorRules(nil))
	if err != nil {
		return err
	}
	defer room.Close()
	tokens, err := room.decider.Tokens(ctx)
	if err != nil {
		return err
	}
	rows, cells := make([]tokenRow, len(tokens)), make([][]string, len(tokens))
	for i, t := range tokens {
		r := tokenRowOf(t, room.decider.TokenState(t))
		rows[i], cells[i] = r, []string{r.ID, r.For, r.State, scopesOf(t.Grant), manyOf(r.Tenants), usesOf(r), r.ExpiresAt, r.IssuedBy}
	}
	if o.json {
		return f.IO.printJSON(map[string][]tokenRow{"tokens": rows})
	}
	u := f.IO.ui()
	if len(rows) == 0 {
		u.line(plain, "No token was issued.")
		return u.err
	}
	u.table([]string{"ID", "FOR", "STATE", "SCOPES", "TENANTS", "USES", "EXPIRES", "ISSUED BY"}, cells)
	return u.err
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
