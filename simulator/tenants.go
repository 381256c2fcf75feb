package simulator

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"mcp-partner/internal/xslices"
)

// Tenant is a simulated customer, with the link that the application's own
// identity holds there.
type Tenant struct {
	// Name is short and stable: contoso, fabrikam, ..., tenant-0011, ...
	Name     string
	TenantID string
	// ObjectID is that of the application's service principal in this tenant.
	ObjectID    string
	Domain      string
	DisplayName string
	// PartnerID is the partner linked now, or empty.
	PartnerID string
	// State is StateActive, StateDeleted, or empty if there never was a link.
	State string
}

type tenant struct {
	Tenant // but for its link
	// shape and conflictCode decide what the contract leaves open.
	shape        ErrorShape
	conflictCode string
	tokenCalls   uint64
	principals   []*principal // the application's own comes first
	roles        *Roles       // nil for those that follow from the seed
}

type principal struct {
	clientID, objectID string
	// secret and registry are nil for identities without such credentials.
	secret   *clientSecret
	registry *registry
	// user is the person, of an identity that is one; managed marks the identity
	// of a machine, which gets its tokens from the machine alone.
	user    *user
	managed bool

	denied        bool // the application was not consented to in this tenant
	link          *Link
	reads, writes *rate.Limiter
	calls         uint64
	burst         int
}

// clientSecret is shared by all identities of one application.
type clientSecret struct {
	value   string
	expired bool
}

func tenantName(i int) string {
	names := []string{"contoso", "fabrikam", "adventure-works", "northwind", "litware", "proseware", "tailspin", "wingtip", "woodgrove", "lucerne"}
	if i < len(names) {
		return names[i]
	}
	return fmt.Sprintf("tenant-%04d", i+1)
}

// newTenant makes the i-th tenant, a function of the seed alone.
func (s *Simulator) newTenant(i int) *tenant {
	name := tenantName(i)
	t := &tenant{Tenant: Tenant{Name: name, TenantID: draw(s.cfg.Seed, "tenant", name).guid(), Domain: name + ".example", DisplayName: displayName(name)}}
	t.ObjectID = draw(s.cfg.Seed, "object", t.TenantID).guid()
	habits := draw(s.cfg.Seed, "habits", t.TenantID)
	t.shape = s.cfg.ErrorShape
	if t.shape == errorShapeAny {
		t.shape = []ErrorShape{ErrorShapeNested, ErrorShapeFlat, ErrorShapeBoth}[int(habits[0])%3]
	}
	t.conflictCode = []string{"Conflict", "PartnerIdAlreadyLinked"}[int(habits[1])%2]
	if slices.ContainsFunc(s.draws, func(f drawn) bool { return f.Kind == FaultHostileNames && s.always(f, t) }) {
		t.DisplayName = hostileName(habits)
	}
	app := &principal{clientID: s.clientID, objectID: t.ObjectID, secret: s.secret, registry: s.registry}
	app.link = s.firstLink(t)
	t.principals = []*principal{app}
	return t
}

func displayName(name string) string {
	words := strings.Split(name, "-")
	for i, w := range words {
		words[i] = strings.ToUpper(w[:1]) + w[1:]
	}
	return strings.Join(words, " ")
}

// firstLink is what a tenant starts with. Of those without a link, a quarter
// had one once.
func (s *Simulator) firstLink(t *tenant) *Link {
	d := draw(s.cfg.Seed, "link", t.TenantID)
	linked := d.percent() < s.cfg.LinkedPercent
	if !linked && (s.cfg.LinkedPercent < 0 || d[20]%4 != 0) {
		return nil
	}
	created := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(d.pick(500*24*3600)) * time.Second)
	p := s.partner(firstPartner(int(d[21])))
	l := &Link{PartnerID: p.id, PartnerName: p.name, State: StateActive, Version: 1 + int(d[22])%12, CreatedTime: created, UpdatedTime: created}
	if !linked {
		l.State, l.Version = StateDeleted, l.Version+1
	}
	l.UpdatedTime = created.Add(time.Duration(l.Version-1) * 241 * time.Hour)
	return l
}

// firstPartner gives most tenants the first partner and the rest a mixture,
// so that an audit has something to find.
func firstPartner(n int) string {
	list := startPartners()
	if n%10 < 7 {
		return list[0].id
	}
	return list[1+n%(len(list)-1)].id
}

func (t *tenant) app() *principal { return t.principals[0] }

// byObject and byClient find an identity; nil if there is none.
func (t *tenant) byObject(objectID string) *principal {
	p, _ := xslices.Find(t.principals, func(p *principal) bool { return strings.EqualFold(p.objectID, objectID) })
	return p
}

func (t *tenant) byClient(clientID string) *principal {
	p, _ := xslices.Find(t.principals, func(p *principal) bool { return strings.EqualFold(p.clientID, clientID) })
	return p
}

func (t *tenant) view() Tenant {
	v := t.Tenant
	if l := t.app().link; l != nil {
		v.State = l.State
		if l.live() {
			v.PartnerID = l.PartnerID
		}
	}
	return v
}

// The categories of a tenant in a list of tenants.
const (
	categoryHome        = "Home"
	CategoryProjectedBy = "ProjectedBy"
	CategoryManagedBy   = "ManagedBy"
)

// delegation is a customer's Lighthouse delegation to a managing tenant.
type delegation struct{ managing, customer, category string }

// Delegate lets the people of a managing tenant see a customer's tenant through
// Lighthouse, in the category ProjectedBy or ManagedBy. Tenants are given by
// name, domain or GUID.
func (s *Simulator) Delegate(managing, customer, category string) error {
	if category != CategoryProjectedBy && category != CategoryManagedBy {
		return fmt.Errorf("simulator: %q is not a category of Lighthouse", category)
	}
	to, err := s.tenant(customer)
	if err != nil {
		return err
	}
	return s.in(managing, func(from *tenant) error {
		s.delegated = append(s.delegated, delegation{from.TenantID, to.TenantID, category})
		return nil
	})
}

// tenants shows a service principal its own tenant, as ARM does, and a person
// every tenant with an account or a delegation.
func (c *call) tenants() answer {
	rows := []any{c.tenantRow(c.tenant, categoryHome)}
	if c.who.user == nil {
		return jsonAnswer(http.StatusOK, map[string]any{"value": rows})
	}
	seen := map[string]bool{c.tenant.TenantID: true}
	add := func(id, category string) {
		if t := c.sim.find(id); t != nil && !seen[id] {
			seen[id] = true
			rows = append(rows, c.tenantRow(t, category))
		}
	}
	for _, t := range c.sim.tenants {
		if c.who.user.objects[t.TenantID] != "" {
			add(t.TenantID, categoryHome)
		}
	}
	for _, d := range c.sim.delegated {
		if d.managing == c.tenant.TenantID {
			add(d.customer, d.category)
		}
	}
	return jsonAnswer(http.StatusOK, map[string]any{"value": rows})
}

func (c *call) tenantRow(t *tenant, category string) map[string]any {
	return map[string]any{
		"id": "/tenants/" + t.TenantID, "tenantId": t.TenantID, "displayName": c.shown(t.DisplayName), "defaultDomain": t.Domain,
		"domains": []string{t.Domain}, "countryCode": "US", "tenantCategory": category, "tenantType": "AAD",
	}
}
