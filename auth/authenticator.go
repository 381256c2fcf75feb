// Package auth verifies access tokens of OpenID Connect issuers and maps their
// bearers to grants.
//
// go-jose checks form, algorithm and signature. This package checks that the
// token is an access token of an accepted issuer, is for this server only, and is
// valid now, and keeps the issuers' keys.
//
// Only the hash and the claims of a verified token are kept for a while. The
// token itself reaches neither Azure, the log nor an error.
package auth

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/semaphore"

	"mcp-partner/access"
	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas/problems"
)

// Options configure which tokens are accepted.
type Options struct {
	// Issuers are URLs exactly as tokens have them in iss; at least one. For
	// Entra ID there is one for each tenant.
	Issuers []string
	// Audiences are the audiences of this server, at least one.
	Audiences []string
	// CAPEM are the only authorities to trust at the issuers; empty means those
	// of the system.
	CAPEM []byte
	// Client replaces the HTTP client that is made from CAPEM; for tests.
	Client *http.Client
	// Declaring are the issuers that are known to name the type of access tokens in
	// their header. OnDeclared, if set, is called once for each further one.
	Declaring  []string
	OnDeclared func(issuer string)
	// Mapping is the initial mapping; Remap replaces it.
	Mapping Mapping
	// Logger logs an unreachable issuer and, at level debug, why a token was
	// refused. It never logs a token's contents.
	Logger *slog.Logger
	// Now defaults to time.Now.
	Now func() time.Time
}

// Authenticator verifies access tokens. It is safe for concurrent use.
type Authenticator struct {
	o       Options
	issuers []issuer
	keys    map[string]*keySet // by the issuer's name
	// known are accepted tokens by their hash. Refused ones are left out, so that
	// no caller can fill it.
	known *lru.Cache[[sha256.Size]byte, recollection]
	// mapping is the current mapping, replaced as a whole.
	mapping atomic.Pointer[Mapping]
	// refresh brings the mapping up to date.
	refresh func()
}

// New makes an authenticator. An error names an option that cannot be right. It
// contacts no issuer.
func New(o Options) (*Authenticator, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	if len(o.Audiences) == 0 {
		return nil, errors.New("the audience is missing: give the audience of tokens for this server")
	}
	if err := checkAudienceNames(o.Audiences); err != nil {
		return nil, err
	}
	if o.Client == nil {
		client, err := newClient(o.CAPEM)
		if err != nil {
			return nil, err
		}
		o.Client = client
	}
	known, err := lru.New[[sha256.Size]byte, recollection](maxRemembered)
	if err != nil {
		return nil, err
	}
	a := &Authenticator{o: o, keys: map[string]*keySet{}, known: known, refresh: func() {}}
	if err := a.addIssuers(); err != nil {
		return nil, err
	}
	return a, a.Remap(o.Mapping)
}

// Remap replaces the mapping, for further calls and for what running calls have
// not begun. If it returns an error, the previous mapping stays.
func (a *Authenticator) Remap(m Mapping) error {
	if err := errors.Join(m.Check(), checkAudienceNames(m.SharedAudiences), a.checkGrants(m)); err != nil {
		return err
	}
	a.mapping.Store(&m)
	return nil
}

// RefreshBy sets what brings the mapping up to date, by Remap, before each answer.
// It is called before the first token comes.
func (a *Authenticator) RefreshBy(refresh func()) { a.refresh = refresh }

// azureAudiences are names of Azure's own services, for which anybody's tool gets
// tokens every day: accepting one would accept them all.
func azureAudiences() []string {
	return []string{
		"https://management.azure.com", "https://management.core.windows.net", "https://graph.microsoft.com", "https://graph.windows.net",
		"https://management.usgovcloudapi.net", "https://management.chinacloudapi.cn", "https://vault.azure.net",
		"00000003-0000-0000-c000-000000000000", "00000002-0000-0000-c000-000000000000", "797f4846-ba00-4fd7-ba43-dac1f8f63013",
	}
}

func checkAudienceNames(names []string) error {
	for _, name := range names {
		if name == "" || slices.Contains(azureAudiences(), strings.TrimRight(strings.ToLower(name), "/")) {
			return fmt.Errorf("the audience %q is not one of this server", untrusted.Sanitize(name))
		}
	}
	return nil
}

func (a *Authenticator) addIssuers() error {
	for _, text := range a.o.Issuers {
		one, err := parseIssuer(text)
		if err != nil {
			return err
		}
		if a.keys[one.name] != nil {
			return fmt.Errorf("issuer %s appears twice", untrusted.Sanitize(text))
		}
		a.issuers = append(a.issuers, one)
		keys := &keySet{issuer: one, client: a.o.Client, log: a.o.Logger, now: a.o.Now, onDeclared: a.o.OnDeclared, waiting: semaphore.NewWeighted(maxWaiting)}
		keys.declares.Store(slices.Contains(a.o.Declaring, one.name))
		a.keys[one.name] = keys
	}
	if len(a.issuers) == 0 {
		return errors.New("the issuer is missing")
	}
	return nil
}

