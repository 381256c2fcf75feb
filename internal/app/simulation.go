package app

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"mcp-partner/guard"
	"mcp-partner/internal/disk"
	"mcp-partner/internal/exit"
	"mcp-partner/ledger"
	"mcp-partner/simulator"
	"mcp-partner/tenants"
	"mcp-partner/vault"
)

// simulatedCredential is the one credential of all simulated tenants.
const simulatedCredential = "simulator"

// SimulationOptions say how the simulated Azure behaves.
type SimulationOptions struct {
	Tenants  int
	Latency  time.Duration
	Throttle string
	Faults   []string
	Seed     uint64
}

func (w *SimulationOptions) config() (simulator.Config, error) {
	c := simulator.Config{Tenants: w.Tenants, Seed: w.Seed, Latency: w.Latency, JournalLimit: 1000}
	if w.Throttle != "" {
		limits, err := simulator.ParseThrottle(w.Throttle)
		if err != nil {
			return c, err
		}
		c.Throttle = limits
	}
	for _, text := range w.Faults {
		fault, err := simulator.ParseFault(text)
		if err != nil {
			return c, err
		}
		c.Faults = append(c.Faults, fault)
	}
	return c, nil
}

// Simulation is a simulated Azure behind a TLS listener in this process.
type Simulation struct {
	sim    *simulator.Simulator
	Server *simulator.Server
}

// StartSimulation starts one on addr; it ends with Close or the context.
func StartSimulation(ctx context.Context, options SimulationOptions, addr string) (*Simulation, error) {
	settings, err := options.config()
	if err != nil {
		return nil, exit.Usage("mcp-partner simulate --help", "%s", err)
	}
	sim, err := simulator.New(settings)
	if err != nil {
		return nil, exit.Usage("mcp-partner simulate --help", "%s", err)
	}
	server, err := sim.Start(ctx, addr)
	if err != nil {
		return nil, exit.Failed("give another --listen HOST:PORT", "%s", CannotListen(addr, err))
	}
	return &Simulation{sim, server}, nil
}

// CannotListen says in plain words why an address cannot be used.
func CannotListen(addr string, err error) string {
	var number syscall.Errno
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return addr + " is in use by another program"
	case errors.As(err, &number):
		return addr + " cannot be listened on: " + number.Error()
	}
	return addr + " cannot be listened on"
}

// Close ends the listener.
func (s *Simulation) Close() { _ = s.Server.Close() }

// Requests counts what the simulation was asked.
func (s *Simulation) Requests() int { return len(s.sim.Journal()) }

// Cloud is where the simulation is reached.
func (s *Simulation) Cloud() tenants.Cloud {
	return tenants.Cloud{
		Name: tenants.CloudCustom, Authority: s.Server.Authority(), ARMEndpoint: s.Server.URL(),
		ARMAudience: s.sim.Audience(), CAPEM: string(s.Server.CAPEM()), SkipInstanceDiscovery: true,
	}
}

// Entries are the simulated tenants as a directory has them.
func (s *Simulation) Entries() []tenants.Entry {
	cloud := s.Cloud()
	simulated := s.sim.Tenants()
	entries := make([]tenants.Entry, len(simulated))
	for i, t := range simulated {
		entries[i] = tenants.Entry{
			Name: t.Name, TenantID: t.TenantID, Domains: []string{t.Domain}, Cloud: cloud,
			Credentials: []tenants.CredentialRef{{Name: simulatedCredential}},
		}
	}
	return entries
}

// memory is a directory and a vault for all simulated tenants, from here on the
// production path.
func (s *Simulation) memory() (*tenants.Directory, vault.Store, error) {
	directory, err := tenants.NewMemoryDirectory(s.Entries(), []tenants.CredentialConfig{
		{Name: simulatedCredential, Kind: tenants.KindClientSecret, ClientID: s.sim.ClientID()},
	})
	if err != nil {
		return nil, nil, err
	}
	secret, err := vault.NewSecret([]byte(s.sim.ClientSecret()))
	if err != nil {
		return nil, nil, err
	}
	store := vault.NewMemoryStore()
	return directory, store, store.Put(context.Background(), simulatedCredential, secret)
}

