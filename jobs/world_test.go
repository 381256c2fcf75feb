package jobs_test

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mcp-partner/access"
	"mcp-partner/fleet"
	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/pgtest"
	"mcp-partner/internal/testkit"
	"mcp-partner/jobs"
	"mcp-partner/jobs/schedules"
	"mcp-partner/ledger"
	"mcp-partner/simulator"
	"mcp-partner/tenants"
	"mcp-partner/tools"
	"mcp-partner/vault"
)

func TestMain(m *testing.M) {
	code := m.Run()
	pgtest.Stop()
	os.Exit(code)
}

const (
	entraTenant = "11111111-1111-1111-1111-111111111111"
	ann         = "22222222-2222-2222-2222-222222222222"
)

// creator is a person whom the config file names.
const creator = access.Caller("entra:" + entraTenant + ":" + ann)

// callers is a config file in which ann has tenants.
func callers(tenants string) string {
	return fmt.Sprintf("callers:\n  grants:\n    - {tenant_id: %s, object_id: %s, tenants: [%s]}\n", entraTenant, ann, tenants)
}

// world is a state directory that leads to a simulated Azure with three tenants, the
// directory of three replicas at most.
type world struct {
	t   *testing.T
	sim *simulator.Simulator
	dir string
	url string

	mu  sync.Mutex
	now time.Time
	// held lets requests wait until it is closed.
	held    chan struct{}
	waiting int
}

// onBoth runs a test with the ledger in a file and on a server.
func onBoth(t *testing.T, test func(*world)) {
	for name, url := range map[string]func(testing.TB) string{"SQLite": func(testing.TB) string { return "" }, "PostgreSQL": pgtest.URL} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(newWorld(t, url(t)))
		})
	}
}

