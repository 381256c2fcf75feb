package auth

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" // x5t is defined with it (RFC 7515, section 4.1.7)
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"mcp-partner/access"
	"mcp-partner/internal/untrusted"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas/problems"
)

const (
	// signInScopes are names that every issuer knows as they are. A scope of an API, or
	// the parameter resource, would ask for a token that is good elsewhere.
	signInScopes = "openid profile offline_access"
	// metadataFor is how long the addresses of an issuer are kept.
	metadataFor = time.Hour
	// assertionLife is how long an assertion of this server is good.
	assertionLife = 5 * time.Minute
)

// Application is this server as it is registered at an issuer, for people to sign in.
type Application struct {
	// Issuer is one of the authenticator's.
	Issuer, ClientID, RedirectURI string
	// DomainHint is what Entra ID calls domain_hint; "" for none.
	DomainHint string
	// Credential is asked each time, so that a new secret counts at once.
	Credential func(context.Context) (ClientCredential, error)
}

// ClientCredential is a secret, or a key with its certificate in DER.
type ClientCredential struct {
	Secret      string
	Key         *rsa.PrivateKey
	Certificate []byte
}

// Upstream signs people in at one issuer.
type Upstream struct {
	app  Application
	auth *Authenticator
	keys *keySet

	mu      sync.Mutex
	known   providerMetadata
	failure error
	until   time.Time // when the issuer is asked for its metadata again
}

// SignInRequest is what goes to the issuer with a browser.
type SignInRequest struct {
	State, Nonce, Verifier string
	// Fresh asks for a new proof of who they are, Choose for another account.
	Fresh, Choose bool
}

// Person is somebody who signed in.
type Person struct {
	// Caller is who they are to the guard: entra:TENANT:OBJECT, oidc:HASH or user:NAME.
	Caller access.Caller `json:"caller"`
	// Name is what is shown to the person; it decides nothing and is untrusted.
	Name string `json:"name"`
	// Claims are the verified claims of the issuer by which the mapping grants; none
	// for a user of this server.
	Claims map[string]json.RawMessage `json:"claims,omitempty"`
	// AuthenticatedAt is when they last proved who they are; zero where the issuer does
	// not say it.
	AuthenticatedAt time.Time `json:"authenticated"`
}

// Upstream makes the application of an issuer. It contacts nobody.
func (a *Authenticator) Upstream(app Application) (*Upstream, error) {
	of, err := parseIssuer(app.Issuer)
	if err != nil {
		return nil, err
	}
	switch keys := a.keys[of.name]; {
	case keys == nil:
		return nil, fmt.Errorf("people cannot sign in at %s, whose tokens are not accepted", untrusted.Sanitize(app.Issuer))
	case of.tenant != "" && !strings.HasSuffix(of.name, "/v2.0"):
		return nil, errors.New("people sign in at version 2 of Entra ID: give https://login.microsoftonline.com/TENANT-GUID/v2.0")
	case app.ClientID == "":
		return nil, errors.New("the client ID of this server at the issuer is missing")
	default:
		return &Upstream{app: app, auth: a, keys: keys}, nil
	}
}

// Host is the host of the issuer, for people to read.
func (u *Upstream) Host() string { return u.keys.issuer.url().Host }

// providerMetadata is what a sign-in reads of the issuer's metadata.
type providerMetadata struct {
	Issuer      string   `json:"issuer"`
	KeysURL     string   `json:"jwks_uri"`
	AuthURL     string   `json:"authorization_endpoint"`
	TokenURL    string   `json:"token_endpoint"`
	AuthMethods []string `json:"token_endpoint_auth_methods_supported"`
	SendsIss    bool     `json:"authorization_response_iss_parameter_supported"`
	SignOutURL  string   `json:"end_session_endpoint"`
}

