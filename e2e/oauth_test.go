package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mcp-partner/internal/issuertest"
	"mcp-partner/internal/wiretest"
	"mcp-partner/simulator"
)

const (
	oauthName   = "api://mcp-partner"
	entraTenant = "11111111-2222-3333-4444-555555555555"
	entraObject = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
	entraIssuer = "https://login.microsoftonline.com/" + entraTenant + "/v2.0"
)

const machines = `
callers:
  grants:
    - {name: nightly, issuer: ISSUER, subject: sub-of-nightly, tenants: [contoso], partner_ids: ["1234567"]}
    - {name: whoever has the role, issuer: ISSUER, role: Everywhere, tenants: ["*"], scopes: [partner.read]}
`

// TestOAuthMachine lets machines do what the mapping gives them and no more.
func TestOAuthMachine(t *testing.T) {
	t.Parallel()
	h := serveOAuth(t, nil, machines, nil)
	reader := h.machine("nightly", nil)
	writer := h.machine("nightly", issuertest.Claims{"roles": []string{"partner.read", "partner.write"}})
	stranger := h.machine("stranger", nil)
	everywhere := h.machine("third", issuertest.Claims{"roles": []string{"partner.read", "partner.write", "partner.approve", "Everywhere"}})
	nothing := h.machine("fourth", issuertest.Claims{"roles": []string{"Everywhere"}})
	register := wiretest.Object{"tenant": "contoso", "partner_id": "1234567"}
	for _, era := range wiretest.Eras() {
		for _, c := range []struct {
			name, token, tool string
			arguments         wiretest.Object
			status            int
			says, not         string
		}{
			{
				name: "its tenant", token: reader, tool: "check_partner_link", arguments: wiretest.Object{"tenant": "contoso"}, status: 200,
				says: `"state":"not_linked"`, not: "x-none",
			},
			{
				name: "the only one it has", token: reader, tool: "check_partner_link", arguments: wiretest.Object{}, status: 200,
				says: `"tenant":"contoso"`, not: "x-none",
			},
			{
				name: "another's tenant", token: reader, tool: "check_partner_link", arguments: wiretest.Object{"tenant": "fabrikam"},
				status: 200, says: `"unknown_tenant"`, not: "tenant_id",
			},
			{name: "its list", token: reader, tool: "list_tenants", arguments: wiretest.Object{}, status: 200, says: "contoso", not: "fabrikam"},
			{
				name: "no mapping, no tenants", token: stranger, tool: "list_tenants", arguments: wiretest.Object{}, status: 200,
				says: `"directory_empty"`, not: "contoso",
			},
			{
				name: "no mapping, no call", token: stranger, tool: "check_partner_link", arguments: wiretest.Object{"tenant": "contoso"},
				status: 200, says: `"directory_empty"`, not: "tenant_id",
			},
			{name: "by role", token: everywhere, tool: "list_tenants", arguments: wiretest.Object{}, status: 200, says: "fabrikam", not: "x-none"},
			{
				name: "a write without the scope", token: reader, tool: "register_partner", arguments: register, status: 403,
				says: "partner.write", not: "structuredContent",
			},
			{
				name: "a write beyond the grant's scopes", token: everywhere, tool: "register_partner", arguments: register, status: 403,
				says: "partner.write", not: "structuredContent",
			},
			{
				name: "tenants without a scope", token: nothing, tool: "list_tenants", arguments: wiretest.Object{}, status: 403,
				says: "partner.read", not: "contoso",
			},
			{
				name: "a write of another ID", token: writer, tool: "register_partner",
				arguments: wiretest.Object{"tenant": "contoso", "partner_id": "7654321"}, status: 200, says: `"insufficient_scope"`,
				not: "approval_id",
			},
			{
				name: "a write in another's tenant", token: writer, tool: "register_partner",
				arguments: wiretest.Object{"tenant": "fabrikam", "partner_id": "1234567"}, status: 200, says: `"unknown_tenant"`,
				not: "tenant_id",
			},
			{
				name: "a write that goes to policy", token: writer, tool: "register_partner", arguments: register, status: 200,
				not: "insufficient_scope",
			},
			{
				name: "a change without the scope", token: writer, tool: "remove_partner", arguments: register, status: 403,
				says: "partner.change", not: "structuredContent",
			},
		} {
			answer := h.call(c.token, era, c.tool, c.arguments)
			body := string(answer.Body)
			if answer.Status != c.status || !strings.Contains(body, c.says) || strings.Contains(body, c.not) {
				t.Errorf("%s, %s: %d %s", c.name, era, answer.Status, body)
			}
			if challenge := answer.Header.Get("WWW-Authenticate"); (answer.Status == 403) != strings.Contains(challenge, `error="insufficient_scope"`) ||
				answer.Status == 403 && !strings.Contains(challenge, `scope="partner.read`) {
				t.Errorf("%s, %s: challenged with %q", c.name, era, challenge)
			}
		}
		waits := string(h.call(writer, era, "register_partner", register).Body)
		if !strings.Contains(waits, `"approval_required"`) && !strings.Contains(waits, "elicitation") {
			t.Errorf("%s: nobody is asked: %s", era, waits)
		}
		tools := string(h.post(reader, era, era.Request(1, "tools/list", nil, nil)).Body)
		if strings.Contains(tools, `"register_partner"`) || !strings.Contains(tools, `"check_partner_link"`) {
			t.Errorf("%s: the reader's tools are %s", era, tools)
		}
		if tools := string(h.post(nothing, era, era.Request(1, "tools/list", nil, nil)).Body); strings.Contains(tools, "partner_link") {
			t.Errorf("%s: tools without a scope: %s", era, tools)
		}
	}
	if link, _ := h.sim.Tenant("contoso"); link.PartnerID != "" {
		t.Error("something was written")
	}
	h.keepsNoToken()
	if said := h.server.errs.String(); !strings.Contains(said, "caller=oidc:") {
		t.Errorf("the callers are not in the log: %s", said)
	}
}

