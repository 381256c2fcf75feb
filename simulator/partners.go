package simulator

import "sync"

// partner is an entry of the partner register: an MPN ID with its name.
type partner struct {
	id, name string
	// global marks a virtual organisation, which the provider refuses.
	global bool
}

// register holds the partners. It accepts any well-formed ID, as the service does
// not check ownership: names are generated on demand.
type register struct {
	seed  uint64
	mu    sync.RWMutex
	known map[string]partner
}

func newRegister(seed uint64) *register {
	r := &register{seed: seed, known: map[string]partner{}}
	for _, p := range startPartners() {
		r.known[p.id] = p
	}
	return r
}

// startPartners are the partners that the first links point to. The first is
// the one that most tenants have.
func startPartners() []partner {
	return []partner{
		{id: "1234567", name: "Contoso Cloud Services"},
		{id: "7654321", name: "Fabrikam Consulting"},
		{id: "2345678", name: "Northwind Managed Services"},
		{id: "512345", name: "Woodgrove Advisory"},
	}
}

func (r *register) add(p partner) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known[p.id] = p
}

func (r *register) lookup(id string) partner {
	r.mu.RLock()
	p, ok := r.known[id]
	r.mu.RUnlock()
	if !ok {
		p = partner{id: id, name: partnerName(draw(r.seed, "partner", id))}
	}
	return p
}

func partnerName(d rng) string {
	first := []string{"Alpine", "Blue Yonder", "Coho", "Datum", "Fourth Coffee", "Graphic", "Humongous", "Margie's", "Relecloud", "Trey"}
	second := []string{"Cloud", "Consulting", "Digital", "Managed Services", "Partners", "Research", "Systems"}
	return first[int(d[0])%len(first)] + " " + second[int(d[1])%len(second)]
}

// validPartnerID accepts what was seen in use, 5 to 8 digits, with a margin.
func validPartnerID(id string) bool {
	if len(id) < 4 || len(id) > 10 {
		return false
	}
	for _, c := range []byte(id) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
