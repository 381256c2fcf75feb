package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
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

// oauthHouse is the binary as a resource server, over a world with two tenants
// that are not linked.
type oauthHouse struct {
	*world
	issuer *issuertest.Issuer
	server *server
	client *http.Client
	// config is the config file.
	config string
	// at is the address of MCP, and tokens are all that were sent there.
	at     string
	tokens []string
}

// serveOAuth starts the binary with a mapping and flags; ISSUER in the mapping
// is the issuer's name.
func serveOAuth(t *testing.T, names []string, mapping string, env []string, more ...string) *oauthHouse {
	t.Helper()
	h := &oauthHouse{world: newWorld(t, simulator.Config{Tenants: 2, LinkedPercent: -1}), issuer: issuertest.Start(t)}
	h.settle("contoso", "fabrikam")
	return h.serve(t, names, mapping, env, more...)
}

func (h *oauthHouse) serve(t *testing.T, names []string, mapping string, env []string, more ...string) *oauthHouse {
	t.Helper()
	if names == nil {
		names = []string{h.issuer.URL()}
	}
	ca := filepath.Join(h.dir, "issuer.pem")
	h.config = filepath.Join(h.dir, "oauth.yaml")
	h.remap(mapping)
	h.write(ca, string(h.issuer.CAPEM()))
	i := h.cli(append([]string{"serve", "--http", "127.0.0.1:0", "--allow-writes", "--log-level", "debug", "--config", h.config,
		"--oidc-issuer", strings.Join(names, ","), "--oidc-audience", oauthName, "--oidc-ca-file", ca}, more...)...)
	i.env = env
	h.server = i.start(t)
	var shown map[string]string
	if err := json.Unmarshal(h.server.line(), &shown); err != nil || len(shown) != 1 {
		t.Fatalf("shown at the start: %v, %v", shown, err)
	}
	h.at = shown["url"]
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	h.client = &http.Client{Transport: transport, Timeout: patience}
	return h
}

// remap writes a mapping into the config file.
func (h *oauthHouse) remap(mapping string) {
	h.tb.Helper()
	h.write(h.config, strings.ReplaceAll(mapping, "ISSUER", h.issuer.URL()))
}

