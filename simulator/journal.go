package simulator

import (
	"sync"
	"sync/atomic"
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
	mu      sync.Mutex
	records []Record
	stats   counters
}

type counters struct {
	tokens, reads, writes, written, throttled, faults atomic.Int64
}

func (j *journal) add(r Record) {
	j.stats.count(r)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.records = append(j.records, r)
	// Twice the limit may be held, so that dropping costs little per record.
	if j.limit > 0 && len(j.records) >= 2*j.limit {
		j.records = append([]Record(nil), j.tail()...)
	}
}

// tail is what the limit leaves; the lock is held.
func (j *journal) tail() []Record {
	if j.limit > 0 && len(j.records) > j.limit {
		return j.records[len(j.records)-j.limit:]
	}
	return j.records
}

func (j *journal) all() []Record {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]Record(nil), j.tail()...)
}

func (c *counters) count(r Record) {
	switch {
	case r.Op == OpToken:
		c.tokens.Add(1)
	case r.Op == OpDiscovery, r.Op == opSignIn, r.Op == opMetadata:
	case r.Method == "GET":
		c.reads.Add(1)
	default:
		c.writes.Add(1)
	}
	addIf(&c.written, r.Written)
	addIf(&c.throttled, r.Status == 429)
	addIf(&c.faults, r.FaultKind != "")
}

func addIf(n *atomic.Int64, yes bool) {
	if yes {
		n.Add(1)
	}
}

// Journal returns the record of every request so far, oldest first, or the
// newest [Config.JournalLimit] of them. A request is in it before its answer
// leaves.
func (s *Simulator) Journal() []Record { return s.journal.all() }

// Stats returns the counts so far. They are not bounded by the journal's
// limit.
func (s *Simulator) Stats() Stats {
	c := &s.journal.stats
	return Stats{
		TokenRequests: c.tokens.Load(),
		ARMReads:      c.reads.Load(),
		ARMWrites:     c.writes.Load(),
		Written:       c.written.Load(),
		Throttled:     c.throttled.Load(),
		Faults:        c.faults.Load(),
	}
}