// TestOAuthRefusals sends what is not a token for this server.
func TestOAuthRefusals(t *testing.T) {
	t.Parallel()
	h := serveOAuth(t, nil, machines, nil)
	good := h.claims("nightly")
	sign := func(changes issuertest.Claims) string { return h.issuer.Token(issuertest.With(good, changes)) }
	now := time.Now().Unix()
	for name, token := range map[string]string{
		"none":           "",
		"expired":        sign(issuertest.Claims{"exp": now - 120}),
		"not yet valid":  sign(issuertest.Claims{"nbf": now + 120}),
		"wrong issuer":   sign(issuertest.Claims{"iss": "https://login.example"}),
		"wrong audience": sign(issuertest.Claims{"aud": "api://other"}),
		"for ARM":        sign(issuertest.Claims{"aud": "https://management.azure.com"}),
		"for both":       sign(issuertest.Claims{"aud": []string{oauthName, "https://management.azure.com"}}),
		"ID token":       sign(issuertest.Claims{"nonce": "n"}),
		"alg none":       issuertest.Unsigned(t, issuertest.Claims{"alg": "none"}, good) + ".",
		"unknown kid":    issuertest.Sign(t, issuertest.Start(t).SigningKey(), issuertest.Claims{"kid": "other"}, good),
		"garbage":        "a.b.c",
		"opaque":         strings.Repeat("A", 43),
		"token of Azure": h.azureToken(),
	} {
		for _, era := range wiretest.Eras() {
			answer := h.call(token, era, "list_tenants", nil)
			challenge := answer.Header.Get("WWW-Authenticate")
			if answer.Status != 401 || !strings.Contains(challenge, "/.well-known/oauth-protected-resource/mcp\"") || strings.Contains(string(answer.Body), "contoso") ||
				strings.Contains(challenge, "invalid_token") == (token == "") {
				t.Errorf("%s, %s: %d %q %s", name, era, answer.Status, challenge, answer.Body)
			}
		}
	}
	if got := h.call(sign(nil), wiretest.Legacy, "list_tenants", nil); got.Status != 200 {
		t.Errorf("a good token: %d %s", got.Status, got.Body)
	}
	h.keepsNoToken()
}

// azureToken is one that the simulated Entra ID issued for ARM.
func (h *oauthServer) azureToken() string {
	h.tb.Helper()
	token, err := h.sim.Token("contoso", "")
	if err != nil {
		h.tb.Fatal(err)
	}
	return token
}

