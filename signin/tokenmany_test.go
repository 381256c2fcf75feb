package signin

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
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
	"mcp-partner/internal/roomtest"
	"mcp-partner/internal/sealed"
	"mcp-partner/tenants"
	"mcp-partner/vault"
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

// raw is what a sign-in with a secret costs without any library.
func (m *many) raw(n int) error {
	return m.post(n, url.Values{"client_secret": {roomtest.Canary}})
}

// rawSigned is what one with a certificate costs: the audience of an assertion
// names the tenant, so that any client signs one for each.
func (m *many) rawSigned(key *rsa.PrivateKey, certificate *x509.Certificate) func(int) error {
	thumbprint := sha256.Sum256(certificate.Raw)
	return func(n int) error {
		assertion, err := signedAssertion(key, thumbprint[:], m.tokenURL(n))
		if err != nil {
			return err
		}
		return m.post(n, url.Values{"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {assertion}})
	}
}

func signedAssertion(key *rsa.PrivateKey, thumbprint []byte, audience string) (string, error) {
	now := time.Now()
	head, err := json.Marshal(map[string]any{"alg": "PS256", "typ": "JWT", "x5t#S256": base64.StdEncoding.EncodeToString(thumbprint)})
	if err != nil {
		return "", err
	}
	claims, err := json.Marshal(map[string]any{"aud": audience, "exp": now.Add(10 * time.Minute).Unix(), "iss": roomtest.ClientID,
		"jti": rand.Text(), "nbf": now.Unix(), "sub": roomtest.ClientID})
	if err != nil {
		return "", err
	}
	text := base64.RawURLEncoding.EncodeToString(head) + "." + base64.RawURLEncoding.EncodeToString(claims)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPSS(rand.Reader, key, crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthAuto})
	return text + "." + base64.RawURLEncoding.EncodeToString(signature), err
}

func (m *many) tokenURL(n int) string {
	return m.server.URL + "/" + roomtest.TenantID(n) + "/oauth2/v2.0/token"
}

func (m *many) post(n int, form url.Values) error {
	form.Set("grant_type", "client_credentials")
	form.Set("client_id", roomtest.ClientID)
	form.Set("scope", manyScope)
	response, err := m.client.PostForm(m.tokenURL(n), form)
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

// manyWays is how a sign-in is made in three ways: without a library, with
// azidentity, and by a Source.
type manyWays struct {
	kind   tenants.Kind
	secret vault.Secret
	raw    func(m *many) func(n int) error
	plain  func(m *many, tenant string) (azcore.TokenCredential, error)
}

func secretWays(b *testing.B) manyWays {
	b.Helper()
	secret, err := vault.NewSecret([]byte(roomtest.Canary))
	if err != nil {
		b.Fatal(err)
	}
	return manyWays{tenants.KindClientSecret, secret, func(m *many) func(int) error { return m.raw },
		func(m *many, tenant string) (azcore.TokenCredential, error) {
			return azidentity.NewClientSecretCredential(tenant, roomtest.ClientID, roomtest.Canary, &azidentity.ClientSecretCredentialOptions{
				AdditionallyAllowedTenants: []string{"*"}, DisableInstanceDiscovery: true, ClientOptions: m.clientOptions()})
		}}
}

func certificateWays(b *testing.B) manyWays {
	b.Helper()
	key := rsaKey(b, 0)
	own := certificate(b, key, year())
	return manyWays{tenants.KindClientCertificate, sealed.Seal(pemOf(b, key, own)), func(m *many) func(int) error { return m.rawSigned(key, own) },
		func(m *many, tenant string) (azcore.TokenCredential, error) {
			return azidentity.NewClientCertificateCredential(tenant, roomtest.ClientID, []*x509.Certificate{own}, key, &azidentity.ClientCertificateCredentialOptions{
				AdditionallyAllowedTenants: []string{"*"}, DisableInstanceDiscovery: true, ClientOptions: m.clientOptions()})
		}}
}

// clientOptions are those of azidentity as it is used without this package.
func (m *many) clientOptions() azcore.ClientOptions {
	return azcore.ClientOptions{Transport: m.client, Cloud: cloud.Configuration{ActiveDirectoryAuthorityHost: m.server.URL}}
}

// plainEach makes a credential object of azidentity for each tenant.
func (m *many) plainEach(w manyWays) func(n int) error {
	return func(n int) error {
		credential, err := w.plain(m, roomtest.TenantID(n))
		if err != nil {
			return err
		}
		_, err = credential.GetToken(context.Background(), policy.TokenRequestOptions{Scopes: []string{manyScope}, EnableCAE: true})
		return err
	}
}

// plainShared asks one object for all tenants.
func (m *many) plainShared(b *testing.B, w manyWays) func(n int) error {
	b.Helper()
	one, err := w.plain(m, roomtest.TenantID(0))
	if err != nil {
		b.Fatal(err)
	}
	return func(n int) error {
		_, err := one.GetToken(context.Background(), policy.TokenRequestOptions{Scopes: []string{manyScope}, EnableCAE: true, TenantID: roomtest.TenantID(n)})
		return err
	}
}

// source is a Source with one application over many tenants, of a kind.
func (m *many) source(b *testing.B, count int, kind tenants.Kind, secret vault.Secret) *Source {
	b.Helper()
	store := vault.NewMemoryStore()
	if err := store.Put(context.Background(), kindName, secret); err != nil {
		b.Fatal(err)
	}
	where := tenants.Cloud{Name: tenants.CloudCustom, Authority: m.server.URL, ARMEndpoint: "https://arm.example.com", ARMAudience: "https://management.core.windows.net/",
		CAPEM: caOf(m.server), SkipInstanceDiscovery: true}
	entries := make([]tenants.Entry, count)
	for n := range entries {
		entries[n] = tenants.Entry{Name: fmt.Sprintf("tenant-%05d", n), TenantID: roomtest.TenantID(n), Cloud: where, Credentials: []tenants.CredentialRef{{Name: kindName}}}
	}
	directory, err := tenants.NewMemoryDirectory(entries, []tenants.CredentialConfig{{Name: kindName, Kind: kind, ClientID: roomtest.ClientID}})
	if err != nil {
		b.Fatal(err)
	}
	s := NewSource(Options{Directory: directory, Store: store, HTTP: m.pool})
	b.Cleanup(s.Close)
	return s
}

func (s *Source) ask(n int) error {
	credential, err := s.Credential(context.Background(), roomtest.TenantID(n), "")
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
// one for all. x-raw is how many times as long as the floor each took. With a
// certificate the floor signs as well; unsigned-x-raw is how long a floor took
// that does not.
func BenchmarkTokenMany(b *testing.B) {
	sizes := []int{1000}
	if os.Getenv("BENCH_FULL") != "" {
		sizes = append(sizes, 10_000)
	}
	for _, tenants := range sizes {
		b.Run(fmt.Sprintf("secret/tenants=%d", tenants), func(b *testing.B) { compareMany(b, tenants, secretWays(b)) })
		b.Run(fmt.Sprintf("certificate/tenants=%d", tenants), func(b *testing.B) { compareMany(b, tenants, certificateWays(b)) })
	}
}

func compareMany(b *testing.B, tenants int, w manyWays) {
	m := newMany(b)
	each(b, manyAtOnce, m.raw) // dials
	var unsigned, raw, cold, warm, plain, shared shortest
	var held uint64
	for b.Loop() {
		unsigned.of(each(b, tenants, m.raw))
		raw.of(each(b, tenants, w.raw(m)))
		s := m.source(b, tenants, w.kind, w.secret)
		bare := heap()
		cold.of(each(b, tenants, s.ask))
		after := heap()
		held += after - min(after, bare)
		warm.of(each(b, tenants, s.ask))
		runtime.KeepAlive(s)
		plain.of(each(b, tenants, m.plainEach(w)))
		shared.of(each(b, manyShared, m.plainShared(b, w)))
	}
	b.ReportMetric(cold.each(1)/raw.each(1), "x-raw")
	b.ReportMetric(plain.each(1)/raw.each(1), "azidentity-x-raw")
	b.ReportMetric(shared.each(manyShared)/raw.each(tenants), "azidentity-shared-x-raw")
	b.ReportMetric(unsigned.each(1)/raw.each(1), "unsigned-x-raw")
	b.ReportMetric(raw.each(tenants)/1000, "raw-us/token")
	b.ReportMetric(cold.each(tenants)/1000, "cold-us/token")
	b.ReportMetric(warm.each(tenants), "warm-ns/token")
	b.ReportMetric(float64(held)/float64(b.N*tenants), "B/tenant")
}

// shortest is the shortest of several times: the one that whatever else runs on
// the machine disturbed least.
type shortest time.Duration

func (s *shortest) of(d time.Duration) {
	if *s == 0 || d < time.Duration(*s) {
		*s = shortest(d)
	}
}

// each is the time of one of n, in nanoseconds.
func (s shortest) each(n int) float64 { return float64(s) / float64(n) }
