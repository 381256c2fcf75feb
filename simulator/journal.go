package simulator

import (
	"slices"
	"time"
)

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
