package app

import (
	"context"
	"errors"
	"syscall"
	"time"

	"mcp-partner/internal/exit"
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
		return nil, exit.Failed("give another --listen HOST:PORT", "%s", cannotListen(addr, err))
	}
	return &Simulation{sim, server}, nil
}

// cannotListen says in plain words why an address cannot be used.
func cannotListen(addr string, err error) string {
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
