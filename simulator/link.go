package simulator

import "time"

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

// next is the record after a write. Records are never changed in place, so a
// reader that holds one needs no lock.
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
