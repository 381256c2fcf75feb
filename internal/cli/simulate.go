package cli

import (
	"context"
	"errors"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"mcp-partner/simulator"
	"mcp-partner/tenants"
	"mcp-partner/vault"
)

// simulatedCredential is the one credential of all simulated tenants.
const simulatedCredential = "simulator"

// worldOptions say how the simulated Azure behaves.
type worldOptions struct {
	tenants  int
	latency  time.Duration
	throttle string
	faults   []string
	seed     uint64
}

// add adds everything but the number of tenants, whose flag differs.
func (w *worldOptions) add(flags *pflag.FlagSet) {
	flags.DurationVar(&w.latency, "latency", 0, "`TIME` that every simulated answer takes, such as 50ms")
	flags.StringVar(&w.throttle, "throttle", "", "simulated limits, as in `reads=250/25,writes=200/10` (at once/refilled per second)")
	flags.Var((*list)(&w.faults), "fault", "`KIND=PERCENT` of simulated answers that go wrong; may be given again (mcp-partner simulate --help lists the kinds)")
	flags.Uint64Var(&w.seed, "seed", 0, "`NUMBER` that decides everything that is generated")
}

func (w *worldOptions) config() (simulator.Config, error) {
	c := simulator.Config{Tenants: w.tenants, Seed: w.seed, Latency: w.latency, JournalLimit: 1000}
	if w.throttle != "" {
		limits, err := simulator.ParseThrottle(w.throttle)
		if err != nil {
			return c, err
		}
		c.Throttle = limits
	}
	for _, text := range w.faults {
		fault, err := simulator.ParseFault(text)
		if err != nil {
			return c, err
		}
		c.Faults = append(c.Faults, fault)
	}
	return c, nil
}

// simulation is a simulated Azure behind a TLS listener in this process.
type simulation struct {
	sim    *simulator.Simulator
	server *simulator.Server
}

// startSimulation starts one on addr; it ends with Close or the context.
func startSimulation(ctx context.Context, options worldOptions, addr string) (*simulation, error) {
	settings, err := options.config()
	if err != nil {
		return nil, usage("mcp-partner simulate --help", "%s", err)
	}
	sim, err := simulator.New(settings)
	if err != nil {
		return nil, usage("mcp-partner simulate --help", "%s", err)
	}
	server, err := sim.Start(ctx, addr)
	if err != nil {
		return nil, failed("give another --listen HOST:PORT", "%s", cannotListen(addr, err))
	}
	return &simulation{sim, server}, nil
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
func (s *simulation) Close() { _ = s.server.Close() }

// cloud is where the simulation is reached.
func (s *simulation) cloud() tenants.Cloud {
	return tenants.Cloud{
		Name: tenants.CloudCustom, Authority: s.server.Authority(), ARMEndpoint: s.server.ARMEndpoint(),
		ARMAudience: s.server.Audience(), CAPEM: string(s.server.CAPEM()), SkipInstanceDiscovery: true,
	}
}

// entries are the simulated tenants as a directory has them.
func (s *simulation) entries() []tenants.Entry {
	cloud := s.cloud()
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
func (s *simulation) memory() (*tenants.Directory, vault.Store, error) {
	directory, err := tenants.NewMemoryDirectory(s.entries(), []tenants.CredentialConfig{
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

// announcement is the line that tells a program how to reach the simulation.
type announcement struct {
	URL          string            `json:"url"`
	ARMEndpoint  string            `json:"arm_endpoint"`
	Authority    string            `json:"authority"`
	Audience     string            `json:"audience"`
	CAFile       string            `json:"ca_file"`
	ClientID     string            `json:"client_id"`
	ClientSecret string            `json:"client_secret"`
	Tenants      []announcedTenant `json:"tenants"`
}

type announcedTenant struct {
	Name      string  `json:"name"`
	TenantID  string  `json:"tenant_id"`
	ObjectID  string  `json:"object_id"`
	PartnerID *string `json:"partner_id"`
}

// maxAnnounced is how many tenants the announcement lists.
const maxAnnounced = 100

func (s *simulation) announce(caFile string) announcement {
	tenants := s.sim.Tenants()
	a := announcement{
		URL: s.server.URL(), ARMEndpoint: s.server.ARMEndpoint(), Authority: s.server.Authority(), Audience: s.server.Audience(),
		CAFile: caFile, ClientID: s.sim.ClientID(), ClientSecret: s.sim.ClientSecret(), Tenants: []announcedTenant{},
	}
	for _, t := range tenants[:min(len(tenants), maxAnnounced)] {
		one := announcedTenant{Name: t.Name, TenantID: t.TenantID, ObjectID: t.ObjectID}
		if t.PartnerID != "" {
			one.PartnerID = &t.PartnerID
		}
		a.Tenants = append(a.Tenants, one)
	}
	return a
}

// faultKind describes one way in which the simulation can misbehave.
type faultKind struct {
	name, summary string
	perTenant     bool
}

func faultKinds() []faultKind {
	var kinds []faultKind
	for _, k := range simulator.FaultKinds() {
		kinds = append(kinds, faultKind{string(k.Kind), k.Summary, k.PerTenant})
	}
	return kinds
}

// stage sets the links for the demo: one tenant that never had one, and one
// with another partner's.
func (s *simulation) stage(unlinked, linked, partnerID string) error {
	return errors.Join(s.sim.ClearLink(unlinked), s.sim.SetLink(linked, partnerID))
}

// Throttle makes the next requests of a tenant end with 429 and Retry-After.
func (s *simulation) Throttle(tenant string, times int, wait time.Duration) {
	s.sim.Inject(simulator.Rule{TenantID: tenant, Kind: simulator.FaultThrottleBurst, Times: times, RetryAfter: wait})
}

// Garble makes a tenant's answers a gateway's HTML from now on.
func (s *simulation) Garble(tenant string) {
	s.sim.Inject(simulator.Rule{TenantID: tenant, Kind: simulator.FaultHTML})
}
