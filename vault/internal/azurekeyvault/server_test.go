package azurekeyvault

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"mcp-partner/internal/httpclient"
	"mcp-partner/schemas"
)

const (
	goodToken  = "good-token-of-key-vault"
	rightScope = "https://vault.azure.net/.default"
	tenantID   = "33333333-2222-4333-8444-555555555555"
)

// keyVault is a stand-in for the service: the challenge, versions, pages, and
// soft deletion, as its REST reference has them (learn.microsoft.com/rest/api/keyvault).
type keyVault struct {
	*httptest.Server
	resource, authority string

	mu       sync.Mutex
	secrets  map[string][]version
	deleted  map[string]bool
	requests []string
	// answer takes the place of all that comes after the challenge.
	answer http.HandlerFunc
}

type version struct{ id, value, content string }

func newKeyVault(t *testing.T) *keyVault {
	t.Helper()
	k := &keyVault{
		resource: "https://vault.azure.net", authority: "https://login.microsoftonline.com/" + tenantID,
		secrets: map[string][]version{}, deleted: map[string]bool{},
	}
	k.Server = httptest.NewTLSServer(k)
	t.Cleanup(k.Close)
	return k
}

// ServeHTTP implements http.Handler.
func (k *keyVault) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.requests = append(k.requests, r.Method+" "+r.URL.Path+" "+r.Header.Get("Authorization"))
	if r.Header.Get("Authorization") != "Bearer "+goodToken {
		w.Header().Set("WWW-Authenticate", `Bearer authorization="`+k.authority+`", resource="`+k.resource+`"`)
		fail(w, http.StatusUnauthorized, "Unauthorized")
		return
	}
	if k.answer != nil {
		k.answer(w, r)
		return
	}
	name := strings.Split(strings.Trim(strings.TrimPrefix(r.URL.Path, "/secrets"), "/"), "/")[0]
	switch {
	case name == "":
		k.list(w, r)
	case r.Method == http.MethodGet:
		k.get(w, name)
	case r.Method == http.MethodPut:
		k.put(w, r, name)
	case r.Method == http.MethodDelete:
		k.remove(w, name)
	}
}

func fail(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]string{"code": code, "message": "words of the service"}})
}

func (k *keyVault) bundle(name string, v version) map[string]any {
	return map[string]any{"id": k.URL + "/secrets/" + name + "/" + v.id, "value": v.value, "contentType": v.content, "attributes": map[string]any{
		"enabled": true, "created": 1700000000, "updated": 1700000000, "exp": 1900000000,
	}}
}

func (k *keyVault) get(w http.ResponseWriter, name string) {
	versions := k.secrets[name]
	if len(versions) == 0 {
		fail(w, http.StatusNotFound, "SecretNotFound")
		return
	}
	_ = json.NewEncoder(w).Encode(k.bundle(name, versions[len(versions)-1]))
}

func (k *keyVault) put(w http.ResponseWriter, r *http.Request, name string) {
	var body struct{ Value string }
	_ = json.NewDecoder(r.Body).Decode(&body) // an empty value is stored as such
	if k.deleted[name] {
		fail(w, http.StatusConflict, "Conflict")
		return
	}
	id := make([]byte, 16)
	_, _ = rand.Read(id)
	made := version{id: hex.EncodeToString(id), value: body.Value}
	k.secrets[name] = append(k.secrets[name], made)
	_ = json.NewEncoder(w).Encode(k.bundle(name, made))
}

func (k *keyVault) remove(w http.ResponseWriter, name string) {
	if len(k.secrets[name]) == 0 {
		fail(w, http.StatusNotFound, "SecretNotFound")
		return
	}
	delete(k.secrets, name)
	k.deleted[name] = true
	fmt.Fprintf(w, `{"recoveryId":"%s/deletedsecrets/%s","id":"%s/secrets/%s"}`, k.URL, name, k.URL, name)
}

// list gives one name a page.
func (k *keyVault) list(w http.ResponseWriter, r *http.Request) {
	names := []string{}
	for name := range k.secrets {
		names = append(names, name)
	}
	slices.Sort(names)
	at := 0
	_, _ = fmt.Sscan(r.URL.Query().Get("at"), &at)
	page := map[string]any{"value": []any{}}
	if at < len(names) {
		page["value"] = []any{map[string]any{"id": k.URL + "/secrets/" + names[at]}}
		page["nextLink"] = fmt.Sprintf("%s/secrets?api-version=7.6&at=%d", k.URL, at+1)
	}
	_ = json.NewEncoder(w).Encode(page)
}

// answers has a handler take the place of the service.
func (k *keyVault) answers(handler http.HandlerFunc) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.answer = handler
}

func (k *keyVault) set(name, value string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.secrets[name] = append(k.secrets[name], version{id: fmt.Sprintf("%032d", len(k.secrets[name])), value: value})
}

// issue stores what the service keeps of a certificate under its name.
func (k *keyVault) issue(name, value string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.secrets[name] = append(k.secrets[name], version{strings.Repeat("c", 32), value, "application/x-pkcs12"})
}

// sent tells whether a text was in any request's line or token.
func (k *keyVault) sent(text string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.ContainsFunc(k.requests, func(one string) bool { return strings.Contains(one, text) })
}

// signIn gives tokens and remembers what was asked for.
type signIn struct {
	mu    sync.Mutex
	asked []policy.TokenRequestOptions
	err   error
}

// GetToken implements azcore.TokenCredential.
func (s *signIn) GetToken(_ context.Context, options policy.TokenRequestOptions) (azcore.AccessToken, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, options)
	return azcore.AccessToken{Token: goodToken, ExpiresOn: time.Now().Add(time.Hour)}, s.err
}

// open opens the backend of a stand-in.
func (k *keyVault) open(t *testing.T, by *signIn) *Backend {
	t.Helper()
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: k.Certificate().Raw}))
	settings, err := Settings{URL: k.URL, CAPEM: ca, Auth: Auth{Method: MethodAzureCLI, TenantID: tenantID, AzPath: "/usr/bin/az"}}.Normal()
	if err != nil {
		t.Fatal(err)
	}
	client, err := httpclient.New(httpclient.Options{CAPEM: []byte(ca), HeaderTimeout: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	b, err := Open(settings, client, by)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func wantCode(t *testing.T, err error, code schemas.Code, words ...string) {
	t.Helper()
	problem := schemas.AsProblem(err)
	if err == nil || problem.Code != code {
		t.Fatalf("got %v, want %s", err, code)
	}
	for _, word := range words {
		if !strings.Contains(problem.Message+" "+problem.Hint, word) {
			t.Errorf("%q does not say %q", problem.Message+" "+problem.Hint, word)
		}
	}
}
