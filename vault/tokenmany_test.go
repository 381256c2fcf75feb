package vault

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"mcp-partner/internal/httpclient"
)

const (
	manyAtOnce  = 64
	manyLatency = 50 * time.Millisecond
	manyScope   = "https://management.core.windows.net//.default"
	// manyShared is how many tenants the way is measured with that takes them
	// one after the other.
	manyShared = 16
)

// many is an Entra ID that takes 50 ms for each answer, and what asks it.
type many struct {
	server *httptest.Server
	pool   *httpclient.Pool
	client *http.Client
	body   string
}

func newMany(b *testing.B) *many {
	b.Helper()
	answer, err := json.Marshal(map[string]any{"token_type": "Bearer", "expires_in": 3600, "access_token": "eyJhbGciOiJub25lIn0." + strings.Repeat("c", 1600) + ".c2ln"})
	if err != nil {
		b.Fatal(err)
	}
	m := &many{pool: httpclient.NewPool(httpclient.Options{}), body: string(answer)}
	m.server = httptest.NewUnstartedServer(http.HandlerFunc(m.serve))
	m.server.EnableHTTP2 = true
	m.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	m.server.StartTLS()
	b.Cleanup(m.server.Close)
	if m.client, err = m.pool.Client([]byte(caOf(m.server))); err != nil {
		b.Fatal(err)
	}
	return m
}

func (m *many) serve(w http.ResponseWriter, r *http.Request) {
	time.Sleep(manyLatency)
	w.Header().Set("Content-Type", "application/json")
	if r.Method == http.MethodGet {
		base := m.server.URL + strings.TrimSuffix(r.URL.Path, "/v2.0/.well-known/openid-configuration")
		_, _ = fmt.Fprintf(w, `{"token_endpoint":"%s/oauth2/v2.0/token","authorization_endpoint":"%s/oauth2/v2.0/authorize","issuer":"%s/v2.0"}`, base, base, base)
		return
	}
	_, _ = io.Copy(io.Discard, r.Body)
	_, _ = io.WriteString(w, m.body)
}

// each runs one sign-in for each tenant, manyAtOnce at a time, and returns how
// long all took.
func each(b *testing.B, tenants int, signIn func(n int) error) time.Duration {
	b.Helper()
	begun := time.Now()
	var group sync.WaitGroup
	room := make(chan struct{}, manyAtOnce)
	for n := range tenants {
		room <- struct{}{}
		group.Go(func() {
			defer func() { <-room }()
			if err := signIn(n); err != nil {
				b.Error(err)
			}
		})
	}
	group.Wait()
	return time.Since(begun)
}

// raw is what a sign-in costs without any library.
func (m *many) raw(n int) error {
	response, err := m.client.PostForm(m.server.URL+"/"+tenantID(n)+"/oauth2/v2.0/token", url.Values{
		"grant_type": {"client_credentials"}, "client_id": {testClientID}, "client_secret": {testSecret}, "scope": {manyScope}})
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || answer.Token == "" {
		return fmt.Errorf("no token (%w)", err)
	}
	return nil
}

// plain is azidentity as it is used without this package.
func (m *many) plain(tenant string) (*azidentity.ClientSecretCredential, error) {
	return azidentity.NewClientSecretCredential(tenant, testClientID, testSecret, &azidentity.ClientSecretCredentialOptions{
		AdditionallyAllowedTenants: []string{"*"}, DisableInstanceDiscovery: true,
		ClientOptions: azcore.ClientOptions{Transport: m.client, Cloud: cloud.Configuration{ActiveDirectoryAuthorityHost: m.server.URL}},
	})
}

func (m *many) plainEach(n int) error {
	credential, err := m.plain(tenantID(n))
	if err != nil {
		return err
	}
	_, err = credential.GetToken(context.Background(), policy.TokenRequestOptions{Scopes: []string{manyScope}, EnableCAE: true})
	return err
}

