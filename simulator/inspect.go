package simulator

import (
	"fmt"
	"slices"
	"time"
)

// Link returns the record of an identity in a tenant. An empty object ID
// stands for the application's own identity; the tenant may also be given by
// name or domain. It is false where there never was a link; a tombstone is a
// record.
func (s *Simulator) Link(tenantID, objectID string) (Link, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, p, err := s.identityIn(tenantID, objectID)
	if err != nil || p.link == nil {
		return Link{}, false
	}
	return *p.link, true
}

func (s *Simulator) identityIn(tenantID, objectID string) (*tenant, *principal, error) {
	t, err := s.tenant(tenantID)
	if err != nil {
		return nil, nil, err
	}
	if objectID == "" {
		return t, t.app(), nil
	}
	p := t.byObject(objectID)
	if p == nil {
		err = fmt.Errorf("simulator: tenant %s has no identity with object ID %q", t.Name, objectID)
	}
	return t, p, err
}

// SetLink links the application's identity in a tenant to a partner, past the
// wire. It counts as one write of another client: the version rises.
func (s *Simulator) SetLink(tenantID, partnerID string) error {
	if !validPartnerID(partnerID) {
		return fmt.Errorf("simulator: partner ID %q is not 4 to 10 digits", partnerID)
	}
	return s.change(tenantID, func(l *Link, now time.Time) *Link { return l.next(s.partner(partnerID), StateActive, now) })
}

// ClearLink removes the link of the application's identity in a tenant without
// leaving a tombstone.
func (s *Simulator) ClearLink(tenantID string) error {
	return s.change(tenantID, func(*Link, time.Time) *Link { return nil })
}

// Tombstone makes the application's identity in a tenant one that had a link
// and lost it. Where it never had one, it is linked first, so the record has
// version 2.
func (s *Simulator) Tombstone(tenantID string) error {
	return s.change(tenantID, func(l *Link, now time.Time) *Link {
		if l == nil {
			l, _ = l.create(s.partner(startPartners()[0].id), now)
		}
		if !l.live() {
			return l
		}
		l, _ = l.remove(l.PartnerID, now)
		return l
	})
}

func (s *Simulator) change(tenantID string, f func(*Link, time.Time) *Link) error {
	return s.in(tenantID, func(t *tenant) error {
		t.app().link = f(t.app().link, s.cfg.Now())
		return nil
	})
}

// AddGlobalPartner marks a partner ID as that of a virtual organization
// (PartnerGlobal), which the provider refuses to link.
func (s *Simulator) AddGlobalPartner(id, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.partners[id] = partner{id: id, name: name, global: true}
}

// SetConsent grants or withdraws the application's consent in a tenant.
// Without it the token endpoint answers AADSTS700016; issued tokens stay
// valid until they expire.
func (s *Simulator) SetConsent(tenantID string, granted bool) error {
	return s.in(tenantID, func(t *tenant) error {
		t.app().denied = !granted
		return nil
	})
}

// ExpireSecret expires the application's secret: the token endpoint answers
// AADSTS7000222.
func (s *Simulator) ExpireSecret() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secret.expired = true
}

// RenewSecret gives the application a new secret and returns it. The
// previous one is wrong from then on (AADSTS7000215).
func (s *Simulator) RenewSecret() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	*s.secret = s.newSecret()
	return s.secret.value
}

// Token issues an access token for ARM past the wire, for tests of what
// happens after sign-in. An empty object ID stands for the application's own
// identity.
func (s *Simulator) Token(tenantID, objectID string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, p, err := s.identityIn(tenantID, objectID)
	if err != nil {
		return "", err
	}
	return s.issue(s.claims(issuerHost, t.TenantID, p, s.Audience()))
}

// Record is one request as the simulator saw it.
type Record struct {
	// Time is by [Config.Now], when the request arrived.
	Time   time.Time
	Method string
	Path   string
	// TenantID is the token's tenant, or the one a token was asked for. It and
	// ObjectID are empty where the request named nobody that exists.
	TenantID string
	ObjectID string
	Op       Op
	// Status is 0 where no answer was sent: the connection was dropped, or
	// the client hung up first.
	Status    int
	RequestID string
	// FaultKind is the fault that the request met, or empty.
	FaultKind FaultKind
	// Written says that this request changed a link.
	Written bool
}

// Stats counts what the simulator was asked since it was made.
type Stats struct {
	// TokenRequests counts requests to the token endpoint, refused ones too.
	TokenRequests int64
	// ARMReads and ARMWrites count the requests to ARM by method, GET or any
	// other, refused ones too. Written counts those that changed a link.
	ARMReads, ARMWrites, Written int64
	// Throttled counts answers with status 429, from a bucket or a fault.
	Throttled int64
	// Faults counts the requests that met a fault.
	Faults int64
}

// journal keeps the records in order of arrival at the end of the request:
// before the answer leaves, so that a client that has one finds its record.
type journal struct {
	limit   int
	records []Record
	stats   Stats
}

func (j *journal) add(r Record) {
	j.stats.count(r)
	j.records = append(j.records, r)
	// Twice the limit may be held, so that dropping costs little per record.
	if j.limit > 0 && len(j.records) >= 2*j.limit {
		j.records = slices.Clone(j.tail())
	}
}

// tail is what the limit leaves.
func (j *journal) tail() []Record {
	if j.limit > 0 && len(j.records) > j.limit {
		return j.records[len(j.records)-j.limit:]
	}
	return j.records
}

func (s *Stats) count(r Record) {
	switch {
	case r.Op == OpToken:
		s.TokenRequests++
	case r.Op == OpDiscovery, r.Op == opSignIn, r.Op == opMetadata:
	case r.Method == "GET":
		s.ARMReads++
	default:
		s.ARMWrites++
	}
	for counter, met := range map[*int64]bool{&s.Written: r.Written, &s.Throttled: r.Status == 429, &s.Faults: r.FaultKind != ""} {
		if met {
			*counter++
		}
	}
}

// Journal returns the record of every request so far, oldest first, or the
// newest [Config.JournalLimit] of them. A request is in it before its answer
// leaves.
func (s *Simulator) Journal() []Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.journal.tail())
}

// Stats returns the counts so far. They are not bounded by the journal's
// limit.
func (s *Simulator) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.journal.stats
}
