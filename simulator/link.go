package simulator

import (
	"strings"
	"time"
)

// The states of a link. A tombstone is what a DELETE leaves behind.
const (
	StateActive  = "Active"
	StateDeleted = "Deleted"
)

// Link is the provider's record for one identity in one tenant: the truth,
// whatever a client was told about it.
type Link struct {
	PartnerID   string
	PartnerName string
	// Version is also the etag. It rises by one on every write, a DELETE
	// included.
	Version int
	// State is StateActive or StateDeleted.
	State string
	// CreatedTime survives a DELETE and the next PUT, so it does not mean
	// "linked since".
	CreatedTime time.Time
	UpdatedTime time.Time
}

// refusal is why the provider does not do what it was asked.
type refusal int

const (
	accepted refusal = iota
	refusedNotLinked
	refusedOtherPartner
	refusedAlreadyLinked
	refusedMalformed
	refusedGlobal
)

func (l *Link) live() bool { return l != nil && l.State == StateActive }

// create is a PUT. Nil stands for an identity that was never linked.
func (l *Link) create(p partner, now time.Time) (*Link, refusal) {
	if l.live() {
		return l, refusedAlreadyLinked
	}
	return l.next(p, StateActive, now), accepted
}

// move is a PATCH, whose partner is the new one.
func (l *Link) move(p partner, now time.Time) (*Link, refusal) {
	if !l.live() {
		return l, refusedNotLinked
	}
	return l.next(p, StateActive, now), accepted
}

// remove is a DELETE, which has to name the partner that is linked.
func (l *Link) remove(id string, now time.Time) (*Link, refusal) {
	if !l.live() {
		return l, refusedNotLinked
	}
	if l.PartnerID != id {
		return l, refusedOtherPartner
	}
	return l.next(partner{id: l.PartnerID, name: l.PartnerName}, StateDeleted, now), accepted
}

// next is the record after a write. Records are never changed in place.
func (l *Link) next(p partner, state string, now time.Time) *Link {
	now = now.UTC().Truncate(tick)
	n := &Link{PartnerID: p.id, PartnerName: p.name, Version: 1, State: state, CreatedTime: now, UpdatedTime: now}
	if l != nil {
		n.Version, n.CreatedTime = l.Version+1, l.CreatedTime
	}
	return n
}

// tick is the resolution of the provider's times: seven fraction digits.
const tick = 100 * time.Nanosecond

// stamp writes a time as the provider does, always with seven digits.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.0000000Z") }

// partner is an entry of the partner register: an MPN ID with its name.
type partner struct {
	id, name string
	// global marks a virtual organization, which the provider refuses.
	global bool
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

// partner finds a partner. Any well-formed ID is one, as the service does not
// check ownership: names are generated on demand.
func (s *Simulator) partner(id string) partner {
	if p, ok := s.partners[id]; ok {
		return p
	}
	first := []string{"Alpine", "Blue Yonder", "Coho", "Datum", "Fourth Coffee", "Graphic", "Humongous", "Margie's", "Relecloud", "Trey"}
	second := []string{"Cloud", "Consulting", "Digital", "Managed Services", "Partners", "Research", "Systems"}
	d := draw(s.cfg.Seed, "partner", id)
	return partner{id: id, name: first[int(d[0])%len(first)] + " " + second[int(d[1])%len(second)]}
}

// validPartnerID accepts what was seen in use, 5 to 8 digits, with a margin.
func validPartnerID(id string) bool {
	return len(id) >= 4 && len(id) <= 10 && strings.Trim(id, "0123456789") == ""
}
