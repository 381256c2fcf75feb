package auth

import (
	"errors"
	"strings"
	"testing"

	"mcp-partner/internal/issuertest"
)

// FuzzToken looks for bytes that are accepted without being one of the tokens
// that the issuer signed, or that end in anything but a refusal.
func FuzzToken(f *testing.F) {
	h := newFixture(f, Mapping{})
	stranger := issuertest.Start(f).SigningKey()
	good := h.issuer.Token(h.claims())
	parts := strings.Split(good, ".")
	for _, seed := range []string{
		good, good + ".", "." + good, good[1:], parts[0] + ".." + parts[2], "..", "", "a.b.c",
		issuertest.Unsigned(f, change{"alg": "none"}, h.claims()) + ".",
		issuertest.Sign(f, h.issuer.SigningKey(), change{"crit": []string{"x"}}, h.claims()),
		issuertest.Sign(f, h.issuer.SigningKey(), nil, h.with(change{"aud": []any{audience, nil}})),
		issuertest.Sign(f, stranger, change{"jwk": stranger.Public()}, h.claims()),
	} {
		f.Add(seed)
	}
	h.accepts(good)
	f.Fuzz(func(t *testing.T, token string) {
		p, err := h.Authenticate(t.Context(), token)
		var refusal *Refusal
		switch {
		case err != nil && (!errors.As(err, &refusal) || p.Caller != ""):
			t.Errorf("%q: %+v, %v", token, p, err)
		case err == nil && token != good && !sameMeaning(token, good):
			t.Errorf("%q was accepted", token)
		}
	})
}

// sameMeaning allows another signature over the same header and claims: one by
// ECDSA can be turned into a second one that is valid too.
func sameMeaning(token, good string) bool {
	return strings.HasPrefix(token, good[:strings.LastIndex(good, ".")+1])
}

// FuzzClaims reads whatever an issuer may sign.
func FuzzClaims(f *testing.F) {
	for _, seed := range []string{`{}`, `null`, `[]`, `{"aud":["a",null]}`, `{"exp":1e400}`, `{"exp":-0.0}`, `{"scope":{"a":1}}`, `{"roles":"a"}`, `{"a":{"b":["c"]}}`, `{"exp":null}`} {
		f.Add([]byte(seed))
	}
	m := Mapping{RolesClaim: []string{"a", "b"}, Grants: []CallerGrant{{Issuer: "https://login.example", Role: "c", Tenants: []string{"*"}}}}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := parseClaims(text)
		if err != nil {
			return
		}
		id := &identity{issuer: issuer{name: "https://login.example"}, claims: c}
		_ = id.checkTimes(newClock().Now())
		_ = id.identify()
		_ = checkKind(c, c)
		if checkAudience(c, []string{audience}, nil) == nil && !strings.Contains(string(c["aud"]), "m") {
			t.Errorf("%s is for this server", text)
		}
		if g := m.grant(id); len(g.Tenants) > 0 && !c.has("a") {
			t.Errorf("%s is given tenants", text)
		}
	})
}
