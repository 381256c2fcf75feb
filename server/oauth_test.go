package server_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"mcp-partner/access"
	"mcp-partner/internal/wiretest"
	"mcp-partner/server"
)

// resourceServer takes tokens with a dot. Behind it stand the scopes that they
// have, or what is wrong with them.
type resourceServer struct{ names map[access.Scope]string }

// sayingNo is what its refusals are.
type sayingNo struct {
	text string
	wait time.Duration
}

func (s sayingNo) Error() string             { return hidden }
func (s sayingNo) Description() string       { return s.text }
func (s sayingNo) RetryAfter() time.Duration { return s.wait }

// Takes implements server.Authenticator.
func (resourceServer) Takes(token string) bool { return strings.Contains(token, ".") }

// Authenticate implements server.Authenticator.
func (resourceServer) Authenticate(_ context.Context, token string) (access.Principal, error) {
	switch _, rest, _ := strings.Cut(token, "."); rest {
	case "expired":
		return access.Principal{}, sayingNo{text: "the token has expired"}
	case "down":
		return access.Principal{}, sayingNo{text: "the issuer cannot be reached", wait: 5 * time.Second}
	case "wrong":
		return access.Principal{}, errors.New(hidden)
	case "none":
		return access.Principal{Caller: "oidc:1", Consented: true}, nil
	default:
		p := access.Principal{Caller: "oidc:1", Grant: access.Grant{Tenants: []string{"*"}}, Consented: true}
		for scope := range strings.SplitSeq(rest, "+") {
			p.Grant.Scopes = append(p.Grant.Scopes, access.Scope("partner."+scope))
		}
		return p, nil
	}
}

// Metadata implements server.ResourceServer.
func (resourceServer) Metadata(resource string) []byte {
	return []byte(`{"resource":"` + resource + `"}`)
}

// ScopeName implements server.ResourceServer.
func (r resourceServer) ScopeName(scope access.Scope) string { return r.names[scope] }

func newResourceServer() resourceServer {
	return resourceServer{map[access.Scope]string{access.ScopeRead: "api://x/partner.read", access.ScopeWrite: "api://x/partner.write", access.ScopeChange: "api://x/partner.change"}}
}

func startOAuth(t *testing.T, change func(*server.HTTPOptions)) *httpServer {
	t.Helper()
	o := httpOptions()
	issuer := newResourceServer()
	o.OAuth, o.Bearer = issuer, append(server.Authenticators{issuer}, o.Bearer...)
	if change != nil {
		change(&o)
	}
	return serveHTTP(t, newServer(newFixtures(), nil), o, "")
}

func TestOAuthChallenges(t *testing.T) {
	t.Parallel()
	c := startOAuth(t, nil)
	where := `resource_metadata="http://` + c.Addr + `/.well-known/oauth-protected-resource/mcp"`
	for _, test := range []struct {
		name, authorization string
		status              int
		challenge           string
	}{
		{name: "nothing", status: 401, challenge: `Bearer realm="mcp", scope="api://x/partner.read", ` + where},
		{name: "basic", authorization: "Basic eDp5", status: 401, challenge: `Bearer realm="mcp", scope="api://x/partner.read", ` + where},
		{
			name: "expired", authorization: "Bearer a.expired", status: 401,
			challenge: `Bearer realm="mcp", error="invalid_token", error_description="the token has expired", scope="api://x/partner.read", ` + where,
		},
		{
			name: "wrong", authorization: "Bearer a.wrong", status: 401,
			challenge: `Bearer realm="mcp", error="invalid_token", scope="api://x/partner.read", ` + where,
		},
		{
			name: "wrong start-up token", authorization: "Bearer wrong", status: 401,
			challenge: `Bearer realm="mcp", error="invalid_token", scope="api://x/partner.read", ` + where,
		},
		{name: "issuer down", authorization: "Bearer a.down", status: 503},
		{name: "good", authorization: "Bearer a.read", status: 200},
		{name: "without any scope", authorization: "Bearer a.none", status: 200},
		{name: "good start-up token", authorization: "Bearer " + goodToken, status: 200},
	} {
		for _, era := range wiretest.Eras() {
			r := c.NewRequest(era.Request(1, "tools/list", nil, nil))
			if test.authorization != "" {
				r.Header.Set("Authorization", test.authorization)
			}
			answer := c.Do(r)
			if answer.Status != test.status || answer.Header.Get("WWW-Authenticate") != test.challenge || strings.Contains(string(answer.Body), hidden) {
				t.Errorf("%s, %s: %d, %q, %s", test.name, era, answer.Status, answer.Header.Get("WWW-Authenticate"), answer.Body)
			}
			if wait := answer.Header.Get("Retry-After"); (wait == "5") != (test.status == 503) {
				t.Errorf("%s: Retry-After %q", test.name, wait)
			}
		}
	}
	r := c.NewRequest(wiretest.Legacy.Request(1, "tools/list", nil, nil))
	r.Header["Authorization"] = []string{"Bearer a.read", "Bearer a.read"}
	if answer := c.Do(r); answer.Status != 401 || strings.Contains(answer.Header.Get("WWW-Authenticate"), "error") {
		t.Errorf("two tokens: %d %v", answer.Status, answer.Header)
	}
}

