package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"mcp-partner/internal/issuertest"
)

type change = issuertest.Claims

func TestGoodToken(t *testing.T) {
	t.Parallel()
	h := newFixture(t, Mapping{})
	for name, changes := range map[string]change{
		"as it is":                {},
		"without nbf and iat":     {"nbf": nil, "iat": nil},
		"audience in a list":      {"aud": []string{audience}},
		"fraction of a second":    {"exp": float64(h.clock.Now().Unix()) + 10.5},
		"Keycloak":                {"typ": "Bearer", "nonce": "n"},
		"Okta":                    {"azp": nil, "cid": "client"},
		"a machine":               {"scope": nil, "roles": []string{"partner.read"}},
		"claims that nobody uses": {"email": "alice@example", "_claim_names": change{"groups": "src1"}, "_claim_sources": change{"src1": change{"endpoint": "https://elsewhere.example"}}},
	} {
		if p, err := h.Authenticate(t.Context(), h.issuer.Token(h.with(changes))); err != nil || !strings.HasPrefix(string(p.Caller), "oidc:") || len(p.Grant.Scopes) != 1 {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	if n := h.issuer.Requests("/.well-known/openid-configuration"); n != 1 {
		t.Errorf("the issuer was asked %d times", n)
	}
}

func TestRefusedClaims(t *testing.T) {
	t.Parallel()
	h := newFixture(t, Mapping{})
	now := h.clock.Now().Unix()
	for _, c := range []struct {
		name    string
		changes change
		want    *Refusal
	}{
		{name: "expired", changes: change{"exp": now - 61}, want: errExpired},
		{name: "no end", changes: change{"exp": nil}, want: errClaims},
		{name: "an end that is none", changes: change{"exp": "tomorrow"}, want: errClaims},
		{name: "an end after all years", changes: change{"exp": 1e18}, want: errClaims},
		{name: "an end before all years", changes: change{"exp": -1}, want: errClaims},
		{name: "no time at all", changes: change{"exp": change{}}, want: errClaims},
		{name: "not yet valid", changes: change{"nbf": now + 61}, want: errNotYet},
		{name: "issued in the future", changes: change{"iat": now + 61}, want: errNotYet},
		{name: "a beginning that is none", changes: change{"nbf": []int{1}}, want: errClaims},
		{name: "wrong issuer", changes: change{"iss": "https://login.example"}, want: errIssuer},
		{name: "no issuer", changes: change{"iss": nil}, want: errIssuer},
		{name: "issuers in a list", changes: change{"iss": []string{h.issuer.URL()}}, want: errIssuer},
		{name: "issuer with a slash", changes: change{"iss": h.issuer.URL() + "/"}, want: errIssuer},
		{name: "wrong audience", changes: change{"aud": "api://other"}, want: errAudience},
		{name: "an audience that begins alike", changes: change{"aud": audience + "/x"}, want: errAudience},
		{name: "no audience", changes: change{"aud": nil}, want: errAudience},
		{name: "an empty audience", changes: change{"aud": []string{}}, want: errAudience},
		{name: "two audiences", changes: change{"aud": []string{audience, "api://other"}}, want: errAudience},
		{name: "the same audience twice", changes: change{"aud": []string{audience, audience}}, want: errAudience},
		{name: "a token for ARM", changes: change{"aud": "https://management.azure.com"}, want: errAudience},
		{name: "a token for ARM and this", changes: change{"aud": []string{"https://management.azure.com", audience}}, want: errAudience},
		{name: "ID token by its nonce", changes: change{"nonce": "n"}, want: errKind},
		{name: "ID token by its hash", changes: change{"at_hash": "h"}, want: errKind},
		{name: "ID token by what it lacks", changes: change{"azp": nil}, want: errKind},
		{name: "ID token of Keycloak", changes: change{"typ": "ID"}, want: errKind},
		{name: "refresh token of Keycloak", changes: change{"typ": "Refresh"}, want: errKind},
		{name: "a typ that is none", changes: change{"typ": 1}, want: errKind},
		{name: "logout token", changes: change{"events": change{"http://schemas.openid.net/event/backchannel-logout": change{}}}, want: errKind},
		{name: "bound to a key", changes: change{"cnf": change{"jkt": "x"}}, want: errBound},
		{name: "no subject", changes: change{"sub": nil}, want: errClaims},
		{name: "an empty subject", changes: change{"sub": ""}, want: errClaims},
		{name: "a number for a subject", changes: change{"sub": 7}, want: errClaims},
		{name: "a huge subject", changes: change{"sub": strings.Repeat("a", 256)}, want: errClaims},
		{name: "claims in other letters", changes: change{"aud": nil, "AUD": audience}, want: errAudience},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := *h
			h.t = t
			h.refuses(h.issuer.Token(h.with(c.changes)), c.want)
		})
	}
}