// Announcement is the line that tells a program how to reach the simulation.
type Announcement struct {
	URL          string            `json:"url"`
	ARMEndpoint  string            `json:"arm_endpoint"`
	Authority    string            `json:"authority"`
	Audience     string            `json:"audience"`
	CAFile       string            `json:"ca_file"`
	ClientID     string            `json:"client_id"`
	ClientSecret string            `json:"client_secret"`
	Tenants      []AnnouncedTenant `json:"tenants"`
}

type AnnouncedTenant struct {
	Name      string  `json:"name"`
	TenantID  string  `json:"tenant_id"`
	ObjectID  string  `json:"object_id"`
	PartnerID *string `json:"partner_id"`
}

// maxAnnounced is how many tenants the announcement lists.
const maxAnnounced = 100

func (s *Simulation) Announce(caFile string) Announcement {
	tenants := s.sim.Tenants()
	a := Announcement{
		URL: s.Server.URL(), ARMEndpoint: s.Server.URL(), Authority: s.Server.Authority(), Audience: s.sim.Audience(),
		CAFile: caFile, ClientID: s.sim.ClientID(), ClientSecret: s.sim.ClientSecret(), Tenants: []AnnouncedTenant{},
	}
	for _, t := range tenants[:min(len(tenants), maxAnnounced)] {
		one := AnnouncedTenant{Name: t.Name, TenantID: t.TenantID, ObjectID: t.ObjectID}
		if t.PartnerID != "" {
			one.PartnerID = &t.PartnerID
		}
		a.Tenants = append(a.Tenants, one)
	}
	return a
}

// FaultKinds are the ways in which the simulation can misbehave.
func FaultKinds() []simulator.FaultInfo { return simulator.FaultKinds() }

// Stage sets the links for the demo: one tenant that never had one, and one
// with another partner's.
func (s *Simulation) Stage(unlinked, linked, partnerID string) error {
	return errors.Join(s.sim.ClearLink(unlinked), s.sim.SetLink(linked, partnerID))
}

// Throttle makes the next requests of a tenant end with 429 and Retry-After.
func (s *Simulation) Throttle(tenant string, times int, wait time.Duration) {
	s.sim.Inject(simulator.Rule{TenantID: tenant, Kind: simulator.FaultThrottleBurst, Times: times, RetryAfter: wait})
}

// Garble makes a tenant's answers a gateway's HTML from now on.
func (s *Simulation) Garble(tenant string) {
	s.sim.Inject(simulator.Rule{TenantID: tenant, Kind: simulator.FaultHTML})
}

// temporaryLedger is the ledger of a simulation, and of runs where no vault
// holds a key. It ends with the process: its keys are in memory alone.
type temporaryLedger struct {
	*ledger.Ledger
	dir string
}

// newTemporaryLedger makes nothing on the disk: the ledger makes its folder at
// its first use, so a command that needs none runs without a temporary folder.
func newTemporaryLedger() *temporaryLedger {
	dir := filepath.Join(os.TempDir(), "mcp-partner-"+rand.Text())
	return &temporaryLedger{ledger.Open(ledger.Options{
		Dir: disk.New(dir), Keys: ledger.NewTemporaryKeys(), Program: BuildInfo().Version,
	}), dir}
}

// makeFolder says early what would make every call fail.
func (t *temporaryLedger) makeFolder() error {
	if err := os.Mkdir(t.dir, 0o700); err != nil {
		return exit.Failed("set TMPDIR (TMP on Windows) to a folder that you can write", "the folder %s for the ledger of the simulation cannot be made: %s", t.dir, disk.Cause(err))
	}
	return nil
}

// Close removes the folder too.
func (t *temporaryLedger) Close() error {
	return errors.Join(t.Ledger.Close(), os.RemoveAll(t.dir))
}

// GuardStore is where the guard keeps approvals, freezes and the record.
func (a *App) GuardStore() guard.Store { return a.Record() }

// Record is the ledger, or where there is none the temporary one.
func (a *App) Record() *ledger.Ledger {
	if a.Ledger != nil {
		return a.Ledger
	}
	return a.temporary.Ledger
}