// TestOAuthStepUp asks for tools of the catalogue, which the fixtures do not
// have: mcp-go would answer that there is no such tool.
func TestOAuthStepUp(t *testing.T) {
	t.Parallel()
	c := startOAuth(t, nil)
	for _, test := range []struct{ token, tool, scope string }{
		{token: "a.none", tool: "check_partner_link", scope: "api://x/partner.read"},
		{token: "a.none", tool: "register_partner", scope: "api://x/partner.read api://x/partner.write"},
		{token: "a.read", tool: "register_partner", scope: "api://x/partner.read api://x/partner.write"},
		{token: "a.read", tool: "remove_partner", scope: "api://x/partner.read api://x/partner.change"},
		{token: "a.write+change", tool: "check_partner_link", scope: "api://x/partner.read"},
		{token: "a.read+approve", tool: "update_partner", scope: "api://x/partner.read api://x/partner.change"},
		{token: "a.read", tool: "check_partner_link"},
		{token: "a.write", tool: "register_partner"},
		{token: "a.write", tool: "get_approval"},
		{token: "a.read", tool: "echo"},
		{token: goodToken, tool: "register_partner"},
	} {
		for _, era := range wiretest.Eras() {
			r := c.NewRequest(era.Call("call-7", test.tool, nil))
			r.Header.Set("Authorization", "Bearer "+test.token)
			answer := c.Do(r)
			challenge := answer.Header.Get("WWW-Authenticate")
			if test.scope == "" {
				if answer.Status == 403 || challenge != "" {
					t.Errorf("%s may not call %s: %d %s", test.token, test.tool, answer.Status, challenge)
				}
				continue
			}
			reply := answer.Last(t)
			if answer.Status != 403 || !strings.HasPrefix(challenge, `Bearer realm="mcp", error="insufficient_scope", error_description="`) ||
				!strings.Contains(challenge, `, scope="`+test.scope+`", resource_metadata="http`) || reply.Code() != -32600 || !strings.Contains(string(answer.Body), `"call-7"`) {
				t.Errorf("%s calls %s over %s: %d, %s, %s", test.token, test.tool, era, answer.Status, challenge, answer.Body)
			}
		}
	}
	r := c.NewRequest(`{"jsonrpc":"2.0","method":"tools/call","params":{"name":"register_partner"}}`)
	r.Header.Set("Authorization", "Bearer a.read")
	if answer := c.Do(r); answer.Status == 403 {
		t.Error("a notification was answered as if it were a call")
	}
}

