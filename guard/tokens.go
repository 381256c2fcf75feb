package guard

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"mcp-partner/access"
	"mcp-partner/guard/runs"
	"mcp-partner/internal/phrase"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas"
	"mcp-partner/schemas/partnerid"
	"mcp-partner/schemas/problems"
)

const (
	// TokenPrefix begins every invocation token, so that scanners find one that
	// was left somewhere, and so that no other kind of bearer looks like one.
	TokenPrefix = "mpt_"
	// tokenSize is what follows it, in bytes, as base64url.
	tokenSize = 32

	// DefaultTokenLife and MaxTokenLife are how long a token holds, and how long
	// at most where the operator said nothing else.
	DefaultTokenLife = 15 * time.Minute
	MaxTokenLife     = time.Hour

	// ReachAfterEnd is for how long after its end a token may have something left
	// that it approved or opened.
	ReachAfterEnd = ApproverLife + runs.Life

	// tokenCaller begins the name of a caller who has an invocation token.
	tokenCaller = "token:"
	// maxTokens bounds the tokens that hold at the same time.
	maxTokens = 1000
)

// Token is an invocation token as it is kept: what it grants, and a hash in
// place of the token itself.
type Token struct {
	// ID refers to the token and opens nothing.
	ID   string      `json:"id"`
	Hash runs.Digest `json:"hash"`
	// Caller is who calls with it: several tokens for one name are one caller.
	Caller access.Caller `json:"caller"`
	// Grant names tenants by name: globs were expanded when it was issued.
	Grant    access.Grant `json:"grant"`
	IssuedBy string       `json:"issued_by"`
	IssuedAt time.Time    `json:"created"`
	// ExpiresAt is its end. It is void earlier once RevokedAt is set.
	ExpiresAt time.Time `json:"expires"`
	RevokedAt time.Time `json:"revoked,omitzero"`
	// Uses is how many calls it is good for, 0 for any number; Used is how many
	// were made, and counted only where there is a bound.
	Uses int `json:"uses,omitempty"`
	Used int `json:"used,omitempty"`
	// Family is the consent that the token follows from, and Audience the server that
	// it is for; both are empty for a token that an operator issued.
	Family   string `json:"family,omitempty"`
	Audience string `json:"audience,omitempty"`
	// Consent is the row of the family as of the look at which the token was read.
	Consent json.RawMessage `json:"-"`
}

// NewAccessToken makes the access token of a consent. The secret is returned once and
// kept nowhere; the token has still to be stored.
func NewAccessToken(caller access.Caller, family, audience string, grant access.Grant, from, to time.Time) (secret string, token Token) {
	secret = newSecret()
	return secret, Token{
		ID: tokenID(secret), Hash: tokenHash(secret), Caller: caller, Grant: grant, IssuedBy: string(caller),
		IssuedAt: from, ExpiresAt: to, Family: family, Audience: audience,
	}
}

// takenBack reports whether the token was revoked, or the consent behind it was ended
// before its time: its row says so in a member ended, or is gone.
func (t Token) takenBack() bool {
	var consent struct {
		Ended time.Time `json:"ended"`
	}
	ended := t.Family != "" && (json.Unmarshal(t.Consent, &consent) != nil || !consent.Ended.IsZero())
	return ended || !t.RevokedAt.IsZero()
}

// Live reports whether the token can still be called with.
func (t Token) Live(now time.Time) bool {
	return t.Open(now) && (t.Uses == 0 || t.Used < t.Uses)
}

// Open reports whether the token was not revoked and has not expired. One that
// is used up may have calls that are under way.
func (t Token) Open(now time.Time) bool {
	return t.RevokedAt.IsZero() && now.Before(t.ExpiresAt)
}

// Revocable reports whether to revoke the token stops anything. After its end
// that may be what was approved with it or a run that it opened, for as long as
// those can have something left.
func (t Token) Revocable(now time.Time) bool {
	return t.RevokedAt.IsZero() && now.Before(t.ExpiresAt.Add(ReachAfterEnd))
}

// State words where a token stands.
func (t Token) State(now time.Time) string {
	switch {
	case !t.RevokedAt.IsZero():
		return "revoked"
	case !now.Before(t.ExpiresAt):
		return "expired"
	case t.Uses > 0 && t.Used >= t.Uses:
		return "used up"
	default:
		return "live"
	}
}

