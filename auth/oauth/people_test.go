package oauth

import (
	"context"
	"html"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"mcp-partner/access"
	"mcp-partner/auth"
	"mcp-partner/auth/users"
	"mcp-partner/internal/issuertest"
)

var onward = regexp.MustCompile(`http-equiv="refresh" content="0;url=([^"]*)"`)

// xor is a sealer that shows whether something was sealed.
type xor struct{}

func (xor) Seal(plain []byte) ([]byte, error)  { return turned(plain), nil }
func (xor) Open(sealed []byte) ([]byte, error) { return turned(sealed), nil }

func turned(text []byte) []byte {
	text = slices.Clone(text)
	for i := range text {
		text[i] ^= 0x5a
	}
	return text
}

// withIssuer starts a server whose people are those of production, and sign in at an
// issuer that refuses a resource as Entra ID does.
func withIssuer(t *testing.T) (*site, *issuertest.SignIn) {
	t.Helper()
	issuer := issuertest.Start(t)
	var signIn *users.SignIn
	s := newSite(t)
	upstream := &issuertest.SignIn{ClientID: "app", RedirectURI: s.url + users.CallbackPath, Secret: "secret", Now: s.clock.Now}
	issuer.SignsIn(upstream)
	upstream.As(issuertest.Claims{"sub": "alice", "preferred_username": "alice@example.com"}, nil)
	callers, err := auth.New(auth.Options{Issuers: []string{issuer.URL()}, Audiences: []string{"app"}, Client: issuer.Client(), Now: s.clock.Now, Mapping: auth.Mapping{
		Grants: []auth.CallerGrant{{Issuer: issuer.URL(), Subject: "alice", Tenants: []string{"contoso-1"}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	application, err := callers.Upstream(auth.Application{Issuer: issuer.URL(), ClientID: "app", RedirectURI: s.url + users.CallbackPath, Credential: func(context.Context) (auth.ClientCredential, error) {
		return auth.ClientCredential{Secret: "secret"}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if signIn, err = users.New(users.Options{Store: s.store, PublicURL: s.url, Upstream: application, Sealer: xor{}, Now: s.clock.Now}); err != nil {
		t.Fatal(err)
	}
	signIn.ShowClients(s.server)
	s.server.o.People = signIn
	s.web.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/oauth/") {
			s.server.ServeHTTP(w, r)
			return
		}
		signIn.ServeHTTP(w, r)
	})
	s.issuer = issuer.Client()
	return s, upstream
}

// follow goes where a browser would go by itself, to the issuer and back.
func (b *browser) follow(v seen) seen {
	b.Helper()
	for range 10 {
		next := v.header.Get("Location")
		if found := onward.FindStringSubmatch(v.body); found != nil {
			next = html.UnescapeString(found[1])
		}
		switch {
		case next == "":
			return v
		case strings.HasPrefix(next, "/"), strings.HasPrefix(next, b.url):
			v = b.get(next)
		default:
			response, err := b.issuer.Get(next)
			if err != nil {
				b.Fatal(err)
			}
			response.Body.Close()
			v = seen{status: response.StatusCode, header: response.Header}
		}
	}
	b.Fatal("no end:", v)
	return v
}

// From a bare request to a call, with the sign-in of production.
func TestPersonSignsInAtTheIssuerOnTheWay(t *testing.T) {
	t.Parallel()
	s, upstream := withIssuer(t)
	client := s.clientID()
	b := s.browser()
	first := b.get("/oauth/authorize?" + s.request(client).Encode())
	if upstream.Asked() != nil {
		t.Error("the issuer was asked before the first button")
	}
	signIn := b.follow(b.press(first, first.form("continue")))
	consent := b.follow(b.press(signIn, with(signIn.form(""), "how", "", "decision", "-")))
	if !strings.Contains(consent.body, "alice@example.com") || !strings.Contains(consent.body, "1 customer: contoso-1") || upstream.Asked().Has("resource") {
		t.Fatal(consent.status, consent.body)
	}
	answer := b.press(consent, consent.form("allow")).location().Query()
	tokens := s.exchange(client, answer.Get("code"))
	p := s.mustWork(tokens.text("access_token"))
	if !strings.HasPrefix(string(p.Caller), "oidc:") || !slices.Equal(p.Grant.Tenants, []string{"contoso-1"}) || !p.Grant.Has(access.ScopeWrite) {
		t.Errorf("%+v", p)
	}
	if account := b.get("/account"); !strings.Contains(account.body, "Unverified client") || !strings.Contains(account.body, "read, write new links") {
		t.Error(account.body)
	}
	again := b.get("/oauth/authorize?" + s.request(client).Encode())
	if page := b.follow(again); !strings.Contains(page.body, `value="allow"`) {
		t.Error("a live session skips the consent:", page.status, page.body)
	}
	s.clock.Advance(time.Hour)
	tokens = s.refresh(client, tokens.text("refresh_token"))
	s.mustWork(tokens.text("access_token"))
	tokens = s.refresh(client, tokens.text("refresh_token"))
	s.mustWork(tokens.text("access_token"))
	upstream.Disable(true)
	if out := s.refresh(client, tokens.text("refresh_token")); out.text("error") != errGrant {
		t.Error("a leaver gets tokens:", out.body)
	}
	s.mustFail(tokens.text("access_token"))
	if len(s.entries("the person is not let in any more")) != 1 {
		t.Error(s.entries("ended"))
	}
}
