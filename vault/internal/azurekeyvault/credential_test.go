package azurekeyvault

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"mcp-partner/internal/httpclient"
	"mcp-partner/internal/keyvaulttest"
	"mcp-partner/internal/roomtest"
	"mcp-partner/schemas/problems"
)

// entra simulates the token endpoints: that of a machine with a managed
// identity (App Service), and that of Entra ID for a federated token.
type entra struct {
	*httptest.Server
	mu    sync.Mutex
	asked []url.Values
}

func newEntra(t *testing.T) *entra {
	t.Helper()
	e := &entra{}
	e.Server = httptest.NewServer(e)
	t.Cleanup(e.Close)
	return e
}

// ServeHTTP implements http.Handler.
func (e *entra) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if strings.HasSuffix(r.URL.Path, "/.well-known/openid-configuration") {
		base := "https://login.microsoftonline.com/" + tenantID
		_ = json.NewEncoder(w).Encode(map[string]string{
			"issuer": base + "/v2.0", "authorization_endpoint": base + "/oauth2/v2.0/authorize", "token_endpoint": base + "/oauth2/v2.0/token",
		})
		return
	}
	_ = r.ParseForm() // a body that is no form has no values
	r.Form.Set("identity-header", r.Header.Get("X-IDENTITY-HEADER"))
	e.asked = append(e.asked, r.Form)
	fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":3600,"expires_on":"4102444800","resource":"https://vault.azure.net"}`, goodToken)
}

func (e *entra) form(t *testing.T, at int) url.Values {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.asked) <= at {
		t.Fatalf("only %d tokens were asked for", len(e.asked))
	}
	return e.asked[at]
}

// detour sends what goes to one host to a stand-in, under the same path.
type detour struct {
	host string
	to   *url.URL
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (d detour) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host == d.host {
		r = r.Clone(r.Context())
		r.URL.Scheme, r.URL.Host = d.to.Scheme, d.to.Host
	}
	return d.next.RoundTrip(r)
}

// openAs opens a stand-in of Key Vault by the real clients of Azure's SDK.
func openAs(t *testing.T, k *keyvaulttest.Vault, e *entra, auth Auth) *Backend {
	t.Helper()
	settings, err := Settings{URL: k.URL, CAPEM: k.CAPEM(), Auth: auth}.Normal()
	if err != nil {
		t.Fatal(err)
	}
	client, err := httpclient.New(httpclient.Options{CAPEM: []byte(k.CAPEM())})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	to, err := url.Parse(e.URL)
	if err != nil {
		t.Fatal(err)
	}
	client.Transport = detour{"login.microsoftonline.com", to, client.Transport}
	b, err := Open(settings, client, nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// No t.Parallel: the platform tells of a managed identity by the environment.
func TestManagedIdentity(t *testing.T) {
	k, e := keyvaulttest.New(t), newEntra(t)
	t.Setenv("IDENTITY_ENDPOINT", e.URL+"/msi/token")
	t.Setenv("IDENTITY_HEADER", "header-of-the-platform")
	k.Set("mcp-partner-contoso", "value")
	const user = "11111111-2222-4333-8444-555555555555"
	wantValue(t, openAs(t, k, e, Auth{Method: MethodManagedIdentity}), "contoso", "value")
	wantValue(t, openAs(t, k, e, Auth{Method: MethodManagedIdentity, ClientID: user}), "contoso", "value")
	if form := e.form(t, 0); form.Get("resource") != "https://vault.azure.net" || form.Get("identity-header") != "header-of-the-platform" || form.Get("client_id") != "" {
		t.Errorf("the system's identity was asked for with %v", form)
	}
	if form := e.form(t, 1); form.Get("client_id") != user {
		t.Errorf("the user-assigned identity was asked for with %v", form)
	}
}

func TestWorkloadIdentity(t *testing.T) {
	t.Parallel()
	k, e := keyvaulttest.New(t), newEntra(t)
	k.Set("mcp-partner-contoso", "value")
	file := filepath.Join(t.TempDir(), "federated")
	if err := os.WriteFile(file, []byte("token.of.cluster"), 0o600); err != nil {
		t.Fatal(err)
	}
	auth := Auth{Method: MethodWorkloadIdentity, ClientID: "11111111-2222-4333-8444-555555555555", TenantID: tenantID, TokenFile: file}
	wantValue(t, openAs(t, k, e, auth), "contoso", "value")
	form := e.form(t, 0)
	for name, want := range map[string]string{
		"client_assertion": "token.of.cluster", "client_id": auth.ClientID, "grant_type": "client_credentials", "scope": rightScope,
	} {
		if got := form.Get(name); !strings.HasPrefix(got, want) {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	auth.TokenFile = filepath.Join(t.TempDir(), "none")
	_, err := openAs(t, k, e, auth).Get(t.Context(), "contoso")
	roomtest.WantCode(t, err, problems.CodeVaultUnavailable, "sign-in to the key vault with workload-identity failed")
	if strings.Contains(err.Error(), auth.TokenFile) {
		t.Errorf("the words of the SDK come out: %v", err)
	}
}