// Name is who the token was issued for.
func (t Token) Name() string { return strings.TrimPrefix(string(t.Caller), tokenCaller) }

// TokenCaller is the caller that tokens for a name make.
func TokenCaller(name string) access.Caller { return access.Caller(tokenCaller + name) }

// TokenSelection says which tokens to revoke: one, those for a name, or all.
type TokenSelection struct {
	ID  string
	For access.Caller
	All bool
	// By is who selects, "" for the account of this process.
	By string
}

// Selects reports whether a token is meant.
func (s TokenSelection) Selects(t Token) bool {
	return s.All || s.ID != "" && s.ID == t.ID || s.For != "" && s.For == t.Caller
}

func newSecret() string { return TokenPrefix + newHandle() }

func newHandle() string {
	var random [tokenSize]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand ends the process instead
	return base64.RawURLEncoding.EncodeToString(random[:])
}

// IsToken reports whether a bearer has the form of an invocation token.
func IsToken(bearer string) bool {
	text, found := strings.CutPrefix(bearer, TokenPrefix)
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return found && err == nil && len(raw) == tokenSize
}

// tokenID and tokenHash are made of the token under different names, so that
// the one that is shown says nothing of the one that is compared.
func tokenID(secret string) string {
	sum := sha256.Sum256([]byte("mcp-partner token id\x00" + secret))
	return "tk_" + hex.EncodeToString(sum[:9])
}

func tokenHash(secret string) [sha256.Size]byte {
	return sha256.Sum256([]byte("mcp-partner token\x00" + secret))
}

// shows reports whether a bearer is the token, in the same time for every other.
func (t Token) shows(bearer string) bool {
	hash := tokenHash(bearer)
	return subtle.ConstantTimeCompare(hash[:], t.Hash[:]) == 1
}

// TokenRequest is what an operator wants an invocation token for. Tenants of
// the grant are names of the directory.
type TokenRequest struct {
	For   string
	Grant access.Grant
	// Life defaults to DefaultTokenLife.
	Life time.Duration
	// Uses is how many calls the token is good for; 0 is any number.
	Uses int
	// By consents where the token may approve.
	By Credentials
}

