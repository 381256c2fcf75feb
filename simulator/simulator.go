package simulator

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"mcp-partner/internal/xslices"
)

// Simulator holds the tenants, their identities and links, and answers for
// Entra ID and ARM. It is safe for concurrent use, and may be served by any
// number of servers at once.
type Simulator struct {
	cfg       Config
	draws     []drawn
	routes    []pattern
	clientID  string
	secret    *clientSecret
	registry  *registry
	people    *people
	delegated delegations
	machine   machine
	partners  *register
	tenants   []*tenant
	// lookup has every tenant by name, GUID and domain; nothing is added to it
	// after New.
	lookup    map[string]*tenant
	rules     rules
	journal   *journal
	signer    *signer
	opaque    sync.Map // the access tokens that are no JWT, with their claims
	strangers atomic.Uint64
	renewals  atomic.Uint64
}

// New makes a simulator. An error names every setting that is wrong.
func New(cfg Config) (*Simulator, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	sign, err := newSigner()
	if err != nil {
		return nil, fmt.Errorf("simulator: make a signing key: %w", err)
	}
	s := &Simulator{
		cfg:      cfg,
		draws:    draws(cfg.Faults),
		routes:   routes(),
		clientID: draw(cfg.Seed, "client").guid(),
		partners: newRegister(cfg.Seed),
		journal:  &journal{limit: cfg.JournalLimit},
		signer:   sign,
		registry: newRegistry(),
		people:   newPeople(),
	}
	s.secret = &clientSecret{value: s.newSecret()}
	s.machine.header = draw(cfg.Seed, "identity header").text()
	s.populate()
	return s, nil
}

func (s *Simulator) populate() {
	s.tenants = make([]*tenant, s.cfg.Tenants)
	s.lookup = make(map[string]*tenant, 3*len(s.tenants))
	for i := range s.tenants {
		t := s.newTenant(i)
		s.tenants[i] = t
		s.lookup[t.name], s.lookup[t.id], s.lookup[t.domain] = t, t, t
	}
}

// newSecret looks like an Entra client secret and carries a marker by which a
// scan finds a leak.
func (s *Simulator) newSecret() string {
	return "sim8Q~" + draw(s.cfg.Seed, "secret", ordinal(s.renewals.Add(1))).text()
}

// Handler answers for ARM and for Entra ID on one host. Faults that cut a
// connection panic with [http.ErrAbortHandler], as net/http's servers expect.
func (s *Simulator) Handler() http.Handler { return http.HandlerFunc(s.serve) }

// ClientID returns the application's client ID, the same in every tenant.
func (s *Simulator) ClientID() string { return s.clientID }

// ClientSecret returns the application's client secret that is valid now, or
// was last.
func (s *Simulator) ClientSecret() string {
	value, _ := s.secret.get()
	return value
}

// Audience returns the audience of access tokens for ARM. It ends in a
// slash, as Azure's own does, so that its scope has two.
func (s *Simulator) Audience() string { return "https://management.simulator.invalid/" }

// Tenants returns every tenant in a fixed order, with its link as it is now.
func (s *Simulator) Tenants() []Tenant {
	return xslices.Map(s.tenants, func(t *tenant) Tenant { return t.view() })
}

// Tenant returns a tenant by its name, domain or GUID.
func (s *Simulator) Tenant(name string) (Tenant, bool) {
	t := s.find(name)
	if t == nil {
		return Tenant{}, false
	}
	return t.view(), true
}

func (s *Simulator) find(name string) *tenant { return s.lookup[strings.ToLower(name)] }

// tenant is find for callers that need a result; it panics without one.
func (s *Simulator) tenant(name string) (*tenant, error) {
	if t := s.find(name); t != nil {
		return t, nil
	}
	return nil, fmt.Errorf("simulator: no tenant has the name, domain or ID %q; Tenants lists those that exist", name)
}

// AddPrincipal adds another identity to a tenant: an application of its own
// client ID and secret. The tenant is given by name, domain or GUID. It is an
// error if the tenant has an identity with that object ID or client ID.
func (s *Simulator) AddPrincipal(tenantID, objectID, clientID, secret string) error {
	t, err := s.tenant(tenantID)
	if err != nil {
		return err
	}
	if objectID == "" || clientID == "" || secret == "" {
		return errors.New("simulator: a principal needs an object ID, a client ID and a secret")
	}
	if t.byObject(objectID) != nil || t.byClient(clientID) != nil {
		return fmt.Errorf("simulator: tenant %s has an identity with object ID %s or client ID %s already", t.name, objectID, clientID)
	}
	t.add(&principal{clientID: clientID, objectID: objectID, secret: &clientSecret{value: secret}})
	return nil
}