// TestOAuthEntra reaches the issuer under the names of Entra ID, through a proxy
// as many do.
func TestOAuthEntra(t *testing.T) {
	t.Parallel()
	h := &oauthServer{world: newWorld(t, simulator.Config{Tenants: 2, LinkedPercent: -1}), issuer: issuertest.Start(t)}
	h.settle("contoso", "fabrikam")
	proxy := httptest.NewServer(tunnel(h.issuer.Addr()))
	t.Cleanup(proxy.Close)
	h.serve(t, []string{entraIssuer, "https://sts.windows.net/" + entraTenant + "/"}, `
callers:
  scopes: {partner.read: partner.read, partner.write: partner.write}
  scope_prefix: "`+oauthName+`/"
  grants: [{tenant_id: `+entraTenant+`, object_id: `+entraObject+`, tenants: [contoso]}]
`, []string{"HTTPS_PROXY=" + proxy.URL}, "--public-url", "https://partner.example.com/mcp", "--allowed-hosts", "127.0.0.1")
	if h.at != "https://partner.example.com/mcp" {
		t.Errorf("shown: %s", h.at)
	}
	h.at = "http://" + h.server.listening(t) + "/mcp"
	person := issuertest.With(h.claims("vscode"), issuertest.Claims{
		"iss": entraIssuer, "ver": "2.0", "tid": entraTenant, "oid": entraObject, "roles": nil, "scp": "partner.read", "preferred_username": "alice@contoso.example",
	})
	read := h.issuer.Token(person)
	if got := h.call(read, wiretest.Legacy, "list_tenants", nil); got.Status != 200 || strings.Contains(string(got.Body), "fabrikam") || !strings.Contains(string(got.Body), "contoso") {
		t.Errorf("version 2: %d %s", got.Status, got.Body)
	}
	old := h.issuer.Token(issuertest.With(person, issuertest.Claims{"iss": "https://sts.windows.net/" + entraTenant + "/", "ver": "1.0", "azp": nil, "appid": "x"}))
	if got := h.call(old, wiretest.Modern, "check_partner_link", wiretest.Object{}); got.Status != 200 || !strings.Contains(string(got.Body), "not_linked") {
		t.Errorf("version 1: %d %s", got.Status, got.Body)
	}
	answer := h.call(read, wiretest.Modern, "register_partner", wiretest.Object{"tenant": "contoso", "partner_id": "1234567"})
	want := `error="insufficient_scope", error_description="the tool needs a scope that the token lacks", scope="` + oauthName + "/partner.read " + oauthName +
		`/partner.write", resource_metadata="https://partner.example.com/.well-known/oauth-protected-resource/mcp"`
	if answer.Status != 403 || !strings.HasSuffix(answer.Header.Get("WWW-Authenticate"), want) {
		t.Errorf("%d %s", answer.Status, answer.Header.Get("WWW-Authenticate"))
	}
	status, header, body := h.get("/.well-known/oauth-protected-resource")
	var metadata struct {
		Resource string
		Servers  []string `json:"authorization_servers"`
		Scopes   []string `json:"scopes_supported"`
	}
	if err := json.Unmarshal([]byte(body), &metadata); err != nil || status != 200 || metadata.Resource != "https://partner.example.com/mcp" ||
		len(metadata.Servers) != 2 || metadata.Servers[0] != entraIssuer || len(metadata.Scopes) != 2 || header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("metadata: %d %v %s", status, header, body)
	}
	h.keepsNoToken()
	if said := h.server.errs.String(); !strings.Contains(said, "caller=entra:"+entraTenant+":"+entraObject) || strings.Contains(said, "alice@") {
		t.Errorf("the caller has another name: %s", said)
	}
}

// tunnel is a proxy that leads every host to one address.
func tunnel(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || !strings.HasSuffix(r.Host, ":443") {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		far, err := net.Dial("tcp", to)
		if err != nil {
			http.Error(w, "no", http.StatusBadGateway)
			return
		}
		defer far.Close()
		near, buffered, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer near.Close()
		_, _ = fmt.Fprint(near, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(far, buffered) }()
		_, _ = io.Copy(near, far)
	}
}

