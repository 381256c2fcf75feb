package signin

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"mcp-partner/internal/testkit"
	"mcp-partner/simulator"
	"mcp-partner/tenants"
	"mcp-partner/vault"
)

// world is a Source before the simulator's Entra ID, with one tenant entry for
// each tenant of the simulator and one credential.
type world struct {
	*Source
	tb    testing.TB
	sim   *simulator.Simulator
	azure *httptest.Server
	// override, if set, answers in the place of Entra ID.
	override  atomic.Pointer[http.HandlerFunc]
	clock     *testkit.Clock
	store     *vault.MemoryStore
	directory *tenants.Directory
}

const kindName = "acting"

// newWorld makes one. The credential's name and client ID are filled in.
func newWorld(tb testing.TB, tenants int, config tenants.CredentialConfig) *world {
	tb.Helper()
	w := &world{tb: tb, clock: newClock(), store: vault.NewMemoryStore()}
	sim, err := simulator.New(simulator.Config{Tenants: tenants, LinkedPercent: -1, Now: w.clock.Now})
	if err != nil {
		tb.Fatal(err)
	}
	w.sim = sim
	w.azure = httptest.NewUnstartedServer(http.HandlerFunc(w.serve))
	w.azure.EnableHTTP2 = true
	w.azure.Config.ErrorLog = log.New(io.Discard, "", 0)
	w.azure.StartTLS()
	tb.Cleanup(w.azure.Close)
	w.directory = w.furnish(config)
	w.Source = NewSource(Options{Directory: w.directory, Store: w.store, Clock: w.clock.Now})
	tb.Cleanup(w.Close)
	return w
}

func (w *world) serve(rw http.ResponseWriter, r *http.Request) {
	if f := w.override.Load(); f != nil {
		(*f)(rw, r)
		return
	}
	w.sim.Handler().ServeHTTP(rw, r)
}

// answer lets another take Entra ID's place.
func (w *world) answer(f http.HandlerFunc) { w.override.Store(&f) }

func (w *world) furnish(config tenants.CredentialConfig) *tenants.Directory {
	w.tb.Helper()
	config.Name = kindName
	if config.Kind.Application() {
		config.ClientID = w.sim.ClientID()
	}
	if config.Kind == tenants.KindManagedIdentity && config.HomeTenant == "" {
		config.HomeTenant = w.sim.Tenants()[0].TenantID
	}
	cloud := tenants.Cloud{Name: tenants.CloudCustom, Authority: w.azure.URL, ARMEndpoint: w.azure.URL, ARMAudience: w.sim.Audience(),
		CAPEM: caOf(w.azure), SkipInstanceDiscovery: true}
	var entries []tenants.Entry
	for _, t := range w.sim.Tenants() {
		entries = append(entries, tenants.Entry{Name: t.Name, TenantID: t.TenantID, Cloud: cloud, Credentials: []tenants.CredentialRef{{Name: kindName}}})
	}
	directory, err := tenants.NewMemoryDirectory(entries, []tenants.CredentialConfig{config})
	if err != nil {
		w.tb.Fatal(err)
	}
	return directory
}

// put stores what the credential shows.
func (w *world) put(secret vault.Secret) {
	w.tb.Helper()
	if err := w.store.Put(context.Background(), kindName, secret); err != nil {
		w.tb.Fatal(err)
	}
}

// token signs in at a tenant, given by name.
func (w *world) token(tenant string) (string, error) { return w.tokenWith(tenant, "") }

func (w *world) tokenWith(tenant, claims string) (string, error) {
	credential, err := w.Credential(context.Background(), tenant, "")
	if err != nil {
		return "", err
	}
	got, err := credential.GetToken(context.Background(), policy.TokenRequestOptions{
		Scopes: []string{w.sim.Audience() + "/.default"}, EnableCAE: true, Claims: claims})
	return got.Token, err
}

// accepted signs in and shows the token to the simulator's ARM, which says
// whose it is.
func (w *world) accepted(tenant string) string {
	w.tb.Helper()
	token, err := w.token(tenant)
	if err != nil {
		w.tb.Fatalf("signing in to %s: %v", tenant, err)
	}
	request, err := http.NewRequest(http.MethodGet, w.azure.URL+"/providers/Microsoft.ManagementPartner/partners?api-version=2018-02-01", nil)
	if err != nil {
		w.tb.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	client, err := w.opts.HTTP.Client([]byte(caOf(w.azure)))
	if err != nil {
		w.tb.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		w.tb.Fatal(err)
	}
	defer response.Body.Close()
	if body, _ := io.ReadAll(response.Body); response.StatusCode != http.StatusNotFound {
		w.tb.Fatalf("ARM answered %d to the token: %s", response.StatusCode, body)
	}
	records := w.sim.Journal()
	return records[len(records)-1].ObjectID
}

// keys are made once: an RSA key takes a while.
type keys struct {
	once sync.Once
	keys []*rsa.PrivateKey
}

// rsaKeys are shared by all tests: making one is expensive.
var rsaKeys keys

func rsaKey(tb testing.TB, n int) *rsa.PrivateKey {
	tb.Helper()
	rsaKeys.once.Do(func() {
		for range 2 {
			key, err := rsa.GenerateKey(rand.Reader, 2048)
			if err != nil {
				panic(err)
			}
			rsaKeys.keys = append(rsaKeys.keys, key)
		}
	})
	return rsaKeys.keys[n]
}

// certificate makes one for a key, which ends at a time.
func certificate(tb testing.TB, key *rsa.PrivateKey, end time.Time) *x509.Certificate {
	tb.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(end.Unix()), Subject: pkix.Name{CommonName: "mcp-partner"}, NotBefore: end.Add(-365 * 24 * time.Hour), NotAfter: end}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		tb.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	return parsed
}

func pemOf(tb testing.TB, key *rsa.PrivateKey, certificates ...*x509.Certificate) []byte {
	tb.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		tb.Fatal(err)
	}
	var b bytes.Buffer
	_ = pem.Encode(&b, &pem.Block{Type: "PRIVATE KEY", Bytes: der})
	for _, c := range certificates {
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
	}
	return b.Bytes()
}

// stored is a certificate as the vault keeps it.
func stored(tb testing.TB, raw []byte, passphrase string) vault.Secret {
	tb.Helper()
	secret, _, err := NewCertificate(raw, []byte(passphrase))
	if err != nil {
		tb.Fatal(err)
	}
	return secret
}

// caOf is the certificate of a test server, to trust.
func caOf(server *httptest.Server) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
}
