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
	"mcp-partner/internal/cli/approvals"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/config"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/naming"
	"mcp-partner/internal/untrusted"
	"mcp-partner/internal/xslices"
)

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
		Long: `Issue an invocation token and show it once. Its holder calls as token:NAME, with
these scopes, in these tenants, until it expires; the server's bounds and policy apply
too. Tokens for the same name are one caller, so approvals stay valid with the next.

Scopes: partner.read (check, get, operations, tenants, audit, find), partner.write
(register, ensure), partner.change (update, remove, transition), partner.approve
(approve requests of others over HTTP; an approver must consent), partner.metrics (the
metrics of all callers at /metrics; needs no tenant).

Globs in --tenants are expanded now; tenants that are added later are not included.
With --uses N the token is valid for N tool calls.`,
		Example: `  mcp-partner token issue --for nightly --tenants 'contoso,fab*'
  mcp-partner token issue --for migration --scope partner.read,partner.write --tenants contoso --partner-ids 1234567 --ttl 30m
  mcp-partner token issue --for alice --scope partner.approve --tenants '*' --approver alice`,
		RunE: func(command *cobra.Command, _ []string) error { return runIssue(command.Context(), deps, options) },
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
		if request.By, err = approvals.Consent(ctx, deps, session.Guard, o.approver, "A token that can approve needs an approver's consent."); err != nil {
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