func newWorld(t *testing.T, url string) *world {
	t.Helper()
	sim, err := simulator.New(simulator.Config{Tenants: 3})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, sim: sim, dir: filepath.Join(t.TempDir(), "state"), url: url, now: time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)}
	server := httptest.NewTLSServer(http.HandlerFunc(w.serve))
	t.Cleanup(server.Close)
	authority := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	w.must(os.Mkdir(w.dir, 0o700))
	w.configure(callers("'*'"))
	if url != "" {
		w.must(os.WriteFile(w.dir+"/url", []byte(url), 0o600))
	}
	files, err := w.settings().Files()
	w.must(err)
	w.must(vault.Init(t.Context(), files, vault.InitOptions{}))
	p := w.open()
	defer p.Close()
	secret, err := vault.NewSecret([]byte(sim.ClientSecret()))
	w.must(err)
	w.must(p.Store.Put(t.Context(), "app", secret))
	app := tenants.CredentialConfig{Name: "app", Kind: tenants.KindClientSecret, ClientID: sim.ClientID(), SecretName: "app"}
	w.must(p.Directory.AddCredential(t.Context(), app))
	w.must(p.Directory.AddCredential(t.Context(), tenants.CredentialConfig{Name: "person", Kind: tenants.KindDeviceCode, ClientID: sim.ClientID()}))
	for i, one := range sim.Tenants() {
		entry := tenants.Entry{Name: one.Name, TenantID: one.TenantID, Credentials: []tenants.CredentialRef{{Name: "app"}}, Cloud: tenants.Cloud{
			Name: tenants.CloudCustom, Authority: server.URL + "/", ARMEndpoint: server.URL, ARMAudience: sim.Audience(), CAPEM: authority, SkipInstanceDiscovery: true,
		}}
		if i == 0 {
			entry.Credentials = append(entry.Credentials, tenants.CredentialRef{Name: "person"})
		}
		w.must(p.Directory.Add(t.Context(), entry))
	}
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) configure(text string) {
	w.t.Helper()
	w.must(os.WriteFile(w.dir+"/config.yaml", []byte(text), 0o600))
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// pass lets time pass.
func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// process is one replica.
type process struct {
	*app.App
	w        *world
	guard    *guard.Guard
	service  *tools.Service
	settings *app.Settings
	*jobs.Work
}

func (w *world) settings() *app.Settings {
	w.t.Helper()
	s := app.NewSettings(func(string) (string, bool) { return "", false }, nil)
	s.SetStateDir(w.dir)
	s.ServesHTTP, s.Limits = true, fleet.Limits{Concurrency: 1, Backoff: time.Millisecond}
	if w.url != "" {
		s.DatabaseURLFile = w.dir + "/url"
	}
	s.Source = app.ConfigSource{Path: w.dir + "/config.yaml", Known: func() []string { return nil }}
	var err error
	s.Config, err = s.Source.Read()
	w.must(err)
	return s
}

func (w *world) open() *process {
	w.t.Helper()
	s := w.settings()
	a, err := s.Open(nil)
	w.must(err)
	w.t.Cleanup(a.Close)
	decider, err := a.Guard(guard.Options{})
	w.must(err)
	service := a.Service(decider)
	return &process{a, w, decider, service, s, &jobs.Work{
		Schedules: a.Ledger, Audits: a.ScheduledAudits(service), Entry: decider.Change, Now: w.clock, Log: s.Log,
	}}
}

// add adds a schedule that is due each day at two.
func (p *process) add(name string, by access.Caller, audit fleet.Audit) schedules.Schedule {
	p.w.t.Helper()
	s := schedules.Schedule{Name: name, Cron: "0 2 * * *", Zone: "UTC", Creator: by, CreatedAt: p.w.clock(), Audit: audit}
	p.w.must(p.Ledger.AddSchedule(p.w.t.Context(), s, p.guard.Change(guard.KindSchedule, "added "+name)))
	return s
}

// round lets the queue do what it does in a minute.
func (p *process) round() error { return p.Round(p.w.t.Context()) }

// runs waits for the audits of a schedule and returns them, newest first.
func (p *process) runs(caller access.Caller) []fleet.Run {
	p.w.t.Helper()
	var runs []fleet.Run
	testkit.WaitFor(p.w.t, "the audits end", func() bool {
		var err error
		runs, err = p.Fleet.Runs(p.w.t.Context(), fleet.RunFilter{Caller: caller})
		p.w.must(err)
		for _, run := range runs {
			if run.State == fleet.RunRunning {
				return false
			}
		}
		return true
	})
	return runs
}

// stored is a schedule as it is kept.
func (p *process) stored(name string) schedules.Schedule {
	p.w.t.Helper()
	all, err := p.Ledger.Schedules(p.w.t.Context())
	p.w.must(err)
	for _, s := range all {
		if s.Name == name {
			return s
		}
	}
	p.w.t.Fatal("there is no schedule ", name)
	return schedules.Schedule{}
}

// entries are the details of the record about schedules.
func (p *process) entries() string {
	p.w.t.Helper()
	events, err := p.Ledger.List(p.w.t.Context(), ledger.Filter{Kind: guard.KindSchedule})
	p.w.must(err)
	var lines []string
	for _, event := range events {
		lines = append(lines, event.Detail)
	}
	return strings.Join(lines, "; ")
}

func (p *process) removeSchedule(name string) error {
	_, err := p.Ledger.RemoveSchedule(p.w.t.Context(), name, p.guard.Change(guard.KindSchedule, "removed "+name))
	return err
}

// hold keeps Azure from answering until it is released.
func (w *world) hold() (release func()) {
	held := make(chan struct{})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held = held
	return sync.OnceFunc(func() { close(held) })
}

// arrived waits until a request waits.
func (w *world) arrived() {
	w.t.Helper()
	testkit.WaitFor(w.t, "a request arrives", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.waiting > 0
	})
}

func (w *world) serve(answer http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	held := w.held
	if held != nil {
		w.waiting++
	}
	w.mu.Unlock()
	if held != nil {
		select {
		case <-held:
		case <-r.Context().Done():
		}
	}
	w.sim.Handler().ServeHTTP(answer, r)
}