func (u *Upstream) metadata(ctx context.Context) (providerMetadata, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	now := u.auth.o.Now()
	if now.Before(u.until) {
		return u.known, u.failure
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchWithin/2)
	defer cancel()
	known, err := u.keys.issuer.discover(ctx, u.keys.client)
	for _, address := range []string{known.AuthURL, known.TokenURL, cmp.Or(known.SignOutURL, known.TokenURL)} {
		if err == nil {
			err = u.keys.issuer.checkURL(address)
		}
	}
	u.known, u.failure, u.until = known, nil, now.Add(metadataFor)
	if err != nil {
		u.failure, u.until = u.unavailable(ctx, err), now.Add(retryWithoutKeys)
	}
	return u.known, u.failure
}

// unavailable says that it is not known whether the person may sign in.
func (u *Upstream) unavailable(ctx context.Context, cause error) error {
	u.auth.o.Logger.WarnContext(ctx, "people cannot sign in at the issuer", "issuer", u.Host(), "reason", cause.Error())
	return problems.New(problems.CodeSignInUnavailable, u.Host()+" gave no usable answer.")
}

// AuthorizeURL is where a browser goes to sign in.
func (u *Upstream) AuthorizeURL(ctx context.Context, r SignInRequest) (string, error) {
	known, err := u.metadata(ctx)
	if err != nil {
		return "", err
	}
	challenge := sha256.Sum256([]byte(r.Verifier))
	query := url.Values{
		"response_type": {"code"}, "client_id": {u.app.ClientID}, "redirect_uri": {u.app.RedirectURI}, "scope": {signInScopes},
		"state": {r.State}, "nonce": {r.Nonce}, "code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}
	if r.Choose {
		query.Set("prompt", "select_account")
	}
	if r.Fresh {
		query.Set("max_age", "0")
	}
	if u.app.DomainHint != "" {
		query.Set("domain_hint", u.app.DomainHint)
	}
	before := map[bool]string{true: "&", false: "?"}[strings.Contains(known.AuthURL, "?")]
	return known.AuthURL + before + query.Encode(), nil
}

// SignOutURL is where the person may sign out of the issuer as well, or "".
func (u *Upstream) SignOutURL(ctx context.Context) string {
	known, err := u.metadata(ctx)
	if err != nil {
		return ""
	}
	return known.SignOutURL
}

// CheckIssuer compares the parameter iss of an answer (RFC 9207), which must be there
// where the issuer promises it: the answer of another issuer is refused.
func (u *Upstream) CheckIssuer(ctx context.Context, iss string) error {
	known, err := u.metadata(ctx)
	if err == nil && (iss != "" || known.SendsIss) && iss != u.keys.issuer.name {
		return errIssuer
	}
	return err
}

// Exchange redeems a code. With fresh, the person must have proved who they are since
// then. An error is a *Refusal, or a problem if the issuer gave no usable answer.
func (u *Upstream) Exchange(ctx context.Context, code string, sent SignInRequest, fresh time.Time) (p Person, refresh string, err error) {
	id, refresh, err := u.redeem(ctx, url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {u.app.RedirectURI}, "code_verifier": {sent.Verifier},
	})
	if err != nil {
		return Person{}, "", err
	}
	p = u.person(id)
	nonce, _ := id.claims.text("nonce")
	switch {
	case nonce != sent.Nonce:
		return Person{}, "", errNonce
	case sent.Fresh && p.AuthenticatedAt.Add(skew).Before(fresh):
		return Person{}, "", errNotFresh
	}
	return p, refresh, nil
}

// Refresh asks again who a person is, and returns the refresh token for the next time. It
// names no scope, since an issuer may have given fewer than were asked, and refuses to
// widen them. The errors are those of Exchange.
func (u *Upstream) Refresh(ctx context.Context, token string, was Person) (now Person, refresh string, err error) {
	id, refresh, err := u.redeem(ctx, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
	if err != nil {
		return Person{}, "", err
	}
	if now = u.person(id); now.Caller != was.Caller {
		return Person{}, "", errOther
	}
	now.AuthenticatedAt = was.AuthenticatedAt
	return now, cmp.Or(refresh, token), nil
}

// CheckCredential shows the issuer the credential of this server, with a code that is
// none: an issuer that takes the one refuses the other.
func (u *Upstream) CheckCredential(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, fetchWithin)
	defer cancel()
	_, answer, err := u.ask(ctx, url.Values{"grant_type": {"authorization_code"}, "code": {"doctor"}, "redirect_uri": {u.app.RedirectURI}, "code_verifier": {strings.Repeat("doctor-", 7)}})
	switch {
	case err != nil:
		return u.unavailable(ctx, err)
	case answer.Error == "invalid_client" || answer.Error == "unauthorized_client":
		return problems.New(problems.CodeCredentialRejected, u.Host()+" refuses the credential of this server ("+answer.Error+").")
	}
	return nil
}