// source is a Source with one application over many tenants, of a kind.
func (m *many) source(b *testing.B, tenants int, kind Kind, secret Secret) *Source {
	b.Helper()
	store := NewMemoryStore()
	if err := store.Put(context.Background(), kindName, secret); err != nil {
		b.Fatal(err)
	}
	where := Cloud{Name: CloudCustom, Authority: m.server.URL, ARMEndpoint: "https://arm.example.com", ARMAudience: "https://management.core.windows.net/",
		CAPEM: caOf(m.server), SkipInstanceDiscovery: true}
	entries := make([]Entry, tenants)
	for n := range entries {
		entries[n] = Entry{Name: fmt.Sprintf("tenant-%05d", n), TenantID: tenantID(n), Cloud: where, Credentials: []CredentialRef{{Name: kindName}}}
	}
	directory, err := NewMemoryDirectory(entries, []CredentialConfig{{Name: kindName, Kind: kind, ClientID: testClientID}})
	if err != nil {
		b.Fatal(err)
	}
	s := NewSource(Options{Directory: directory, Store: store, HTTP: m.pool})
	b.Cleanup(s.Close)
	return s
}

func (s *Source) ask(n int) error {
	credential, err := s.Credential(context.Background(), tenantID(n), "")
	if err != nil {
		return err
	}
	_, err = credential.GetToken(context.Background(), policy.TokenRequestOptions{Scopes: []string{manyScope}, EnableCAE: true})
	return err
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// BenchmarkTokenMany signs in to many tenants, 64 at a time, at an Entra ID that
// takes 50 ms for an answer. In the same run it does so with raw HTTP, which is
// the floor, and with azidentity: one credential object for each tenant, and
// one for all. x-raw is how many times as long as the floor each took.
func BenchmarkTokenMany(b *testing.B) {
	secret, err := NewSecret([]byte(testSecret))
	if err != nil {
		b.Fatal(err)
	}
	key := rsaKey(b, 0)
	certificate := seal(pemOf(b, key, certificate(b, key, year())))
	sizes := []int{1000}
	if os.Getenv("BENCH_FULL") != "" {
		sizes = append(sizes, 10_000)
	}
	for _, tenants := range sizes {
		b.Run(fmt.Sprintf("secret/tenants=%d", tenants), func(b *testing.B) { compareMany(b, tenants, KindClientSecret, secret) })
	}
	b.Run("certificate/tenants=1000", func(b *testing.B) { compareMany(b, 1000, KindClientCertificate, certificate) })
}

func compareMany(b *testing.B, tenants int, kind Kind, secret Secret) {
	m := newMany(b)
	each(b, manyAtOnce, m.raw) // dials
	var raw, cold, warm, plain, shared time.Duration
	var held uint64
	for b.Loop() {
		raw += each(b, tenants, m.raw)
		s := m.source(b, tenants, kind, secret)
		bare := heap()
		cold += each(b, tenants, s.ask)
		after := heap()
		held += after - min(after, bare)
		warm += each(b, tenants, s.ask)
		runtime.KeepAlive(s)
		plain += each(b, tenants, m.plainEach)
		one, err := m.plain(tenantID(0))
		if err != nil {
			b.Fatal(err)
		}
		shared += each(b, manyShared, func(n int) error {
			_, err := one.GetToken(context.Background(), policy.TokenRequestOptions{Scopes: []string{manyScope}, EnableCAE: true, TenantID: tenantID(n)})
			return err
		})
	}
	b.ReportMetric(float64(cold)/float64(raw), "x-raw")
	b.ReportMetric(float64(plain)/float64(raw), "azidentity-x-raw")
	b.ReportMetric(float64(shared)*float64(tenants)/manyShared/float64(raw), "azidentity-shared-x-raw")
	b.ReportMetric(float64(warm)/float64(b.N*tenants), "warm-ns/token")
	b.ReportMetric(float64(held)/float64(b.N*tenants), "B/tenant")
}