func TestClockSkewIsBoundedInBothDirections(t *testing.T) {
	t.Parallel()
	h := newFixture(t, Mapping{})
	now := h.clock.Now().Unix()
	h.accepts(h.issuer.Token(h.with(change{"exp": now - 59})))
	h.refuses(h.issuer.Token(h.with(change{"exp": now - 60})), errExpired)
	h.accepts(h.issuer.Token(h.with(change{"nbf": now + 60})))
	h.refuses(h.issuer.Token(h.with(change{"nbf": now + 61})), errNotYet)
}

func TestForgedTokens(t *testing.T) {
	t.Parallel()
	h := newFixture(t, Mapping{})
	key := h.issuer.UseRSA(2048)
	h.accepts(h.issuer.Token(h.claims()))
	public, err := x509.MarshalPKIXPublicKey(key.RSA.Public())
	if err != nil {
		t.Fatal(err)
	}
	inPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	hs256 := issuertest.Unsigned(t, change{"alg": "HS256", "typ": "JWT", "kid": key.ID}, h.claims())
	stranger := issuertest.Start(t).UseRSA(2048)
	good := h.issuer.Token(h.claims())
	parts := strings.Split(good, ".")
	other := strings.Split(h.issuer.Token(h.with(change{"sub": "mallory"})), ".")
	signed := func(header change) string { return issuertest.Sign(t, key, header, h.claims()) }
	asStranger := func(header change) string { return issuertest.Sign(t, stranger, header, h.claims()) }
	for name, c := range map[string]struct {
		token string
		want  *Refusal
	}{
		"alg none":                         {issuertest.Unsigned(t, change{"alg": "none"}, h.claims()) + ".", errForm},
		"alg none with a signature":        {signed(change{"alg": "none"}), errHeader},
		"alg None":                         {signed(change{"alg": "None"}), errHeader},
		"HS256 with the public key in PEM": {shared(inPEM, hs256), errHeader},
		"HS256 with the public key in DER": {shared(public, hs256), errHeader},
		"another algorithm than the key's": {signed(change{"alg": "PS256"}), errKey},
		"another kind of key":              {signed(change{"alg": "ES256"}), errKey},
		"unknown kid":                      {asStranger(change{"kid": "unknown"}), errKey},
		"a stranger's key under our kid":   {asStranger(nil), errSignature},
		"a stranger's key without kid":     {asStranger(change{"kid": nil}), errSignature},
		"a stranger's key in jwk":          {asStranger(change{"kid": nil, "jwk": stranger.Public()}), errSignature},
		"a stranger's key in jku":          {asStranger(change{"kid": nil, "jku": "https://evil.example/keys"}), errSignature},
		"a stranger's key in x5u":          {asStranger(change{"kid": nil, "x5u": "https://evil.example/cert"}), errSignature},
		"crit":                             {signed(change{"crit": []string{"exp"}, "exp": 1}), errHeader},
		"crit that is empty":               {signed(change{"crit": []string{}}), errHeader},
		"b64":                              {signed(change{"b64": true}), errHeader},
		"zip":                              {signed(change{"zip": "DEF"}), errHeader},
		"a proof":                          {signed(change{"typ": "dpop+jwt"}), errKind},
		"a logout token":                   {signed(change{"typ": "logout+jwt"}), errKind},
		"a typ that is none":               {signed(change{"typ": 1}), errHeader},
		"another payload":                  {parts[0] + "." + other[1] + "." + parts[2], errSignature},
		"another signature":                {parts[0] + "." + parts[1] + "." + other[2], errSignature},
		"signature cut":                    {good[:len(good)-4], errSignature},
		"no signature":                     {parts[0] + "." + parts[1] + ".", errForm},
		"five parts":                       {good + ".a.b", errForm},
		"padding":                          {parts[0] + "=." + parts[1] + "." + parts[2], errForm},
		"white space":                      {parts[0] + "." + parts[1] + "\n." + parts[2], errForm},
		"JSON form":                        {`{"payload":"` + parts[1] + `","signatures":[{"protected":"` + parts[0] + `","signature":"` + parts[2] + `"}]}..`, errForm},
		"header no object":                 {part("[]") + "." + parts[1] + "." + parts[2], errForm},
		"payload null":                     {parts[0] + "." + part("null") + "." + parts[2], errForm},
		"oversized":                        {signed(change{"x": strings.Repeat("a", maxToken)}), errForm},
		"dots":                             {strings.Repeat(".", 1000), errForm},
		"nothing":                          {"..", errForm},
	} {
		t.Run(name, func(t *testing.T) {
			h := *h
			h.t = t
			h.clock.Advance(retryWithKeys) // so that the issuer is asked whether it has a new key
			h.refuses(c.token, c.want)
		})
	}
	for name, header := range map[string]change{
		"no typ": {"typ": nil}, "no kid": {"kid": nil}, "a jku that is not looked at": {"jku": "https://evil.example", "x5t": "abc"},
	} {
		if _, err := h.Authenticate(t.Context(), signed(header)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := h.Authenticate(t.Context(), signed(change{"typ": "application/at+JWT"})); err != nil {
		t.Errorf("at+jwt: %v", err)
	}
}

func part(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

func TestSharedAudience(t *testing.T) {
	t.Parallel()
	h := newFixture(t, Mapping{SharedAudiences: []string{"account"}})
	h.accepts(h.issuer.Token(h.with(change{"aud": []string{"account", audience}})))
	h.refuses(h.issuer.Token(h.with(change{"aud": "account"})), errAudience)
	h.refuses(h.issuer.Token(h.with(change{"aud": []string{"account", audience, "x"}})), errAudience)
}

// TestCachedTokenExpiresOnTime looks at what is remembered of tokens.
func TestCachedTokenExpiresOnTime(t *testing.T) {
	t.Parallel()
	h := newFixture(t, Mapping{})
	h.accepts(h.issuer.Token(h.claims())) // loads the keys
	token := h.issuer.Token(h.with(change{"exp": h.clock.Now().Add(2 * time.Minute).Unix()}))
	h.accepts(token)
	h.accepts(token)
	if h.known.Len() != 1 {
		t.Errorf("%d tokens are remembered", h.known.Len())
	}
	h.clock.Advance(3*time.Minute - time.Second)
	h.accepts(token)
	h.clock.Advance(time.Second)
	h.refuses(token, errExpired)

	long := h.issuer.Token(h.claims())
	h.accepts(long)
	h.issuer.Rotate()
	h.clock.Advance(retryWithKeys)
	h.accepts(h.issuer.Token(h.claims())) // a new key has them all loaded
	h.refuses(long, errKey)               // and what the old one signed is forgotten
}

// An ID token that has nothing by which to know it is refused where access tokens
// are known to say what they are.
func TestTokensWithoutTypeHeader(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	for _, test := range []struct {
		name     string
		required *bool
		seen     bool // a token that declares itself came before
		want     error
	}{
		{name: "nothing is known"},
		{name: "the issuer declares them", seen: true, want: errKind},
		{name: "required", required: &yes, want: errKind},
		{name: "not required", required: &no, seen: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := newFixture(t, Mapping{RequireATJWT: test.required})
			declared := issuertest.Sign(t, h.issuer.SigningKey(), change{"typ": "at+jwt"}, h.claims())
			if test.seen {
				h.accepts(declared)
			}
			for name, claims := range map[string]change{"nothing": {"sub": "bob"}, "Keycloak's claim": {"typ": "Bearer"}} {
				if _, err := h.Authenticate(t.Context(), h.issuer.Token(h.with(claims))); !errors.Is(err, test.want) {
					t.Errorf("%s: got %v, want %v", name, err, test.want)
				}
			}
			h.accepts(declared)
		})
	}
}

// A token without a type that was taken before its issuer was seen to declare types
// is not remembered beyond that.
func TestCachedTokensAreVerifiedAgainAfterIssuerDeclaresTypes(t *testing.T) {
	t.Parallel()
	h := newFixture(t, Mapping{})
	plain := h.issuer.Token(h.claims())
	h.accepts(plain)
	h.accepts(plain)
	h.accepts(issuertest.Sign(t, h.issuer.SigningKey(), change{"typ": "at+jwt"}, h.claims()))
	h.refuses(plain, errKind)
}

// What was learned of an issuer holds for the first token after a restart.
func TestDeclaringIssuersAreKnownAfterARestart(t *testing.T) {
	t.Parallel()
	h := newFixture(t, Mapping{})
	var learned []string
	start := func() *fixture {
		a, err := New(Options{
			Issuers: []string{h.issuer.URL()}, Audiences: []string{audience}, Client: h.issuer.Client(), Now: h.clock.Now,
			Declaring: learned, OnDeclared: func(issuer string) { learned = append(learned, issuer) },
		})
		if err != nil {
			t.Fatal(err)
		}
		return &fixture{a, t, h.issuer, h.clock}
	}
	first := start()
	first.accepts(h.issuer.Token(h.claims()))
	for _, who := range []string{"alice", "bob"} {
		first.accepts(issuertest.Sign(t, h.issuer.SigningKey(), change{"typ": "at+jwt"}, h.with(change{"sub": who})))
	}
	if !slices.Equal(learned, []string{h.issuer.URL()}) {
		t.Errorf("learned %v", learned)
	}
	start().refuses(h.issuer.Token(h.claims()), errKind)
}

// A token that is refused teaches nothing about its issuer.
func TestRefusedTokenDeclaresNoType(t *testing.T) {
	t.Parallel()
	h := newFixture(t, Mapping{})
	h.refuses(issuertest.Sign(t, h.issuer.SigningKey(), change{"typ": "at+jwt"}, h.with(change{"aud": "another"})), errAudience)
	h.accepts(h.issuer.Token(h.claims()))
}

// shared signs with a shared key by HMAC.
func shared(secret []byte, signed string) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(signed))
	return signed + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
