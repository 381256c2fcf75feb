package simulator

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"mcp-partner/internal/xslices"
)

// Simulator holds the tenants, their identities and links, and answers for
// Entra ID and ARM. It is safe for concurrent use, and may be served by any
// number of servers at once.
type Simulator struct {
	cfg      Config
	draws    []drawn
	routes   []pattern
	clientID string
	key      *ecdsa.PrivateKey // made anew for each simulator
	keyID    string
	tenants  []*tenant
	// lookup has every tenant by name, GUID and domain; nothing is added to it
	// after New.
	lookup map[string]*tenant

	// mu guards all that changes: what follows, and what tenants, principals and
	// the rest point to. Exported methods take it, and no request waits with it.
	mu        sync.Mutex
	secret    *clientSecret
	registry  *registry
	people    *people
	delegated []delegation
	machine   []ManagedIdentity
	partners  map[string]partner
	rules     []*placed
	journal   journal
	issued    map[string]claims // by access token
	strangers uint64
	renewals  uint64
}

// New makes a simulator. An error names every setting that is wrong.
func New(cfg Config) (*Simulator, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("simulator: make a signing key: %w", err)
	}
	s := &Simulator{
		cfg:      cfg,
		draws:    xslices.Map(cfg.Faults, func(f Fault) drawn { return drawn{kindOf(f.Kind), f.Percent} }),
		routes:   routes(),
		clientID: draw(cfg.Seed, "client").guid(),
		partners: map[string]partner{},
		journal:  journal{limit: cfg.JournalLimit},
		key:      key,
		keyID:    rand.Text(),
		issued:   map[string]claims{},
		registry: &registry{certificates: map[string]*x509.Certificate{}, seen: map[string]bool{}},
		people: &people{users: map[string]*user{}, devices: map[string]*device{}, codes: map[string]*authorization{},
			refreshes: map[string]*refresh{}, strict: map[string]bool{}},
	}
	s.secret = new(s.newSecret())
	for _, p := range startPartners() {
		s.partners[p.id] = p
	}
	s.populate()
	return s, nil
}

func (s *Simulator) populate() {
	s.tenants = make([]*tenant, s.cfg.Tenants)
	s.lookup = make(map[string]*tenant, 3*len(s.tenants))
	for i := range s.tenants {
		t := s.newTenant(i)
		s.tenants[i] = t
		s.lookup[t.Name], s.lookup[t.TenantID], s.lookup[t.Domain] = t, t, t
	}
}

// newSecret looks like an Entra client secret and carries a marker by which a
// scan finds a leak.
func (s *Simulator) newSecret() clientSecret {
	s.renewals++
	return clientSecret{value: "sim8Q~" + draw(s.cfg.Seed, "secret", ordinal(s.renewals)).text()}
}

// Handler answers for ARM and for Entra ID on one host. Faults that cut a
// connection panic with [http.ErrAbortHandler], as net/http's servers expect.
func (s *Simulator) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, s.routeOf(r.URL.Path), "nobody") })
}

// ClientID returns the application's client ID, the same in every tenant.
func (s *Simulator) ClientID() string { return s.clientID }

// ClientSecret returns the application's client secret that is valid now, or
// was last.
func (s *Simulator) ClientSecret() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.secret.value
}

// Audience returns the audience of access tokens for ARM. It ends in a
// slash, as Azure's own does, so that its scope has two.
func (s *Simulator) Audience() string { return "https://management.simulator.invalid/" }

// Tenants returns every tenant in a fixed order, with its link as it is now.
func (s *Simulator) Tenants() []Tenant {
	s.mu.Lock()
	defer s.mu.Unlock()
	return xslices.Map(s.tenants, func(t *tenant) Tenant { return t.view() })
}

// Tenant returns a tenant by its name, domain or GUID.
func (s *Simulator) Tenant(name string) (Tenant, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.find(name); t != nil {
		return t.view(), true
	}
	return Tenant{}, false
}

func (s *Simulator) find(name string) *tenant { return s.lookup[strings.ToLower(name)] }

// tenant is find for callers that need a result.
func (s *Simulator) tenant(name string) (*tenant, error) {
	if t := s.find(name); t != nil {
		return t, nil
	}
	return nil, fmt.Errorf("simulator: no tenant has the name, domain or ID %q; Tenants lists those that exist", name)
}

// in changes a tenant, or what belongs to it, while nothing else does.
func (s *Simulator) in(tenantID string, change func(*tenant) error) error {
	t, err := s.tenant(tenantID)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return change(t)
}

// AddPrincipal adds another identity to a tenant: an application of its own
// client ID and secret. The tenant is given by name, domain or GUID. It is an
// error if the tenant has an identity with that object ID or client ID.
func (s *Simulator) AddPrincipal(tenantID, objectID, clientID, secret string) error {
	if objectID == "" || clientID == "" || secret == "" {
		return errors.New("simulator: a principal needs an object ID, a client ID and a secret")
	}
	return s.in(tenantID, func(t *tenant) error {
		if t.byObject(objectID) != nil || t.byClient(clientID) != nil {
			return fmt.Errorf("simulator: tenant %s has an identity with object ID %s or client ID %s already", t.Name, objectID, clientID)
		}
		t.principals = append(t.principals, &principal{clientID: clientID, objectID: objectID, secret: &clientSecret{value: secret}})
		return nil
	})
}
