// Package token has the commands of invocation tokens.
package token

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/cli/users"
	"mcp-partner/internal/config"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/naming"
	"mcp-partner/internal/phrase"
	"mcp-partner/internal/untrusted"
	"mcp-partner/internal/xslices"
)

// NewCmdToken builds `token` with its subcommands.
func NewCmdToken(deps *cmdutil.Deps) *cobra.Command {
	return deps.Parent("token", "Issue, list and revoke tokens for callers over HTTP", newCmdIssue(deps), newCmdList(deps), newCmdRevoke(deps))
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

type issueOptions struct {
	caller, approver                  string
	scopes, tools, tenants, partnerID cmdutil.List
	ttl, maxTTL                       time.Duration
	uses                              int
	json                              bool
}

func newCmdIssue(deps *cmdutil.Deps) *cobra.Command {
	options := &issueOptions{}
	command := &cobra.Command{
		Use:   "issue",
		Short: "Issue a token and show it once",
		RunE:  func(command *cobra.Command, _ []string) error { return runIssue(command.Context(), deps, options) },
	}
	flags := command.Flags()
	flags.StringVar(&options.caller, "for", "", "`NAME` of the caller: letters, digits and . _ @ -")
	flags.Var(&options.scopes, "scope", "allowed `SCOPES`, separated by commas (default "+string(access.ScopeRead)+")")
	flags.Var(&options.tools, "tools", "only these `TOOLS` of the scopes, separated by commas")
	flags.Var(&options.tenants, "tenants", "allowed `TENANTS`: names or globs, separated by commas; * is all current ones")
	flags.Var(&options.partnerID, "partner-ids", "allow writes of these partner `IDS` only, separated by commas")
	flags.DurationVar(&options.ttl, "ttl", guard.DefaultTokenLife, "`TIME` that the token lives, such as 15m")
	flags.DurationVar(&options.maxTTL, "max-token-ttl", guard.MaxTokenLife, "longest `TIME` that a token may live")
	flags.IntVar(&options.uses, "uses", 0, "`N` tool calls that the token is valid for (0 for any number)")
	flags.StringVar(&options.approver, "approver", "", "`NAME` of the approver who consents to partner.approve (default: asked for)")
	flags.BoolVar(&options.json, "json", false, "print the token and its grant as JSON")
	config.Typed(flags, "for", "scope", "tools", "tenants", "partner-ids", "ttl", "uses")
	config.Standing(flags, "max-token-ttl")
	return command
}

func runIssue(ctx context.Context, deps *cmdutil.Deps, o *issueOptions) error {
	if len(o.scopes) == 0 {
		o.scopes = cmdutil.List{string(access.ScopeRead)}
	}
	if o.caller == "" || len(o.tenants) == 0 && !slices.Equal(o.scopes, cmdutil.List{string(access.ScopeMetrics)}) {
		return exit.Usage("mcp-partner token issue --help", "--for and --tenants are required: a token is for one caller in named tenants")
	}
	scopes, err := knownScopes(o.scopes)
	if err != nil {
		return err
	}
	rules := cmdutil.OperatorRules(nil)
	rules.MaxTokenLife = o.maxTTL
	session, err := deps.OpenSession(rules)
	if err != nil {
		return err
	}
	defer session.Close()
	request := guard.TokenRequest{For: o.caller, Life: o.ttl, Uses: o.uses, Grant: access.Grant{Scopes: scopes, Tools: o.tools, PartnerIDs: o.partnerID}}
	if request.Grant.Tenants, err = expand(session, o.tenants); err != nil {
		return err
	}
	if request.Grant.Has(access.ScopeApprove) {
		if request.By, err = users.Consent(ctx, deps, session.Guard, o.approver, "A token that can approve needs an approver's consent."); err != nil {
			return err
		}
		defer clear(request.By.Passphrase)
	}
	secret, token, err := session.Guard.IssueToken(ctx, request)
	if err != nil {
		return exit.AsUsage(err)
	}
	if err := showToken(deps, o, secret, tokenRowOf(session, token)); err != nil {
		return unseen(ctx, session, token)
	}
	return nil
}

// knownScopes refuses a scope that there is not, and lists those that there are.
func knownScopes(names []string) ([]access.Scope, error) {
	known := access.Scopes()
	scopes := xslices.Map(names, func(name string) access.Scope { return access.Scope(name) })
	for _, scope := range scopes {
		if !slices.Contains(known, scope) {
			listed := strings.ReplaceAll(strings.Trim(fmt.Sprint(known), "[]"), " ", ", ")
			return nil, exit.Usage("the scopes are "+listed, "there is no scope %s", untrusted.Shown(string(scope)))
		}
	}
	return scopes, nil
}

// expand turns names and globs into names of the directory, each once, in the
// directory's order. One that fits nothing is refused: a typing error would make
// a token that looks as if it reached more than it does.
func expand(s *app.Session, patterns []string) ([]string, error) {
	entries, err := s.Directory.List()
	if err != nil {
		return nil, err
	}
	wanted := map[string]bool{}
	for _, pattern := range patterns {
		found := false
		for _, entry := range entries {
			if naming.Match(pattern, entry.Name) {
				wanted[entry.Name], found = true, true
			}
		}
		if !found {
			return nil, exit.Usage("mcp-partner tenants list", "--tenants has %q, which matches no tenant of the directory", untrusted.Sanitize(pattern))
		}
	}
	names := []string{}
	for _, entry := range entries {
		if wanted[entry.Name] {
			names = append(names, entry.Name)
		}
	}
	return names, nil
}

// unseen revokes a token that could not be printed.
func unseen(ctx context.Context, session *app.Session, token guard.Token) error {
	if _, err := session.Guard.RevokeTokens(context.WithoutCancel(ctx), guard.TokenSelection{ID: token.ID}); err != nil {
		return exit.Failed("mcp-partner token revoke "+token.ID, "the token %s could not be printed or revoked", token.ID)
	}
	return exit.Failed("run it again with an output that can be written", "the token could not be printed, so it was revoked")
}

func showToken(deps *cmdutil.Deps, o *issueOptions, secret string, row tokenRow) error {
	if o.json || !deps.IO.OutTTY {
		return deps.IO.PrintLine(struct {
			Token string `json:"token"`
			tokenRow
		}{secret, row})
	}
	u := deps.IO.UI()
	u.Linef(term.Bold, "A token for %s, until %s. It is not shown again:", row.For, row.ExpiresAt)
	u.Write(secret + "\n")
	u.Field("id", row.ID)
	u.Field("scopes", strings.Join(o.scopes, ", "))
	u.Field("tenants", strings.Join(row.Tenants, ", "))
	u.Field("header", "Authorization: Bearer "+guard.TokenPrefix+"...")
	u.Field("revoke", deps.Command()+" token revoke "+row.ID)
	return u.Err
}

func newCmdList(deps *cmdutil.Deps) *cobra.Command {
	return cmdutil.ListCommand(deps, "tokens", "List the tokens of the last 30 days, newest first", deps.OnLedger, func(ctx context.Context, session *app.Session) (cmdutil.Listing[tokenRow], error) {
		tokens, err := session.Guard.Tokens(ctx)
		return cmdutil.Listing[tokenRow]{
			Rows:  xslices.Map(tokens, func(t guard.Token) tokenRow { return tokenRowOf(session, t) }),
			Empty: "There are no tokens.", Header: []string{"ID", "FOR", "STATE", "SCOPES", "TENANTS", "USES", "EXPIRES", "ISSUED BY"},
			Cells: func(r tokenRow) []string {
				return []string{r.ID, r.For, r.State, scopesOf(r.Scopes), strings.Join(phrase.Some(r.Tenants, 3), ", "), usesOf(r), r.ExpiresAt, r.IssuedBy}
			},
		}, err
	})
}

// scopesOf is short: read,write.
func scopesOf(scopes []access.Scope) string {
	return strings.Join(xslices.Map(scopes, func(scope access.Scope) string { return strings.TrimPrefix(string(scope), "partner.") }), ",")
}

func usesOf(r tokenRow) string {
	if r.Uses == 0 {
		return "any"
	}
	return fmt.Sprintf("%d of %d", r.Used, r.Uses)
}

type revokeOptions struct {
	which  guard.TokenSelection
	caller string
	json   bool
}

func newCmdRevoke(deps *cmdutil.Deps) *cobra.Command {
	options := &revokeOptions{}
	command := &cobra.Command{
		Use:   "revoke [ID]",
		Short: "Revoke a token, the tokens of a caller, or all",
		Args:  cobra.MaximumNArgs(1),
		PreRunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 {
				options.which.ID = args[0]
			}
			return options.check()
		},
		RunE: deps.OnLedger(func(ctx context.Context, session *app.Session, _ []string) error {
			return revoke(ctx, deps, session, options)
		}),
	}
	flags := command.Flags()
	flags.StringVar(&options.caller, "for", "", "all tokens of the caller with this `NAME`")
	flags.BoolVar(&options.which.All, "all", false, "every token")
	flags.BoolVar(&options.json, "json", false, "print {\"revoked\":N}")
	config.Typed(flags, "for", "all")
	return command
}

// check wants exactly one way to name tokens.
func (o *revokeOptions) check() error {
	ways := []bool{o.which.ID != "", o.which.All, o.caller != ""}
	if given := xslices.Filter(ways, func(way bool) bool { return way }); len(given) != 1 {
		return exit.Usage("mcp-partner token revoke --help", "give one of ID, --for NAME and --all")
	}
	if o.caller != "" {
		o.which.For = guard.TokenCaller(o.caller)
	}
	return nil
}

func revoke(ctx context.Context, deps *cmdutil.Deps, session *app.Session, o *revokeOptions) error {
	revoked, err := session.Guard.RevokeTokens(ctx, o.which)
	if err != nil {
		return err
	}
	if revoked == 0 && !o.which.All {
		return exit.Failed("mcp-partner token list", "nothing was revoked: no such token is valid")
	}
	deps.IO.ChangeMade()
	return deps.IO.Answer(o.json, map[string]int{"revoked": revoked}, func(u *term.UI) {
		u.Linef(term.Good, "%s revoked.", phrase.Count(revoked, "token"))
	})
}