func TestOAuthMetadata(t *testing.T) {
	t.Parallel()
	c := startOAuth(t, nil)
	_, port, _ := net.SplitHostPort(c.Addr)
	get := func(path, host string) *http.Request {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+c.Addr+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if host != "" {
			r.Host = host
		}
		return r
	}
	const root = "/.well-known/oauth-protected-resource"
	for _, test := range []struct {
		path, host string
		status     int
		resource   string
	}{
		{path: root, status: 200, resource: "http://" + c.Addr + "/mcp"},
		{path: root + "/mcp", status: 200, resource: "http://" + c.Addr + "/mcp"},
		{path: root, host: "localhost:" + port, status: 200, resource: "http://localhost:" + port + "/mcp"},
		{path: root, host: "localhost", status: 200, resource: "http://localhost/mcp"},
		{path: root, host: "[::1]:" + port, status: 200, resource: "http://[::1]:" + port + "/mcp"},
		{path: root, host: "[::1]", status: 200, resource: "http://[::1]/mcp"},
		{path: root, host: "localhost:evil", status: 403},
		{path: root, host: "localhost:99999", status: 403},
		{path: root, host: "localhost:", status: 200, resource: "http://localhost/mcp"},
		{path: root, host: "evil.example", status: 403},
		{path: root, host: "localhost.evil.example", status: 403},
		{path: root + "/", status: 404},
		{path: root + "/mcp/", status: 200, resource: "http://" + c.Addr + "/mcp"},
		{path: root + "/other", status: 404},
		{path: "/.well-known/oauth-authorization-server", status: 404},
		{path: "/.well-known/openid-configuration", status: 404},
	} {
		r := get(test.path, test.host)
		answer := c.Do(r)
		if answer.Status != test.status || test.resource != "" && string(answer.Body) != `{"resource":"`+test.resource+`"}`+"\n" {
			t.Errorf("%s on %q: %d %s", test.path, test.host, answer.Status, answer.Body)
		}
		for name := range answer.Header {
			if strings.HasPrefix(name, "Access-Control") {
				t.Errorf("%s: %s", test.path, name)
			}
		}
	}
	post := get(root, "")
	post.Method = http.MethodPost
	if answer := c.Do(post); answer.Status != 405 || answer.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d", answer.Status)
	}
	plain := startHTTP(t, newFixtures())
	r := get(root, plain.Addr)
	r.URL.Host = plain.Addr
	if answer := plain.Do(r); answer.Status != 404 {
		t.Errorf("without OAuth: %d", answer.Status)
	}
}

func TestOAuthPublicURL(t *testing.T) {
	t.Parallel()
	c := startOAuth(t, func(o *server.HTTPOptions) {
		o.PublicURL, o.Bearer = "https://mcp.example", nil
		o.Anonymous = access.Principal{Caller: "anybody", Grant: access.FullGrant()}
	})
	answer := c.Post(wiretest.Legacy.Call(1, "echo", nil))
	want := `resource_metadata="https://mcp.example/.well-known/oauth-protected-resource/mcp"`
	if answer.Status != 401 || !strings.HasSuffix(answer.Header.Get("WWW-Authenticate"), want) {
		t.Errorf("nobody is let in, and told to go to the public address: %d %v", answer.Status, answer.Header)
	}
	c.Bearer = "without-a-dot"
	if answer := c.Post(wiretest.Legacy.Call(1, "echo", nil)); answer.Status != 401 {
		t.Errorf("an unknown kind of token: %d", answer.Status)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+c.Addr+"/.well-known/oauth-protected-resource", nil)
	if err != nil {
		t.Fatal(err)
	}
	if answer := c.Do(r); string(answer.Body) != `{"resource":"https://mcp.example/mcp"}`+"\n" {
		t.Errorf("metadata: %s", answer.Body)
	}
}

// The scopes of the issuer grant nothing, so the challenge names none.
func TestOAuthChallengeWithoutScopes(t *testing.T) {
	t.Parallel()
	c := startOAuth(t, func(o *server.HTTPOptions) { o.OAuth = resourceServer{} })
	if answer := c.Post(wiretest.Legacy.Call(1, "echo", nil)); strings.Contains(answer.Header.Get("WWW-Authenticate"), "scope=") {
		t.Errorf("asks for %s", answer.Header.Get("WWW-Authenticate"))
	}
	c.Bearer = "a.read"
	answer := c.Post(wiretest.Legacy.Call(1, "register_partner", nil))
	if challenge := answer.Header.Get("WWW-Authenticate"); answer.Status != 403 || strings.Contains(challenge, "scope=\"") {
		t.Errorf("%d %s", answer.Status, challenge)
	}
}

// asksForMore is a token of an operator, for whom no client can get another one.
type asksForMore struct{ consented bool }

func (asksForMore) Takes(string) bool { return true }

func (a asksForMore) Authenticate(context.Context, string) (access.Principal, error) {
	return access.Principal{Caller: "token:x", Consented: a.consented}, nil
}

// A client is sent back for another scope only if somebody can consent to it.
func TestStepUpNeedsSomebodyWhoConsents(t *testing.T) {
	t.Parallel()
	for _, consented := range []bool{true, false} {
		c := startOAuth(t, func(o *server.HTTPOptions) { o.Bearer = server.Authenticators{asksForMore{consented}} })
		c.Bearer = "x"
		answer := c.Post(wiretest.Modern.Call(1, "register_partner", nil))
		if asked := strings.Contains(answer.Header.Get("WWW-Authenticate"), "insufficient_scope"); asked != consented {
			t.Errorf("consented %v: %d %v", consented, answer.Status, answer.Header)
		}
	}
}
