package cli

import (
	"context"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mcp-partner/guard"
	"mcp-partner/internal/config"
	"mcp-partner/schemas"
)

type tokenIssueOptions struct {
	caller, approver                  string
	scopes, tools, tenants, partnerID list
	ttl, maxTTL                       time.Duration
	uses                              int
	json                              bool
	keys                              keyOptions
}

// newTokenIssue builds `token issue`.
func newTokenIssue(f *Factory) *cobra.Command {
	options := &tokenIssueOptions{}
	command := &cobra.Command{
		Use:   "issue",
		Short: "Issue a token and show it once",
		Long: `Issue an invocation token and show it once. Whoever has it calls as token:NAME, with
these scopes, in these tenants, until it ends; the server's own bounds and its policy
hold as well. Tokens for the same name are one caller: approvals go on with the next.

Scopes: partner.read (check, get, operations, tenants, audit, find), partner.write
(register, ensure), partner.change (update, remove, transition), partner.approve
(approve what others asked for, over HTTP; an approver has to consent),
partner.metrics (the figures of all callers at /metrics; alone it needs no tenant).

Globs in --tenants are expanded now: a tenant that is added later is not in it. With
--uses the token is good for so many calls of tools.`,
		Example: `  mcp-partner token issue --for nightly --tenants 'contoso,fab*'
  mcp-partner token issue --for migration --scope partner.read,partner.write --tenants contoso --partner-ids 1234567 --ttl 30m
  mcp-partner token issue --for alice --scope partner.approve --tenants '*' --approver alice`,
		Args: noArguments,
		RunE: func(command *cobra.Command, _ []string) error { return runTokenIssue(command.Context(), f, options) },
	}
	flags := command.Flags()
	flags.StringVar(&options.caller, "for", "", "`NAME` of the caller: letters, digits and . _ @ -")
	options.scopes = list{string(guard.ScopeRead)}
	flags.Var(&scopeList{&options.scopes, false}, "scope", "what it may do, `SCOPES` with commas between")
	flags.Var(&options.tools, "tools", "only these `TOOLS` of the scopes, with commas between")
	flags.Var(&options.tenants, "tenants", "in these `TENANTS`: names or globs, with commas between; * is all there are now")
	flags.Var(&options.partnerID, "partner-ids", "writes may carry only these partner `IDS`, with commas between")
	flags.DurationVar(&options.ttl, "ttl", guard.DefaultTokenLife, "how long it holds, such as 15m")
	flags.DurationVar(&options.maxTTL, "max-token-ttl", guard.MaxTokenLife, "how long a token may hold at most")
	flags.IntVar(&options.uses, "uses", 0, "how many calls of tools it is good for; 0 is any number")
	flags.StringVar(&options.approver, "approver", "", "`NAME` of the approver who consents to partner.approve (default: asked for)")
	flags.BoolVar(&options.json, "json", false, "print the token and what it grants as JSON")
	config.Typed(flags, "for", "scope", "tools", "tenants", "partner-ids", "ttl", "uses")
	config.Standing(flags, "max-token-ttl")
	options.keys.add(flags)
	return command
}

// scopeList is a list whose default is replaced by the first value that is given.
type scopeList struct {
	*list
	given bool
}

// Set implements pflag.Value.
func (s *scopeList) Set(text string) error {
	if !s.given {
		*s.list = nil
	}
	s.given = true
	return s.list.Set(text)
}

func runTokenIssue(ctx context.Context, f *Factory, o *tokenIssueOptions) error {
	if o.caller == "" || len(o.tenants) == 0 && !slices.Equal(o.scopes, list{string(guard.ScopeMetrics)}) {
		return usage("mcp-partner token issue --help", "--for and --tenants have to be given: a token is for one caller, in named tenants")
	}
	rules := operatorRules(nil)
	rules.MaxTokenLife = o.maxTTL
	room, err := f.operator(o.keys, rules)
	if err != nil {
		return err
	}
	defer room.Close()
	request := guard.TokenRequest{For: o.caller, Life: o.ttl, Uses: o.uses, Grant: guard.Grant{Tools: o.tools, PartnerIDs: o.partnerID}}
	for _, scope := range o.scopes {
		request.Grant.Scopes = append(request.Grant.Scopes, guard.Scope(scope))
	}
	if request.Grant.Tenants, err = room.expand(o.tenants); err != nil {
		return err
	}
	if request.Grant.Has(guard.ScopeApprove) {
		if request.By, err = f.consents(ctx, o.approver, "A token that may approve needs an approver's consent."); err != nil {
			return err
		}
		defer clear(request.By.Passphrase)
	}
	secret, token, err := room.decider.IssueToken(ctx, request)
	if err != nil {
		return asUsage(err)
	}
	return f.showToken(o, secret, tokenRowOf(token, room.decider.TokenState(token)))
}

// consents asks an approver for the passphrase; without a name, for that too.
func (f *Factory) consents(ctx context.Context, name, why string) (guard.Credentials, error) {
	if name == "" {
		return f.askConsent(ctx, why)
	}
	return f.IO.askCredentials(ctx, name)
}

// expand turns names and globs into names of the directory, each once, in the
// directory's order. One that fits nothing is refused: a typing error would make
// a token that looks as if it reached more than it does.
func (r *callRoom) expand(patterns []string) ([]string, error) {
	entries, err := r.directory.List()
	if err != nil {
		return nil, err
	}
	wanted := map[string]bool{}
	for _, pattern := range patterns {
		found := false
		for _, entry := range entries {
			if ok, err := path.Match(strings.ToLower(pattern), strings.ToLower(entry.Name)); err == nil && ok {
				wanted[entry.Name], found = true, true
			}
		}
		if !found {
			return nil, usage("mcp-partner tenants list", "--tenants has %q, which fits no tenant of the directory", schemas.Foreign(pattern))
		}
	}
	names := []string{}
	for _, entry := range entries {
		if wanted[entry.Name] && !slices.Contains(names, entry.Name) {
			names = append(names, entry.Name)
		}
	}
	return names, nil
}

func (f *Factory) showToken(o *tokenIssueOptions, secret string, row tokenRow) error {
	if o.json || !f.IO.OutTTY {
		return f.IO.printLine(struct {
			Token string `json:"token"`
			tokenRow
		}{secret, row})
	}
	u := f.IO.ui()
	u.linef(bold, "A token for %s, until %s. It is not shown again:", row.For, row.ExpiresAt)
	u.write(secret + "\n")
	u.field("id", row.ID)
	u.field("scopes", strings.Join(o.scopes, ", "))
	if len(row.Tenants) > 0 {
		u.field("tenants", strings.Join(row.Tenants, ", "))
	}
	u.field("header", "Authorization: Bearer "+guard.TokenPrefix+"...")
	u.field("revoke", f.command()+" token revoke "+row.ID)
	return u.err
}