var tokenName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$`) })

// IsName reports whether a token may be issued for a name, or a schedule have it: it is
// a part of a caller's name, of log lines and of rules.
func IsName(text string) bool { return tokenName().MatchString(text) }

// IssueToken creates a token. The secret is returned once and kept nowhere. One
// that may approve needs an approver's passphrase, because its holder decides
// in that approver's place.
func (g *Guard) IssueToken(ctx context.Context, r TokenRequest) (secret string, token Token, err error) {
	r.Life = cmp.Or(r.Life, min(DefaultTokenLife, g.opts.MaxTokenLife))
	if err := g.checkRequest(r); err != nil {
		return "", Token{}, err
	}
	by := g.opts.Account
	if r.Grant.Has(access.ScopeApprove) {
		if err := g.vouchedFor(ctx, r.By, r.Grant); err != nil {
			return "", Token{}, err
		}
		by = r.By.Name
	}
	secret, now := newSecret(), g.opts.Now()
	token = Token{
		ID: tokenID(secret), Hash: tokenHash(secret), Caller: TokenCaller(r.For), Grant: r.Grant,
		IssuedBy: by, IssuedAt: now, ExpiresAt: now.Add(r.Life), Uses: r.Uses,
	}
	if err := g.opts.Store.PutToken(ctx, token, maxTokens, g.change(KindToken, by, "issued "+token.describe())); err != nil {
		return "", Token{}, err
	}
	return secret, token, nil
}

func (g *Guard) checkRequest(r TokenRequest) error {
	switch {
	case !IsName(r.For):
		return badToken("--for must be a name of letters, digits and . _ @ -, at most 64 characters long.")
	case len(r.Grant.Scopes) == 0:
		return badToken("A token needs a scope.")
	case len(r.Grant.Tenants) == 0 && !slices.Equal(r.Grant.Scopes, []access.Scope{access.ScopeMetrics}):
		return badToken("A token needs at least one tenant.")
	case r.Life < 0 || r.Life > g.opts.MaxTokenLife:
		return problems.New(problems.CodeInvalidArgument, fmt.Sprintf("A token lives for at most %s, which max-token-ttl sets.", g.opts.MaxTokenLife),
			problems.WithHint("Give --ttl up to %s, or raise max-token-ttl in config.yaml.", g.opts.MaxTokenLife))
	case r.Uses < 0:
		return badToken("--uses is negative.")
	}
	return checkGrant(r.Grant, badToken)
}

// checkGrant refuses scopes, partner IDs and tools that there are not, and a tool that
// the scopes do not cover: the grant would look as if it could.
func checkGrant(g access.Grant, bad func(string) error) error {
	for _, scope := range g.Scopes {
		if !slices.Contains(access.Scopes(), scope) {
			return bad("There is no scope " + quote(scope) + ". The scopes are " + joined(access.Scopes()) + ".")
		}
	}
	if err := partnerid.Check("--partner-ids", g.PartnerIDs...); err != nil {
		return err
	}
	for _, name := range g.Tools {
		op, ok := schemas.Lookup(name)
		missing, lacks := g.Missing(op)
		switch {
		case !ok:
			return problems.New(problems.CodeUnknownTool, "There is no tool "+quote(name)+".", problems.WithCommand("List the tools.", "mcp-partner tools"))
		case lacks:
			return bad(fmt.Sprintf("The tool %s needs the scope %s.", name, missing))
		}
	}
	return nil
}

func badToken(message string) error {
	return problems.New(problems.CodeInvalidArgument, message, problems.WithCommand("Read the help.", "mcp-partner token issue --help"))
}

func (t Token) describe() string {
	words := append([]string{t.ID + " for " + t.Name()}, grantWords(t.Grant)...)
	if t.Uses > 0 {
		words = append(words, phrase.Count(t.Uses, "use"))
	}
	return strings.Join(append(words, "until "+t.ExpiresAt.UTC().Format(time.RFC3339)), "; ")
}

// grantWords says what a grant gives, for the record.
func grantWords(g access.Grant) []string {
	words := []string{"scopes " + joined(g.Scopes)}
	if len(g.Tenants) > 0 {
		words = append(words, "tenants "+joined(g.Tenants))
	}
	if len(g.Tools) > 0 {
		words = append(words, "tools "+joined(g.Tools))
	}
	if len(g.PartnerIDs) > 0 {
		words = append(words, "partner IDs "+joined(g.PartnerIDs))
	}
	return words
}

func joined[T ~string](list []T) string {
	return strings.Join(xslices.Map(list, func(text T) string { return string(text) }), ", ")
}

// AuthenticateToken tells who an invocation token belongs to. A bearer that is
// no token, or one that is revoked, used up or expired, is a CodeTokenRefused
// problem.
func (g *Guard) AuthenticateToken(ctx context.Context, bearer string) (access.Principal, error) {
	if !IsToken(bearer) {
		return access.Principal{}, tokenRefused()
	}
	token, ok, err := g.opts.Store.Token(ctx, tokenID(bearer))
	if err != nil {
		return access.Principal{}, err
	}
	if !ok || !token.shows(bearer) || !token.Live(g.opts.Now()) {
		return access.Principal{}, tokenRefused()
	}
	p := access.Principal{Caller: token.Caller, Grant: token.Grant, Token: token.ID, Counted: token.Uses > 0}
	if p.Consented = token.Family != ""; p.Consented {
		if p.Grant, err = g.standing(ctx, token); err != nil {
			return access.Principal{}, err
		}
		p.Revalidate = func() (access.Grant, error) { return g.consented(context.WithoutCancel(ctx), token.ID) }
	}
	return g.Confine(p), nil
}

// consented is what an access token gives now, by one look at the token and its consent.
func (g *Guard) consented(ctx context.Context, id string) (access.Grant, error) {
	token, err := g.tokenThat(ctx, id, func(t Token) bool { return t.Open(g.opts.Now()) })
	if err != nil {
		return access.Grant{}, err
	}
	return g.standing(ctx, token)
}

// standing asks what an access token gives now: the person behind it may have lost
// something since, and the consent may be withdrawn.
func (g *Guard) standing(ctx context.Context, token Token) (access.Grant, error) {
	if g.opts.Standing == nil {
		return access.Grant{}, tokenRefused()
	}
	return g.opts.Standing(ctx, token)
}

// Use counts one call of a principal whose token is good for so many. It is
// counted before the call does anything, once in all processes; a call that
// finds nothing left is refused.
func (g *Guard) Use(ctx context.Context, p access.Principal) error {
	if !p.Counted {
		return nil
	}
	event := g.event(KindToken, Intent{Caller: p.Caller}, "")
	event.Detail = "used " + p.Token
	used, err := g.opts.Store.UseToken(ctx, p.Token, event)
	switch {
	case err != nil:
		return err
	case !used:
		return tokenRefused()
	default:
		return nil
	}
}

// stillHolds refuses what has not begun when a token was revoked or has expired:
// a call may go through many tenants. Whether uses are left is counted at its
// beginning.
func (g *Guard) stillHolds(ctx context.Context, id string) error {
	_, err := g.tokenThat(ctx, id, func(t Token) bool { return t.Open(g.opts.Now()) })
	return err
}

// unrevoked refuses what was opened or approved with a token that was taken back.
func (g *Guard) unrevoked(ctx context.Context, id string) (Token, error) {
	return g.tokenThat(ctx, id, func(t Token) bool { return !t.takenBack() })
}

// tokenThat returns a token if it is still valid; an empty ID means that there
// is no token.
func (g *Guard) tokenThat(ctx context.Context, id string, holds func(Token) bool) (Token, error) {
	if id == "" {
		return Token{}, nil
	}
	token, ok, err := g.opts.Store.Token(ctx, id)
	switch {
	case err != nil:
		return Token{}, err
	case !ok || !holds(token):
		return Token{}, tokenRefused()
	default:
		return token, nil
	}
}

func tokenRefused() error {
	return problems.New(problems.CodeTokenRefused, "The invocation token is revoked, used up, expired, or not of this server.")
}

// Tokens returns the tokens that the store has, newest first.
func (g *Guard) Tokens(ctx context.Context) ([]Token, error) {
	return g.opts.Store.Tokens(ctx)
}

// TokenState words where a token stands now.
func (g *Guard) TokenState(t Token) string { return t.State(g.opts.Now()) }

// RevokeTokens voids the tokens that are meant, and returns how many of them
// were revocable. Calls to a tenant that have begun are completed. It takes no
// passphrase: a token less does no harm.
func (g *Guard) RevokeTokens(ctx context.Context, which TokenSelection) (revoked int, err error) {
	err = g.opts.Store.ChangeStates(ctx, func(tx StateTx) (err error) {
		revoked, err = g.revoke(ctx, tx, cmp.Or(which.By, g.opts.Account), which.Selects)
		return err
	})
	return revoked, err
}

// revoke is RevokeTokens in a transaction.
func (g *Guard) revoke(ctx context.Context, tx StateTx, by string, meant func(Token) bool) (int, error) {
	now := g.opts.Now()
	tokens, err := Rows(ctx, tx, TokenState, func(t Token) bool { return t.Revocable(now) && meant(t) })
	for _, t := range tokens {
		t.RevokedAt = now
		if err := tx.Put(TokenState, t.ID, t, g.change(KindToken, by, "revoked "+t.ID+" for "+t.Name())); err != nil {
			return 0, err
		}
	}
	return len(tokens), err
}

// TokenStore is what the guard needs to remember of invocation tokens. What
// holds for Store holds here.
type TokenStore interface {
	// PutToken adds a token with its event. It refuses with TooManyTokens when
	// limit tokens are open.
	PutToken(ctx context.Context, token Token, limit int, event Event) error
	// Token returns a token; ok is false if there is none.
	Token(ctx context.Context, id string) (token Token, ok bool, err error)
	// Tokens returns the tokens, newest first. Ones that ended long ago may be
	// gone.
	Tokens(ctx context.Context) ([]Token, error)
	// UseToken counts one use of a live token, with its event. used is false,
	// and nothing changes, if the token is not there or not live any more.
	UseToken(ctx context.Context, id string, event Event) (used bool, err error)
}

// TooManyTokens is the refusal of a store in which n tokens are open.
func TooManyTokens(n int) error {
	return problems.New(problems.CodeInvalidArgument, fmt.Sprintf("There are already %d valid invocation tokens.", n),
		problems.WithCommand("Revoke those that are not needed.", "mcp-partner token list"))
}