// person keeps the claims that the mapping reads.
func (u *Upstream) person(id *identity) Person {
	p := Person{Caller: id.caller(), Claims: map[string]json.RawMessage{}}
	m := u.auth.mapping.Load()
	for _, name := range []string{"iss", "sub", "tid", "oid", orElse(m.RolesClaim, "roles")[0], orElse(m.GroupsClaim, "groups")[0]} {
		if id.claims.has(name) {
			p.Claims[name] = id.claims[name]
		}
	}
	for _, name := range []string{"preferred_username", "email", "name", "sub"} {
		if text, ok := id.claims.text(name); ok && p.Name == "" {
			p.Name = untrusted.Sanitize(text)
		}
	}
	p.AuthenticatedAt, _, _ = id.claims.instant("auth_time") // one that cannot be read proves nothing
	return p
}

// The reasons beside those of access tokens.
var (
	errGrant    = &Refusal{reason: "the issuer does not sign the person in"}
	errNonce    = &Refusal{reason: "the ID token belongs to another sign-in"}
	errNotFresh = &Refusal{reason: "the issuer does not say that the person signed in anew (claim auth_time)"}
	errOther    = &Refusal{reason: "the issuer names another person than before"}
)

// tokenAnswer is what is read of an answer of the token endpoint. The access token in
// it is left unread: this server calls nothing in the name of the person.
type tokenAnswer struct {
	IDToken      string `json:"id_token"`
	RefreshToken string `json:"refresh_token"`
	Error        string `json:"error"`
}

func (u *Upstream) redeem(ctx context.Context, form url.Values) (id *identity, refresh string, err error) {
	ctx, cancel := context.WithTimeout(ctx, fetchWithin)
	defer cancel()
	status, answer, err := u.ask(ctx, form)
	switch {
	case err != nil:
		return nil, "", u.unavailable(ctx, err)
	case slices.Contains([]string{"invalid_grant", "interaction_required", "login_required", "consent_required"}, answer.Error):
		return nil, "", errGrant
	case status != http.StatusOK || answer.Error != "":
		// What the issuer says against this server is no fault of the person.
		return nil, "", u.unavailable(ctx, fmt.Errorf("status %d, error %q", status, untrusted.Sanitize(answer.Error)))
	}
	id, err = u.verifyIDToken(ctx, answer.IDToken)
	if refusal := new(Refusal); errors.As(err, &refusal) && refusal.wait > 0 {
		err = u.unavailable(ctx, err)
	}
	return id, answer.RefreshToken, err
}

func (u *Upstream) ask(ctx context.Context, form url.Values) (status int, answer tokenAnswer, err error) {
	known, err := u.metadata(ctx)
	if err != nil {
		return 0, answer, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, known.TokenURL, nil)
	if err != nil {
		return 0, answer, errors.New("not a URL")
	}
	if err := u.prove(request, form, known.AuthMethods); err != nil {
		return 0, answer, fmt.Errorf("credential of this server: %w", err)
	}
	body := form.Encode()
	request.Body, request.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", "application/json")
	response, err := u.keys.client.Do(request)
	if err != nil {
		return 0, answer, errors.New("no answer")
	}
	defer response.Body.Close()
	if json.NewDecoder(io.LimitReader(response.Body, maxDocument)).Decode(&answer) != nil {
		err = fmt.Errorf("status %d without the expected JSON", response.StatusCode)
	}
	return response.StatusCode, answer, err
}

