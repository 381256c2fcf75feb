package e2e

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"mcp-partner/internal/app"
	"mcp-partner/internal/database"
	"mcp-partner/internal/disk"
	"mcp-partner/internal/pgtest"
	"mcp-partner/simulator"
)

// world is a simulated Azure behind TLS that the test can see into, and a
// state directory that leads to it, made by the commands that a person uses.
type world struct {
	tb  testing.TB
	sim *simulator.Simulator
	tap *tap
	// gate holds requests for links where a test wants them held.
	gate *gate
	url  string
	// dir holds the state directory and what the commands are given.
	dir, state, caFile string
}

func newWorld(tb testing.TB, config simulator.Config) *world {
	tb.Helper()
	sim, err := simulator.New(config)
	if err != nil {
		tb.Fatal(err)
	}
	door := &gate{next: sim.Handler()}
	w := &world{tb: tb, sim: sim, tap: &tap{next: door, seen: make(chan string, 1024)}, gate: door, dir: tb.TempDir()}
	azure := httptest.NewUnstartedServer(w.tap)
	azure.EnableHTTP2 = true
	azure.Config.ErrorLog = log.New(io.Discard, "", 0)
	azure.StartTLS()
	tb.Cleanup(azure.Close)
	w.url, w.state, w.caFile = azure.URL, filepath.Join(w.dir, "state"), filepath.Join(w.dir, "ca.pem")
	w.write(w.caFile, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: azure.Certificate().Raw})))
	if os.Getenv(onPostgres) != "" {
		w.keepOnServer()
	}
	return w
}

// onPostgres names the environment variable with which every ledger of these tests
// is in PostgreSQL. The CI lane postgres sets it.
const onPostgres = "E2E_ON_POSTGRES"

// keepOnServer puts the ledger into PostgreSQL, by the config file.
func (w *world) keepOnServer() {
	w.tb.Helper()
	file := filepath.Join(w.dir, "database-url")
	w.write(file, pgtest.URL(w.tb)+"\n")
	check(w.tb, os.Mkdir(w.state, 0o700))
	w.write(filepath.Join(w.state, "config.yaml"), "database-url-file: "+file+"\n")
}

// places are where vault, directory and ledger are: in the state directory, or in the
// database of a server.
func (w *world) places() (disk.Dir, *database.Server) {
	w.tb.Helper()
	settings := app.NewSettings(func(string) (string, bool) { return "", false }, nil)
	settings.StateDir = w.state
	file := filepath.Join(w.dir, "database-url")
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return settings.Disk(), nil
	}
	check(w.tb, err)
	settings.DatabaseURLFile = file
	files, err := settings.Files()
	check(w.tb, err)
	server, err := database.ParseURL(string(text))
	check(w.tb, err)
	return files, server
}

func (w *world) write(path, text string) {
	w.tb.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.tb.Fatal(err)
	}
}

// cli is a command in the state directory.
func (w *world) cli(args ...string) invocation {
	return invocation{args: append(args, "--state-dir", w.state)}
}

// add adds a tenant of the simulator with a credential of its own.
func (w *world) add(name, secret string) {
	w.tb.Helper()
	tenant := w.tenant(name)
	i := w.cli("tenants", "add", name, "--tenant-id", tenant.TenantID, "--client-id", w.sim.ClientID(), "--secret-stdin",
		"--cloud", "custom", "--arm-endpoint", w.url, "--arm-audience", w.sim.Audience(), "--authority", w.url+"/",
		"--ca-file", w.caFile, "--skip-instance-discovery")
	i.stdin = secret
	i.must(w.tb)
}

// settle makes the vault and adds tenants with the right secret.
func (w *world) settle(names ...string) {
	w.tb.Helper()
	w.cli("vault", "init").must(w.tb)
	for _, name := range names {
		w.add(name, w.sim.ClientSecret())
	}
}

func (w *world) tenant(name string) simulator.Tenant {
	w.tb.Helper()
	tenant, ok := w.sim.Tenant(name)
	if !ok {
		w.tb.Fatalf("the simulator has no tenant %s", name)
	}
	return tenant
}

// tap sits between the program and Azure. It keeps every token that is minted
// or presented, and tells of every write that arrives.
type tap struct {
	next http.Handler
	// seen gets the method of each write, before it is carried out, as long as
	// somebody listens.
	seen chan string

	mu       sync.Mutex
	tokens   map[string]bool
	override map[string]http.HandlerFunc
}

// ServeHTTP implements http.Handler.
func (t *tap) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		t.keep(token)
	}
	if !strings.HasSuffix(r.URL.Path, "/oauth2/v2.0/token") {
		if r.Method != http.MethodGet {
			t.tell(r.Method)
		}
		t.next.ServeHTTP(w, r)
		return
	}
	copied := &copied{ResponseWriter: w}
	defer func() { t.minted(copied.body.Bytes()) }()
	t.handler(r).ServeHTTP(copied, r)
}

func (t *tap) tell(method string) {
	select {
	case t.seen <- method:
	default:
	}
}

// answer replaces the token endpoint of a tenant.
func (t *tap) answer(tenantID string, f http.HandlerFunc) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.override == nil {
		t.override = map[string]http.HandlerFunc{}
	}
	t.override[tenantID] = f
}

func (t *tap) handler(r *http.Request) http.Handler {
	t.mu.Lock()
	defer t.mu.Unlock()
	for tenantID, f := range t.override {
		if strings.Contains(r.URL.Path, tenantID) {
			return f
		}
	}
	return t.next
}

func (t *tap) minted(body []byte) {
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if json.Unmarshal(body, &answer) == nil && answer.AccessToken != "" {
		t.keep(answer.AccessToken)
	}
}

func (t *tap) keep(token string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.tokens == nil {
		t.tokens = map[string]bool{}
	}
	t.tokens[token] = true
}

// all returns every token so far.
func (t *tap) all() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var tokens []string
	for token := range t.tokens {
		tokens = append(tokens, token)
	}
	return tokens
}

// copied is a ResponseWriter that remembers the body.
type copied struct {
	http.ResponseWriter
	body bytes.Buffer
}

// Write implements http.ResponseWriter.
func (c *copied) Write(p []byte) (int, error) {
	c.body.Write(p)
	return c.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach what is below.
func (c *copied) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// oneTenant is the smallest world: contoso, without a link.
func oneTenant() simulator.Config { return simulator.Config{Tenants: 1, LinkedPercent: -1} }
