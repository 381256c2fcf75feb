// Package keyvaulttest is a stand-in for Azure Key Vault for tests: the
// challenge, versions, pages and soft deletion, as its REST reference has them
// (learn.microsoft.com/rest/api/keyvault).
package keyvaulttest

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

const (
	// Token is the token that it accepts.
	Token = "good-token-of-key-vault"
	// Resource is the audience of its tokens.
	Resource = "https://vault.azure.net"
	// TenantID is the tenant that its challenge names.
	TenantID = "33333333-2222-4333-8444-555555555555"
)

// Vault is one key vault in memory.
type Vault struct {
	*httptest.Server
	// Resource and Authority are what the challenge names. They may be changed
	// before the first request.
	Resource, Authority string

	mu       sync.Mutex
	secrets  map[string][]version
	deleted  map[string]bool
	requests []string
	// answer takes the place of all that comes after the challenge.
	answer http.HandlerFunc
}

type version struct{ id, value, content string }

// New starts one for a test.
func New(t *testing.T) *Vault {
	t.Helper()
	v := &Vault{
		Resource: Resource, Authority: "https://login.microsoftonline.com/" + TenantID,
		secrets: map[string][]version{}, deleted: map[string]bool{},
	}
	v.Server = httptest.NewTLSServer(v)
	t.Cleanup(v.Close)
	return v
}

// CAPEM is the certificate authority that clients have to trust.
func (v *Vault) CAPEM() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: v.Certificate().Raw}))
}

// ServeHTTP implements http.Handler.
func (v *Vault) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.requests = append(v.requests, r.Method+" "+r.URL.Path+" "+r.Header.Get("Authorization"))
	if r.Header.Get("Authorization") != "Bearer "+Token {
		w.Header().Set("WWW-Authenticate", `Bearer authorization="`+v.Authority+`", resource="`+v.Resource+`"`)
		fail(w, http.StatusUnauthorized, "Unauthorized")
		return
	}
	if v.answer != nil {
		v.answer(w, r)
		return
	}
	name := strings.Split(strings.Trim(strings.TrimPrefix(r.URL.Path, "/secrets"), "/"), "/")[0]
	switch {
	case name == "":
		v.list(w, r)
	case r.Method == http.MethodGet:
		v.get(w, name)
	case r.Method == http.MethodPut:
		v.put(w, r, name)
	case r.Method == http.MethodDelete:
		v.remove(w, name)
	}
}

func fail(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]string{"code": code, "message": "words of the service"}})
}

func (v *Vault) bundle(name string, one version) map[string]any {
	return map[string]any{"id": v.URL + "/secrets/" + name + "/" + one.id, "value": one.value, "contentType": one.content, "attributes": map[string]any{
		"enabled": true, "created": 1700000000, "updated": 1700000000, "exp": 1900000000,
	}}
}

func (v *Vault) get(w http.ResponseWriter, name string) {
	versions := v.secrets[name]
	if len(versions) == 0 {
		fail(w, http.StatusNotFound, "SecretNotFound")
		return
	}
	_ = json.NewEncoder(w).Encode(v.bundle(name, versions[len(versions)-1]))
}

func (v *Vault) put(w http.ResponseWriter, r *http.Request, name string) {
	var body struct{ Value string }
	_ = json.NewDecoder(r.Body).Decode(&body) // an empty value is stored as such
	if v.deleted[name] {
		fail(w, http.StatusConflict, "Conflict")
		return
	}
	_ = json.NewEncoder(w).Encode(v.bundle(name, v.add(name, body.Value, "")))
}

func (v *Vault) remove(w http.ResponseWriter, name string) {
	if len(v.secrets[name]) == 0 {
		fail(w, http.StatusNotFound, "SecretNotFound")
		return
	}
	delete(v.secrets, name)
	v.deleted[name] = true
	fmt.Fprintf(w, `{"recoveryId":"%s/deletedsecrets/%s","id":"%s/secrets/%s"}`, v.URL, name, v.URL, name)
}

// list gives one name a page.
func (v *Vault) list(w http.ResponseWriter, r *http.Request) {
	names := slices.Sorted(maps.Keys(v.secrets))
	at := 0
	_, _ = fmt.Sscan(r.URL.Query().Get("at"), &at)
	page := map[string]any{"value": []any{}}
	if at < len(names) {
		page["value"] = []any{map[string]any{"id": v.URL + "/secrets/" + names[at]}}
		page["nextLink"] = fmt.Sprintf("%s/secrets?api-version=7.6&at=%d", v.URL, at+1)
	}
	_ = json.NewEncoder(w).Encode(page)
}

// Answers has a handler take the place of the service; nil brings it back.
func (v *Vault) Answers(handler http.HandlerFunc) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.answer = handler
}

// Set stores a secret as another program would.
func (v *Vault) Set(name, value string) { v.store(name, value, "") }

// Issue stores what the service keeps of a certificate under its name.
func (v *Vault) Issue(name, value string) { v.store(name, value, "application/x-pkcs12") }

func (v *Vault) store(name, value, content string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.add(name, value, content)
}

// add keeps a version; the lock is held.
func (v *Vault) add(name, value, content string) version {
	made := version{fmt.Sprintf("%032d", len(v.secrets[name])), value, content}
	v.secrets[name] = append(v.secrets[name], made)
	return made
}

// Sent tells whether a text was in any request's line or token.
func (v *Vault) Sent(text string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.ContainsFunc(v.requests, func(one string) bool { return strings.Contains(one, text) })
}

// Names are those of all secrets.
func (v *Vault) Names() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Sorted(maps.Keys(v.secrets))
}