// prove puts what proves who this server is into a request, as the issuer takes it.
func (u *Upstream) prove(r *http.Request, form url.Values, methods []string) error {
	c, err := u.app.Credential(r.Context())
	switch {
	case err != nil:
		return err
	case c.Key != nil:
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		assertion, err := u.assertion(r.URL.String(), c)
		form.Set("client_assertion", assertion)
		form.Set("client_id", u.app.ClientID)
		return err
	case len(methods) == 0 || slices.Contains(methods, "client_secret_basic"):
		r.SetBasicAuth(url.QueryEscape(u.app.ClientID), url.QueryEscape(c.Secret))
	default:
		form.Set("client_secret", c.Secret)
		form.Set("client_id", u.app.ClientID)
	}
	return nil
}

// assertion signs who this server is (RFC 7523), as Entra ID wants it.
func (u *Upstream) assertion(audience string, c ClientCredential) (string, error) {
	short, long := sha1.Sum(c.Certificate), sha256.Sum256(c.Certificate)
	options := (&jose.SignerOptions{}).WithType("JWT").
		WithHeader("x5t", base64.RawURLEncoding.EncodeToString(short[:])).WithHeader("x5t#S256", base64.RawURLEncoding.EncodeToString(long[:]))
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.PS256, Key: c.Key}, options)
	if err != nil {
		return "", err
	}
	now := u.auth.o.Now()
	payload, _ := json.Marshal(map[string]any{ // strings and numbers always encode
		"iss": u.app.ClientID, "sub": u.app.ClientID, "aud": audience, "jti": rand.Text(),
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(assertionLife).Unix(),
	})
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

// verifyIDToken checks a token as OpenID Connect Core 3.1.3.7 wants it, and that it is
// for this server alone.
func (u *Upstream) verifyIDToken(ctx context.Context, token string) (*identity, error) {
	header, _, err := takeApart(token)
	if err == nil {
		err = checkHeader(header)
	}
	if err != nil {
		return nil, err
	}
	verified, err := verifySigned(ctx, u.keys, token)
	if err != nil {
		return nil, err
	}
	id := &identity{issuer: u.keys.issuer, claims: verified}
	typ, _ := header.text("typ")
	iss, _ := verified.text("iss")
	azp, _ := verified.text("azp")
	switch {
	case declaresAccess(typ):
		return nil, errKind
	case iss != u.keys.issuer.name:
		return nil, errIssuer
	case !slices.Equal(verified.list("aud"), []string{u.app.ClientID}) || verified.has("azp") && azp != u.app.ClientID:
		return nil, errAudience
	case !verified.has("iat"):
		return nil, errClaims
	}
	return id, cmp.Or(id.checkTimes(u.auth.o.Now()), id.identify())
}

// GrantTo returns what a person may do now of the scopes that are wanted. A client gets
// the scopes of tools for the asking; approving and metrics want a role, or a grant
// that names them. It is a problem if no grant is for the person any more.
func (u *Upstream) GrantTo(kept map[string]json.RawMessage, wanted []access.Scope) (access.Grant, error) {
	u.auth.refresh()
	m := u.auth.mapping.Load()
	id := &identity{issuer: u.keys.issuer, claims: kept}
	if iss, _ := id.claims.text("iss"); iss != id.issuer.name || id.identify() != nil {
		return access.Grant{}, noGrant("this person")
	}
	i := slices.IndexFunc(m.Grants, func(g CallerGrant) bool { return g.isFor(id, *m) })
	if i < 0 {
		return access.Grant{}, noGrant(string(id.caller()))
	}
	g := m.Grants[i]
	byRole := gathered(m.Roles, id.claims.list(orElse(m.RolesClaim, "roles")...))
	return access.Grant{Tools: g.Tools, Tenants: g.Tenants, PartnerIDs: g.PartnerIDs, Scopes: xslices.Filter(wanted, func(s access.Scope) bool {
		named := slices.Contains(g.Scopes, s)
		return named || len(g.Scopes) == 0 && (s.OfTools() || slices.Contains(byRole, s))
	})}, nil
}

func noGrant(who string) error {
	return problems.New(problems.CodeTokenRefused, "No grant in the section callers is for "+who+".",
		problems.WithHint("Ask the operator of this server to add one."))
}
