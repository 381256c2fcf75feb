package signin

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"mcp-partner/internal/httpclient"
	"mcp-partner/internal/roomtest"
	"mcp-partner/internal/testkit"
	"mcp-partner/tenants"
	"mcp-partner/vault"
)

// answer is what the stand-in for Entra ID sends back.
type answer struct {
	status int
	header http.Header
	body   string
}

// entra is a stand-in for Entra ID's token endpoint, over real TLS.
type entra struct {
	server *httptest.Server
	ca     string

	mu     sync.Mutex
	forms  []url.Values
	paths  []string
	answer func(tenant string, form url.Values) answer
	// hold, if set, keeps every token request until it is closed.
	hold chan struct{}
	// arrived gets one value for each token request that is held.
	arrived chan struct{}
	issued  int
}

func newEntra(tb testing.TB) *entra {
	tb.Helper()
	e := &entra{arrived: make(chan struct{}, 10_000)}
	e.server = httptest.NewUnstartedServer(e)
	e.server.EnableHTTP2 = true
	e.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	e.server.StartTLS()
	tb.Cleanup(e.server.Close)
	e.ca = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: e.server.Certificate().Raw}))
	return e
}

// ServeHTTP implements http.Handler.
func (e *entra) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	parts := strings.Split(r.URL.Path, "/")
	e.mu.Lock()
	e.forms, e.paths = append(e.forms, r.PostForm), append(e.paths, r.Method+" "+r.URL.Path)
	reply, hold := e.answer, e.hold
	e.mu.Unlock()
	if hold != nil {
		e.arrived <- struct{}{}
		select {
		case <-hold:
		case <-r.Context().Done():
			return
		}
	}
	got := e.token(parts[1], time.Hour, 0)
	if reply != nil {
		got = reply(parts[1], r.PostForm)
	}
	for name, values := range got.header {
		w.Header()[name] = values
	}
	w.WriteHeader(got.status)
	_, _ = io.WriteString(w, got.body)
}

// token makes a good answer. Every token is another one.
func (e *entra) token(tenant string, life, refreshIn time.Duration) answer {
	e.mu.Lock()
	e.issued++
	serial := e.issued
	e.mu.Unlock()
	claims := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"tid":%q,"serial":%d}`, tenant, serial))
	body := map[string]any{"token_type": "Bearer", "access_token": "eyJhbGciOiJub25lIn0." + claims + ".c2ln", "expires_in": int(life.Seconds())}
	if refreshIn > 0 {
		body["refresh_in"] = int(refreshIn.Seconds())
	}
	data, _ := json.Marshal(body)
	return answer{http.StatusOK, http.Header{"Content-Type": {"application/json"}}, string(data)}
}

func refuse(status int, code, suberror string, number int) answer {
	body, _ := json.Marshal(map[string]any{"error": code, "suberror": suberror, "error_codes": []int{number},
		"error_description": fmt.Sprintf("AADSTS%d: no.", number), "correlation_id": "DDDDDDDD-1111-4222-8333-444455556666"})
	return answer{status, http.Header{"Content-Type": {"application/json"}}, string(body)}
}

func (e *entra) set(reply func(tenant string, form url.Values) answer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answer = reply
}

func (e *entra) holdAll() (release func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	hold := make(chan struct{})
	e.hold = hold
	return sync.OnceFunc(func() {
		e.mu.Lock()
		e.hold = nil
		e.mu.Unlock()
		close(hold)
	})
}

func (e *entra) requests() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.forms)
}

func (e *entra) cloud() tenants.Cloud {
	return tenants.Cloud{Name: tenants.CloudCustom, Authority: e.server.URL, ARMEndpoint: "https://arm.example.com",
		ARMAudience: "https://management.core.windows.net/", CAPEM: e.ca, SkipInstanceDiscovery: true}
}

func newClock() *testkit.Clock { return testkit.NewClock(time.Now()) }

// rig is a Source with everything around it.
type rig struct {
	*Source
	tb        testing.TB
	entra     *entra
	clock     *testkit.Clock
	store     *vault.MemoryStore
	directory *tenants.Directory
	events    chan tenants.Event
}

func newRig(tb testing.TB, count int) *rig {
	tb.Helper()
	e := newEntra(tb)
	r := &rig{tb: tb, entra: e, clock: newClock(), store: vault.NewMemoryStore(), events: make(chan tenants.Event, 100_000)}
	r.putSecret(roomtest.Canary)
	var entries []tenants.Entry
	for n := range count {
		entries = append(entries, tenants.Entry{Name: fmt.Sprintf("tenant-%04d", n), TenantID: roomtest.TenantID(n), Cloud: e.cloud(),
			Credentials: []tenants.CredentialRef{{Name: "partner"}}})
	}
	directory, err := tenants.NewMemoryDirectory(entries, []tenants.CredentialConfig{{Name: "partner", Kind: tenants.KindClientSecret, ClientID: roomtest.ClientID}})
	if err != nil {
		tb.Fatal(err)
	}
	r.directory = directory
	r.Source = NewSource(Options{Directory: directory, Store: r.store, Clock: r.clock.Now,
		HTTP: httpclient.NewPool(httpclient.Options{}), OnToken: func(e tenants.Event) { r.events <- e }})
	tb.Cleanup(r.Close)
	return r
}

func (r *rig) putSecret(text string) {
	r.tb.Helper()
	secret, err := vault.NewSecret([]byte(text))
	if err != nil {
		r.tb.Fatal(err)
	}
	if err := r.store.Put(context.Background(), "partner", secret); err != nil {
		r.tb.Fatal(err)
	}
}

// get asks for a token as azcore's pipeline does.
func (r *rig) get(ctx context.Context, tenant int, claims string) (string, error) {
	credential, err := r.Credential(ctx, roomtest.TenantID(tenant), "")
	if err != nil {
		return "", err
	}
	got, err := credential.GetToken(ctx, policy.TokenRequestOptions{
		Scopes: []string{"https://management.core.windows.net//.default"}, EnableCAE: true, Claims: claims})
	return got.Token, err
}

func (r *rig) must(tenant int) string {
	r.tb.Helper()
	got, err := r.get(context.Background(), tenant, "")
	if err != nil {
		r.tb.Fatal(err)
	}
	return got
}
