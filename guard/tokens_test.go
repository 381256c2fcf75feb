package guard_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/schemas"
	"mcp-partner/schemas/problems"
)

func readToken(name string) guard.TokenRequest {
	return guard.TokenRequest{For: name, Grant: access.Grant{Scopes: []access.Scope{access.ScopeRead}, Tenants: []string{"contoso"}}}
}

func issue(t *testing.T, g *guard.Guard, r guard.TokenRequest) (string, guard.Token) {
	t.Helper()
	secret, token, err := g.IssueToken(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return secret, token
}

func TestTokenGrantsOnlyIssuedScopes(t *testing.T) {
	t.Parallel()
	g, store, c := withApprover(t)
	request := guard.TokenRequest{For: "nightly", Uses: 3, Grant: access.Grant{
		Scopes: []access.Scope{access.ScopeRead, access.ScopeWrite}, Tools: []string{schemas.ToolCheckPartnerLink}, Tenants: []string{"contoso", "fabrikam"}, PartnerIDs: []string{"1234567"},
	}}
	secret, token := issue(t, g, request)
	if !guard.IsToken(secret) || !strings.HasPrefix(secret, guard.TokenPrefix) || strings.Contains(secret, token.ID) {
		t.Fatalf("%q, %q", secret, token.ID)
	}
	p, err := g.AuthenticateToken(t.Context(), secret)
	if err != nil || p.Caller != "token:nightly" || p.Token != token.ID || !p.Counted || !p.Grant.AllowsTenant("fabrikam") || p.Grant.AllowsTenant("adatum") ||
		!p.Grant.Allows(operation(t, schemas.ToolCheckPartnerLink)) || p.Grant.Allows(operation(t, schemas.ToolListTenants)) || p.Grant.AllowsPartner("7654321") {
		t.Errorf("%+v, %v", p, err)
	}
	other, _ := issue(t, g, request)
	if other == secret {
		t.Error("two tokens are one")
	}
	for name, bearer := range map[string]string{
		"another": guard.TokenPrefix + strings.Repeat("A", 43), "its ID": token.ID, "cut": secret[:len(secret)-1], "longer": secret + "A",
		"padded": secret + "=", "empty": "", "prefix alone": guard.TokenPrefix, "without prefix": strings.TrimPrefix(secret, guard.TokenPrefix),
	} {
		if _, err := g.AuthenticateToken(t.Context(), bearer); codeOf(err) != problems.CodeTokenRefused {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, e := range store.Events() {
		if strings.Contains(e.Detail, secret[4:20]) {
			t.Errorf("the token stands in the record: %q", e.Detail)
		}
	}
	c.Advance(guard.DefaultTokenLife)
	if _, err := g.AuthenticateToken(t.Context(), secret); codeOf(err) != problems.CodeTokenRefused || g.TokenState(token) != "expired" {
		t.Errorf("expired: %v", err)
	}
}

func TestInvalidTokenRequestsAreRefused(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*guard.TokenRequest){
		"no name":             func(r *guard.TokenRequest) { r.For = "" },
		"a name with a colon": func(r *guard.TokenRequest) { r.For = "oidc:x" },
		"a name with a line":  func(r *guard.TokenRequest) { r.For = "a\nb" },
		"no scope":            func(r *guard.TokenRequest) { r.Grant.Scopes = nil },
		"an unknown scope":    func(r *guard.TokenRequest) { r.Grant.Scopes = []access.Scope{"partner.all"} },
		"no tenant":           func(r *guard.TokenRequest) { r.Grant.Tenants = nil },
		"more than figures, no tenant": func(r *guard.TokenRequest) {
			r.Grant.Scopes, r.Grant.Tenants = []access.Scope{access.ScopeMetrics, access.ScopeRead}, nil
		},
		"too long":            func(r *guard.TokenRequest) { r.Life = guard.MaxTokenLife + time.Second },
		"negative":            func(r *guard.TokenRequest) { r.Life = -time.Second },
		"uses below zero":     func(r *guard.TokenRequest) { r.Uses = -1 },
		"an unknown tool":     func(r *guard.TokenRequest) { r.Grant.Tools = []string{"drop_tables"} },
		"a tool out of scope": func(r *guard.TokenRequest) { r.Grant.Tools = []string{schemas.ToolRegisterPartner} },
		"a bad partner ID":    func(r *guard.TokenRequest) { r.Grant.PartnerIDs = []string{"x"} },
		"approve, no consent": func(r *guard.TokenRequest) { r.Grant.Scopes = []access.Scope{access.ScopeApprove} },
		"approve, wrong words": func(r *guard.TokenRequest) {
			r.Grant.Scopes = []access.Scope{access.ScopeApprove}
			r.By = guard.Credentials{Name: "anna", Passphrase: []byte("wrong horse")}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, store, _ := withApprover(t)
			request := readToken("nightly")
			change(&request)
			before := len(store.Events())
			if secret, _, err := g.IssueToken(t.Context(), request); err == nil || secret != "" || problems.As(err).Code == problems.CodeInternal {
				t.Errorf("issued, or %v", err)
			}
			if tokens, _ := g.Tokens(t.Context()); len(tokens) > 0 || len(store.Events()) != before {
				t.Error("something was stored")
			}
		})
	}
}

func TestApprovingTokenNeedsApprover(t *testing.T) {
	t.Parallel()
	g, _, _ := withApprover(t)
	request := readToken("alice")
	request.Grant.Scopes, request.By = []access.Scope{access.ScopeApprove}, anna
	_, token := issue(t, g, request)
	if token.IssuedBy != anna.Name {
		t.Errorf("issued by %q", token.IssuedBy)
	}
}

func TestRevokedTokenIsRefused(t *testing.T) {
	t.Parallel()
	g, store, c := withApprover(t)
	first, one := issue(t, g, readToken("nightly"))
	c.Advance(time.Second)
	second, _ := issue(t, g, readToken("nightly"))
	third, _ := issue(t, g, readToken("other"))
	live := func(want ...bool) {
		t.Helper()
		for i, secret := range []string{first, second, third} {
			if _, err := g.AuthenticateToken(t.Context(), secret); (err == nil) != want[i] {
				t.Errorf("token %d: %v, want live %v", i+1, err, want[i])
			}
		}
	}
	revoke := func(which guard.TokenSelection, want int) {
		t.Helper()
		if n, err := g.RevokeTokens(t.Context(), which); err != nil || n != want {
			t.Errorf("%+v: revoked %d, %v; want %d", which, n, err, want)
		}
	}
	live(true, true, true)
	revoke(guard.TokenSelection{}, 0)
	revoke(guard.TokenSelection{ID: "tk_0"}, 0)
	revoke(guard.TokenSelection{ID: one.ID}, 1)
	live(false, true, true)
	revoke(guard.TokenSelection{For: guard.TokenCaller("nightly")}, 1)
	live(false, false, true)
	revoke(guard.TokenSelection{All: true}, 1)
	live(false, false, false)
	revoke(guard.TokenSelection{All: true}, 0)
	c.Advance(time.Second)
	_, late := issue(t, g, readToken("late"))
	c.Advance(time.Second)
	_, later := issue(t, g, readToken("later"))
	c.Advance(guard.DefaultTokenLife + guard.ReachAfterEnd - 2*time.Second)
	revoke(guard.TokenSelection{ID: late.ID}, 1) // what it opened or approved may be left
	c.Advance(2 * time.Second)
	revoke(guard.TokenSelection{ID: later.ID}, 0)
	tokens, err := g.Tokens(t.Context())
	if err != nil || len(tokens) != 5 || tokens[4].ID != one.ID || g.TokenState(tokens[2]) != "revoked" {
		t.Errorf("%+v, %v", tokens, err)
	}
	last := store.Events()[len(store.Events())-1]
	if last.Kind != guard.KindToken || !strings.HasPrefix(last.Detail, "revoked tk_") {
		t.Errorf("%+v", last)
	}
}

// 64 calls race for the five uses of a token.
func TestConcurrentCallsCountEachUseOnce(t *testing.T) {
	t.Parallel()
	g, _, _ := withApprover(t)
	request := readToken("nightly")
	request.Uses = 5
	secret, _ := issue(t, g, request)
	p, err := g.AuthenticateToken(t.Context(), secret)
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	var mu sync.Mutex
	passed := 0
	for range 64 {
		group.Go(func() {
			err := g.Use(t.Context(), p)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				passed++
			} else if codeOf(err) != problems.CodeTokenRefused {
				t.Errorf("%v", err)
			}
		})
	}
	group.Wait()
	if passed != 5 {
		t.Errorf("%d calls of 5", passed)
	}
	if _, err := g.AuthenticateToken(t.Context(), secret); codeOf(err) != problems.CodeTokenRefused {
		t.Errorf("a token that is used up lets in: %v", err)
	}
	unbound, _ := issue(t, g, readToken("nightly"))
	p, err = g.AuthenticateToken(t.Context(), unbound)
	if err != nil || p.Counted || g.Use(t.Context(), p) != nil {
		t.Errorf("a token without a bound is counted: %+v, %v", p, err)
	}
}