// machine gets a token as a machine does, by client credentials.
func (h *oauthHouse) machine(name string, changes issuertest.Claims) string {
	h.tb.Helper()
	h.issuer.Register(name, issuertest.With(h.claims(name), changes))
	form := strings.NewReader(url.Values{"grant_type": {"client_credentials"}}.Encode())
	request, err := http.NewRequest(http.MethodPost, h.issuer.URL()+"/token", form)
	if err != nil {
		h.tb.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(name, name+"-secret")
	response, err := h.issuer.Client().Do(request)
	if err != nil {
		h.tb.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || answer.AccessToken == "" {
		h.tb.Fatalf("no token: %v", err)
	}
	return answer.AccessToken
}

// claims are those of an application that acts for itself.
func (h *oauthHouse) claims(name string) issuertest.Claims {
	now := time.Now().Unix()
	return issuertest.Claims{
		"iss": h.issuer.URL(), "aud": oauthName, "sub": "sub-of-" + name, "azp": name, "roles": []string{"partner.read"},
		"iat": now, "nbf": now, "exp": now + 3600,
	}
}

// post sends a message with a token, or without one.
func (h *oauthHouse) post(token string, era wiretest.Era, body string) wiretest.Answer {
	h.tb.Helper()
	if token != "" {
		h.tokens = append(h.tokens, token)
	}
	c := wiretest.HTTPAt(h.tb, h.at, token, h.client.Transport)
	return c.Do(c.NewRequest(body))
}

func (h *oauthHouse) call(token string, era wiretest.Era, tool string, arguments wiretest.Object) wiretest.Answer {
	h.tb.Helper()
	return h.post(token, era, era.Call("c-1", tool, arguments))
}

func (h *oauthHouse) get(path string) (int, http.Header, string) { return h.getAs("", path) }

// keepsNoToken looks for the callers' tokens where they must not be.
func (h *oauthHouse) keepsNoToken() {
	h.tb.Helper()
	h.server.signal()
	if code := h.server.code(); code != 0 {
		h.tb.Errorf("the server ended with %d", code)
	}
	said := h.server.errs.String()
	if !strings.Contains(said, "level=INFO") {
		h.tb.Error("the log says nothing")
	}
	sent := strings.Join(h.tap.all(), "\n")
	for _, token := range h.tokens {
		signature := token[strings.LastIndexByte(token, '.')+1:]
		payload := strings.Split(token+"..", ".")[1]
		for _, secret := range []string{token, signature, payload} {
			if len(secret) < 16 {
				continue
			}
			if strings.Contains(said, secret) || strings.Contains(sent, secret) {
				h.tb.Errorf("a caller's token is in the log or went to Azure: %s", said)
			}
			h.notInFiles([]byte(secret))
		}
	}
}

func (h *oauthHouse) notInFiles(secret []byte) {
	h.tb.Helper()
	err := filepath.WalkDir(h.state, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, secret) {
			h.tb.Errorf("a caller's token is in %s", path)
		}
		return err
	})
	if err != nil {
		h.tb.Error(err)
	}
}

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
			{"its tenant", reader, "check_partner_link", wiretest.Object{"tenant": "contoso"}, 200, `"state":"not_linked"`, "x-none"},
			{"the only one it has", reader, "check_partner_link", wiretest.Object{}, 200, `"tenant":"contoso"`, "x-none"},
			{"another's tenant", reader, "check_partner_link", wiretest.Object{"tenant": "fabrikam"}, 200, `"unknown_tenant"`, "tenant_id"},
			{"its list", reader, "list_tenants", wiretest.Object{}, 200, "contoso", "fabrikam"},
			{"no mapping, no tenants", stranger, "list_tenants", wiretest.Object{}, 200, `"tenants":[]`, "contoso"},
			{"no mapping, no call", stranger, "check_partner_link", wiretest.Object{"tenant": "contoso"}, 200, `"unknown_tenant"`, "tenant_id"},
			{"by role", everywhere, "list_tenants", wiretest.Object{}, 200, "fabrikam", "x-none"},
			{"a write without the scope", reader, "register_partner", register, 403, "partner.write", "structuredContent"},
			{"a write beyond the grant's scopes", everywhere, "register_partner", register, 403, "partner.write", "structuredContent"},
			{"tenants without a scope", nothing, "list_tenants", wiretest.Object{}, 403, "partner.read", "contoso"},
			{"a write of another ID", writer, "register_partner", wiretest.Object{"tenant": "contoso", "partner_id": "7654321"}, 200, `"insufficient_scope"`, "approval_id"},
			{"a write in another's tenant", writer, "register_partner", wiretest.Object{"tenant": "fabrikam", "partner_id": "1234567"}, 200, `"unknown_tenant"`, "tenant_id"},
			{"a write that goes to policy", writer, "register_partner", register, 200, "", "insufficient_scope"},
			{"a change without the scope", writer, "remove_partner", register, 403, "partner.change", "structuredContent"},
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
func (h *oauthHouse) azureToken() string {
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
	h := &oauthHouse{world: newWorld(t, simulator.Config{Tenants: 2, LinkedPercent: -1}), issuer: issuertest.Start(t)}
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
	h.at = "http://" + h.listening() + "/mcp"
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

// listening asks the system where the server listens, which is not where its
// clients are told to go.
func (h *oauthHouse) listening() string {
	h.tb.Helper()
	said := ""
	for deadline, tick := time.After(patience), time.NewTicker(5*time.Millisecond); !strings.Contains(said, " address="); said = h.server.errs.String() {
		select {
		case <-tick.C:
		case <-deadline:
			h.tb.Fatal("the server does not say where it listens")
		}
	}
	_, rest, found := strings.Cut(said, "address=")
	address, _, _ := strings.Cut(rest, " ")
	address = strings.TrimSpace(strings.SplitN(address, "\n", 2)[0])
	if _, _, err := net.SplitHostPort(address); !found || err != nil {
		h.tb.Fatalf("no address in the log: %s", said)
	}
	return address
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

// TestOAuthIssuerThatIsDown starts the server before its issuer works.
func TestOAuthIssuerThatIsDown(t *testing.T) {
	t.Parallel()
	h := &oauthHouse{world: newWorld(t, simulator.Config{Tenants: 2, LinkedPercent: -1}), issuer: issuertest.Start(t)}
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

// TestOAuthEveryWayIn asks by all the ways that are not tools what a caller may
// not see: one without a mapping, one without a scope, and one with neither.
func TestOAuthEveryWayIn(t *testing.T) {
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

func (h *oauthHouse) getAs(token, path string) (int, http.Header, string) {
	h.tb.Helper()
	request, err := http.NewRequest(http.MethodGet, strings.TrimSuffix(h.at, "/mcp")+path, nil)
	if err != nil {
		h.tb.Fatal(err)
	}
	if token != "" {
		h.tokens = append(h.tokens, token)
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := h.client.Do(request)
	if err != nil {
		h.tb.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		h.tb.Fatal(err)
	}
	return response.StatusCode, response.Header, string(body)
}