// TestOAuthServerStartsWhileIssuerIsDown starts the server before its issuer works.
func TestOAuthServerStartsWhileIssuerIsDown(t *testing.T) {
	t.Parallel()
	h := &oauthServer{world: newWorld(t, simulator.Config{Tenants: 2, LinkedPercent: -1}), issuer: issuertest.Start(t)}
	h.settle("contoso")
	h.issuer.AnswerWith(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	h.serve(t, nil, machines, nil)
	token := h.issuer.Token(h.claims("nightly"))
	answer := h.call(token, wiretest.Modern, "list_tenants", nil)
	if answer.Status != 503 || answer.Header.Get("Retry-After") == "" || answer.Header.Get("WWW-Authenticate") != "" {
		t.Errorf("%d %v %s", answer.Status, answer.Header, answer.Body)
	}
	if status, _, body := h.get("/readyz"); status != 503 || !strings.Contains(body, `"oidc":"sign_in_unavailable"`) {
		t.Errorf("readyz: %d %s", status, body)
	}
	if status, _, body := h.get("/.well-known/oauth-protected-resource/mcp"); status != 200 || !strings.Contains(body, h.issuer.URL()) {
		t.Errorf("metadata: %d %s", status, body)
	}
	h.keepsNoToken()
}

// Callers without a mapping, without a scope and with neither try every method
// that is not a tool call.
func TestOAuthCallerWithoutScopeSeesNothing(t *testing.T) {
	t.Parallel()
	roles := "callers:\n  roles: {partner.read: [partner.read], Watch: [partner.metrics]}"
	h := serveOAuth(t, nil, strings.Replace(machines, "callers:", roles, 1), nil)
	callers := map[string]string{
		"no mapping": h.machine("stranger", nil),
		"no scope":   h.machine("nightly", issuertest.Claims{"roles": []string{"other"}}),
		"nothing":    h.machine("nobody", issuertest.Claims{"roles": nil}),
	}
	for name, token := range callers {
		for _, era := range wiretest.Eras() {
			for _, body := range []string{
				era.Request(1, "resources/list", nil, nil),
				era.Request(2, "resources/templates/list", nil, nil),
				era.Request(3, "resources/read", wiretest.Object{"uri": "partner://tenants"}, nil),
				era.Request(4, "resources/read", wiretest.Object{"uri": "partner://tenants/contoso/link"}, nil),
				era.Request(5, "prompts/list", nil, nil),
				era.Request(6, "prompts/get", wiretest.Object{"name": "compliance_check", "arguments": wiretest.Object{}}, nil),
				era.Request(7, "completion/complete", wiretest.Object{
					"ref": wiretest.Object{"type": "ref/resource", "uri": "partner://tenants/{tenant}/link"}, "argument": wiretest.Object{"name": "tenant", "value": "c"},
				}, nil),
				era.Call(8, "find_partner_tool", wiretest.Object{"query": "check contoso"}),
				era.Call(9, "get_approval", wiretest.Object{"approval_id": "ap_0123456789abcdef01"}),
			} {
				answer := h.post(token, era, body)
				said := strings.ReplaceAll(string(answer.Body), "check contoso", "")
				for _, secret := range []string{h.tenant("contoso").TenantID, h.tenant("fabrikam").TenantID, "fabrikam", `"not_linked"`, h.tenant("contoso").ObjectID} {
					if strings.Contains(said, secret) {
						t.Errorf("%s, %s: %s is told %s: %s", name, era, body, secret, said)
					}
				}
				if strings.Contains(body, `"completion/complete"`) && strings.Contains(said, "contoso") {
					t.Errorf("%s, %s: completed %s", name, era, said)
				}
				if answer.Status >= 500 {
					t.Errorf("%s, %s: %s is answered %d %s", name, era, body, answer.Status, said)
				}
			}
		}
		if status, header, body := h.getAs(token, "/metrics"); status != 403 || !strings.Contains(header.Get("WWW-Authenticate"), "insufficient_scope") {
			t.Errorf("%s: figures: %d %.80s", name, status, body)
		}
		if status, header, _ := h.getAs(token, "/approvals"); status != 403 || !strings.Contains(header.Get("WWW-Authenticate"), "insufficient_scope") {
			t.Errorf("%s: approvals: %d %v", name, status, header)
		}
	}
	if status, _, body := h.getAs(h.machine("nightly", nil), "/metrics"); status != 403 {
		t.Errorf("figures for whoever may read: %d %.80s", status, body)
	}
	watch := h.machine("watch", issuertest.Claims{"roles": []string{"Watch"}})
	if status, _, body := h.getAs(watch, "/metrics"); status != 200 || strings.Contains(body, "nightly") || strings.Contains(body, "contoso") ||
		!strings.Contains(body, `mcp_partner_credential_tenants{kind="client-secret"}`) {
		t.Errorf("figures: %d %.200s", status, body)
	}
	for _, path := range []string{"/metrics", "/approvals"} {
		if status, header, _ := h.getAs("", path); status != 401 || !strings.Contains(header.Get("WWW-Authenticate"), "resource_metadata=") {
			t.Errorf("%s without a token: %d %v", path, status, header)
		}
	}
	h.keepsNoToken()
}