// checkGrants refuses a grant for an issuer that is not accepted, which must be a
// typing error.
func (a *Authenticator) checkGrants(m Mapping) error {
	for i, grant := range m.Grants {
		if !slices.ContainsFunc(a.issuers, func(one issuer) bool {
			return grant.Issuer == one.name || grant.TenantID != "" && strings.EqualFold(grant.TenantID, one.tenant)
		}) {
			return fmt.Errorf("grant %s is for tokens of an issuer that is not accepted", grant.named(i))
		}
	}
	return nil
}

// Takes reports whether a token may be a JWT. No other kind of token that this
// program knows has a dot in it.
func (a *Authenticator) Takes(token string) bool { return strings.Count(token, ".") >= 2 }

// Authenticate returns the caller of a token with its grant. An error is a
// *Refusal.
func (a *Authenticator) Authenticate(ctx context.Context, token string) (access.Principal, error) {
	if len(token) > maxToken {
		return access.Principal{}, errForm
	}
	a.refresh()
	hash := sha256.Sum256([]byte(token))
	if p, known := a.remembered(hash); known {
		return p, nil
	}
	mapping := a.mapping.Load()
	id, generation, err := a.verify(ctx, token)
	if err != nil {
		a.o.Logger.DebugContext(ctx, "a token was refused", "reason", err.Error())
		return access.Principal{}, err
	}
	p := access.Principal{Caller: id.caller(), Grant: mapping.grant(id), Consented: true}
	p.Revalidate = a.still(id, mapping, p.Grant)
	if generation > 0 {
		a.known.Add(hash, recollection{p, id, generation, mapping, a.o.Now().Add(rememberFor)})
	}
	return p, nil
}

// still returns the current grant of a verified token until the token ends. It
// does not ask the issuer.
func (a *Authenticator) still(id *identity, then *Mapping, grant access.Grant) access.Revalidate {
	return func() (access.Grant, error) {
		if id.current(a.o.Now()) != nil {
			return access.Grant{}, problems.New(problems.CodeTokenRefused, "The access token has expired.")
		}
		a.refresh()
		now := a.mapping.Load()
		switch {
		case now == then:
			return grant, nil
		case checkAudience(id.claims, a.o.Audiences, now.SharedAudiences) != nil:
			return access.Grant{}, problems.New(problems.CodeTokenRefused, "The access token is for an audience that is not shared any more.")
		default:
			return now.grant(id), nil
		}
	}
}

// remembered returns the principal of a recently verified token, unless a change
// would now refuse it.
func (a *Authenticator) remembered(hash [sha256.Size]byte) (access.Principal, bool) {
	found, ok := a.known.Get(hash)
	now := a.o.Now()
	if !ok || !now.Before(found.until) || found.id.current(now) != nil || found.mapping != a.mapping.Load() ||
		found.generation != a.keys[found.id.issuer.name].generation() {
		return access.Principal{}, false
	}
	return found.principal, true
}

// verify runs all checks of a token. It returns the generation of the keys before
// the check, 0 without keys, so that a token is verified again after a change.
func (a *Authenticator) verify(ctx context.Context, token string) (*identity, uint64, error) {
	header, payload, err := takeApart(token)
	if err == nil {
		err = checkHeader(header)
	}
	if err != nil {
		return nil, 0, err
	}
	name, _ := payload.text("iss")
	keys := a.keys[name]
	if keys == nil {
		return nil, 0, errIssuer
	}
	generation := keys.generation()
	verified, err := verifySigned(ctx, keys, token)
	if err != nil {
		return nil, 0, err
	}
	id := &identity{issuer: keys.issuer, claims: verified}
	if err := a.judge(id, header); err != nil {
		return nil, 0, err
	}
	return id, generation, keys.checkDeclared(header, a.mapping.Load().RequireATJWT)
}

func (a *Authenticator) judge(id *identity, header claims) error {
	if name, _ := id.claims.text("iss"); name != id.issuer.name {
		return errIssuer
	}
	return cmp.Or(
		id.checkTimes(a.o.Now()),
		checkAudience(id.claims, a.o.Audiences, a.mapping.Load().SharedAudiences),
		checkKind(header, id.claims),
		id.identify(),
	)
}

// Ready returns a CodeSignInUnavailable problem if no issuer's keys are loaded, and
// starts loading those that are missing. If only some issuers are unreachable, that is
// logged.
func (a *Authenticator) Ready(context.Context) error {
	ready := false
	for _, keys := range a.keys {
		ready = keys.ready() || ready
	}
	if ready {
		return nil
	}
	return problems.New(problems.CodeSignInUnavailable, "No issuer of access tokens has been reached yet.")
}

const (
	// rememberFor is how long a verified token is remembered. A reload of keys or
	// another mapping verifies it again.
	rememberFor = 5 * time.Minute
	// maxRemembered bounds how many are remembered.
	maxRemembered = 1024
)

// recollection is the result of a verification. The identity keeps the claims,
// so that a changed mapping can grant again, but no proof of them.
type recollection struct {
	principal  access.Principal
	id         *identity
	generation uint64
	mapping    *Mapping
	until      time.Time
}
