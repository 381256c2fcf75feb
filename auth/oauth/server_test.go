package oauth

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"mcp-partner/access"
)

func TestMetadataSaysWhatClientsLookFor(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, path := range []string{MetadataPath, MetadataPath + "/mcp"} {
		answer := s.browser().get(path)
		got := answer.json()
		want := map[string]string{
			"issuer": `"` + s.url + `"`, "authorization_endpoint": `"` + s.url + `/oauth/authorize"`, "token_endpoint": `"` + s.url + `/oauth/token"`,
			"registration_endpoint": `"` + s.url + `/oauth/register"`, "code_challenge_methods_supported": `["S256"]`, "client_id_metadata_document_supported": "true",
			"authorization_response_iss_parameter_supported": "true", "scopes_supported": `["partner.read","partner.write","partner.change"]`,
			"token_endpoint_auth_methods_supported": `["none","client_secret_basic","client_secret_post"]`, "response_types_supported": `["code"]`,
		}
		for name, text := range want {
			if raw, _ := json.Marshal(got[name]); string(raw) != text {
				t.Errorf("%s is %s", name, raw)
			}
		}
		if answer.header.Get("Access-Control-Allow-Origin") != "*" {
			t.Error(answer.header)
		}
	}
	resource := string(s.server.Metadata(s.url + "/mcp"))
	if !strings.Contains(resource, `"authorization_servers":["`+s.url+`"]`) || strings.Contains(resource, "approve") || s.server.ScopeName(access.ScopeWrite) != "partner.write" {
		t.Error(resource)
	}
	if s.browser().get("/.well-known/openid-configuration").status != http.StatusNotFound {
		t.Error("it calls itself an OpenID provider")
	}
}

// A client in a browser may ask where no cookie counts, and nowhere else.
func TestOtherOriginsReachOnlyWhatNeedsNoCookie(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for path, open := range map[string]bool{
		"/oauth/token": true, "/oauth/register": true, "/oauth/revoke": true, MetadataPath: true, "/oauth/authorize": false, "/oauth/consent": false, "/oauth/continue": false,
	} {
		r, _ := http.NewRequest(http.MethodOptions, s.url+path, nil)
		answer := s.browser().do(r)
		if (answer.header.Get("Access-Control-Allow-Origin") == "*") != open || answer.header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: %v", path, answer.header)
		}
	}
}

func TestRedirectsOfThePolicy(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "*", "https://*", "https://*.example/cb", "http://own.example/cb", "javascript://x/y", "data:x", "https://u@own.example/", "https://own.example/a/../b#c", "file:///x"} {
		if CheckRedirects([]string{bad}) == nil {
			t.Errorf("%q is a pattern", bad)
		}
	}
	if err := CheckRedirects(append(KnownRedirects(), "https://own.example/*", "https://own.example:8443/cb", "vscode://own.program")); err != nil {
		t.Error(err)
	}
	p := policy{"https://own.example/*"}
	for uri, want := range map[string]bool{"https://own.example/a": true, "https://own.example/": false, "https://own.example/a/b": false, "https://own.example.evil/a": false, "http://127.0.0.1/": false} {
		if p.allows(uri) != want {
			t.Error(uri)
		}
	}
	if _, source := destination("http://[::1]:80/cb"); source != "http:" {
		t.Error(source)
	}
	if _, source := destination("cursor://a/b"); source != "cursor:" {
		t.Error(source)
	}
}

// No code, token, verifier or secret is in an entry.
func TestRecordHoldsNoSecrets(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	made := s.register(map[string]any{"token_endpoint_auth_method": authPost})
	id, secret := made.text("client_id"), made.text("client_secret")
	code := s.browser().consent("entra:t:alice", s.request(id)).Get("code")
	tokens := s.exchange(id, code, "client_secret", secret)
	again := s.refresh(id, tokens.text("refresh_token"), "client_secret", secret)
	s.clock.Advance(time.Minute)
	s.refresh(id, tokens.text("refresh_token"), "client_secret", secret)
	raw, _ := json.Marshal(s.store.Events())
	secrets := []string{secret, code, verifier, challengeOf(verifier), tokens.text("access_token"), tokens.text("refresh_token"), again.text("access_token"), again.text("refresh_token"), "sealed token"}
	if i := slices.IndexFunc(secrets, func(text string) bool { return text == "" || strings.Contains(string(raw), text) }); i >= 0 {
		t.Errorf("secret %d is empty or in the record: %s", i, raw)
	}
}
