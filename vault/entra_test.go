package vault

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
	"mcp-partner/schemas"
)

const (
	testClientID = "0c1b2a39-1111-4222-8333-444455556666"
	// testSecret has characters that change in every encoding.
	testSecret = `Zq8~can"ary+/ &=sécret`
)

func tenantID(n int) string { return fmt.Sprintf("aaaaaaaa-0000-4000-8000-%012d", n) }

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

func (e *entra) cloud() Cloud {
	return Cloud{Name: CloudCustom, Authority: e.server.URL, ARMEndpoint: "https://arm.example.com",
		ARMAudience: "https://management.core.windows.net/", CAPEM: e.ca, SkipInstanceDiscovery: true}
}

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Now()} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// rig is a Source with everything around it.
type rig struct {
	*Source
	tb        testing.TB
	entra     *entra
	clock     *clock
	store     *MemoryStore
	directory *Directory
	events    chan Event
}

func newRig(tb testing.TB, tenants int) *rig {
	tb.Helper()
	e := newEntra(tb)
	r := &rig{tb: tb, entra: e, clock: newClock(), store: NewMemoryStore(), events: make(chan Event, 100_000)}
	r.putSecret(testSecret)
	var entries []Entry
	for n := range tenants {
		entries = append(entries, Entry{Name: fmt.Sprintf("tenant-%04d", n), TenantID: tenantID(n), Cloud: e.cloud(),
			Credentials: []CredentialRef{{Name: "partner"}}})
	}
	directory, err := NewMemoryDirectory(entries, []CredentialConfig{{Name: "partner", Kind: KindClientSecret, ClientID: testClientID}})
	if err != nil {
		tb.Fatal(err)
	}
	r.directory = directory
	r.Source = NewSource(Options{Directory: directory, Store: r.store, Clock: r.clock.Now,
		HTTP: httpclient.NewPool(httpclient.Options{}), OnToken: func(e Event) { r.events <- e }})
	tb.Cleanup(r.Close)
	return r
}

func (r *rig) putSecret(text string) {
	r.tb.Helper()
	secret, err := NewSecret([]byte(text))
	if err != nil {
		r.tb.Fatal(err)
	}
	if err := r.store.Put(context.Background(), "partner", secret); err != nil {
		r.tb.Fatal(err)
	}
}

// get asks for a token as azcore's pipeline does.
func (r *rig) get(ctx context.Context, tenant int, claims string) (string, error) {
	credential, err := r.Credential(ctx, tenantID(tenant), "")
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

// wantCode fails unless err is a problem of that code.
func wantCode(tb testing.TB, err error, code schemas.Code) *schemas.Problem {
	tb.Helper()
	problem, ok := err.(*schemas.Problem)
	if !ok {
		tb.Fatalf("error is %T (%v), want a problem %s", err, err, code)
	}
	if problem.Code != code {
		tb.Fatalf("problem is %s (%s), want %s", problem.Code, problem.Message, code)
	}
	return problem
}
