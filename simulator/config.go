package simulator

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"mcp-partner/internal/xslices"
)

// Config is what a simulator contains and how it behaves. The zero value is
// ten well-behaved tenants with the provider's published limits.
type Config struct {
	// Tenants is how many tenants exist; 0 means 10. The first ten have fixed
	// friendly names (contoso, fabrikam, ...), the others tenant-0011 and up.
	Tenants int
	// Seed determines everything that is generated: GUIDs, the client's secret,
	// which tenants are linked, which requests meet a fault. Signing keys and
	// certificates are the exception: they are random in every run.
	Seed uint64
	// Latency is added to every request to ARM and to the token endpoint.
	Latency time.Duration
	// Throttle holds the sizes of the token buckets. A bucket left zero gets
	// the provider's published figures.
	Throttle Throttle
	// Faults are drawn for each request, or for each tenant where that is how
	// the real thing would vary; see [FaultKinds].
	Faults []Fault
	// TokenLifetime is how long an access token is valid; 0 means an hour.
	TokenLifetime time.Duration
	// Now is the clock that expiry, throttling and the links' times follow;
	// nil means time.Now. Latency always takes real time.
	Now func() time.Time
	// LinkedPercent is the share of tenants that are linked from the start:
	// 0 means 50, a negative number means none.
	LinkedPercent float64
	// ErrorShape fixes the shape of the provider's own errors. The zero value
	// gives every tenant one of the three, by seed.
	ErrorShape ErrorShape
	// JournalLimit bounds the journal to the newest records; 0 keeps all.
	JournalLimit int
}

// Throttle holds the token buckets of one principal in one tenant: Reads for
// GET, Writes for everything else.
type Throttle struct {
	Reads, Writes Bucket
}

// Bucket is a token bucket: Size requests at once, PerSecond refilled.
type Bucket struct {
	Size      int
	PerSecond float64
}

// ErrorShape is one of the two shapes in which the provider writes an error,
// or both at once.
type ErrorShape string

// The shapes that the provider's published specification and its clients'
// recordings know.
const (
	// errorShapeAny gives each tenant one of the three by seed.
	errorShapeAny ErrorShape = ""
	// ErrorShapeNested is {"error":{"code","message"}}.
	ErrorShapeNested ErrorShape = "nested"
	// ErrorShapeFlat is {"code","message"}.
	ErrorShapeFlat ErrorShape = "flat"
	// ErrorShapeBoth is both in one object.
	ErrorShapeBoth ErrorShape = "both"
)

const (
	defaultTenants       = 10
	defaultLinkedPercent = 50
	maxTenants           = 1_000_000
)

// withDefaults fills what was left zero.
func (c Config) withDefaults() Config {
	c.Tenants = cmp.Or(c.Tenants, defaultTenants)
	c.TokenLifetime = cmp.Or(c.TokenLifetime, time.Hour)
	c.LinkedPercent = cmp.Or(c.LinkedPercent, defaultLinkedPercent)
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Throttle = c.Throttle.withDefaults()
	return c
}

// withDefaults fills in the limits that Azure Resource Manager publishes for
// a principal in a tenant: 250 reads with 25 a second, 200 writes with 10.
func (t Throttle) withDefaults() Throttle {
	return Throttle{cmp.Or(t.Reads, Bucket{Size: 250, PerSecond: 25}), cmp.Or(t.Writes, Bucket{Size: 200, PerSecond: 10})}
}

func (c Config) validate() error {
	faults := xslices.Map(c.Faults, func(f Fault) error { return f.validate() })
	return errors.Join(
		check(c.Tenants >= 1 && c.Tenants <= maxTenants, "tenants: %d is not between 1 and %d", c.Tenants, maxTenants),
		check(c.Latency >= 0, "latency: %v is negative", c.Latency),
		check(c.TokenLifetime > 0, "token lifetime: %v is not positive", c.TokenLifetime),
		check(c.LinkedPercent <= 100, "linked percent: %v is over 100", c.LinkedPercent),
		check(c.JournalLimit >= 0, "journal limit: %d is negative", c.JournalLimit),
		c.ErrorShape.validate(),
		c.Throttle.Reads.validate("reads"),
		c.Throttle.Writes.validate("writes"),
		errors.Join(faults...),
	)
}

func (b Bucket) validate(name string) error {
	return check(b.Size >= 1 && b.PerSecond > 0 && b.PerSecond <= maxRate,
		"throttle %s: %d/%v needs a size of at least 1 and a rate above 0 and at most %v a second", name, b.Size, b.PerSecond, float64(maxRate))
}

func (s ErrorShape) validate() error {
	switch s {
	case errorShapeAny, ErrorShapeNested, ErrorShapeFlat, ErrorShapeBoth:
		return nil
	}
	return fmt.Errorf("error shape %q is not one of nested, flat, both or empty", s)
}

func check(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return fmt.Errorf(format, args...)
}

// maxRate keeps a bucket's arithmetic far from overflow.
const maxRate = 1_000_000

// wholeSeconds is the value of a Retry-After header: rounded up, at least 1.
func wholeSeconds(d time.Duration) int {
	return max(1, int(math.Ceil(d.Seconds())))
}

// ParseFault reads KIND=PERCENT, such as html=5. An error lists the kinds.
func ParseFault(s string) (Fault, error) {
	name, number, ok := strings.Cut(s, "=")
	if !ok {
		return Fault{}, fmt.Errorf("fault %q is not KIND=PERCENT, such as server_error=5", s)
	}
	percent, err := strconv.ParseFloat(strings.TrimSuffix(number, "%"), 64)
	if err != nil {
		return Fault{}, fmt.Errorf("fault %s: %q is not a percentage from 0 to 100", name, number)
	}
	f := Fault{Kind: FaultKind(name), Percent: percent}
	if err := f.validate(); err != nil {
		return Fault{}, err
	}
	return f, nil
}

// ParseThrottle reads reads=SIZE/PER_SECOND,writes=SIZE/PER_SECOND, in which
// either part may be left out for the published figures.
func ParseThrottle(s string) (Throttle, error) {
	var t Throttle
	for part := range strings.SplitSeq(s, ",") {
		if err := t.set(part); err != nil {
			return Throttle{}, err
		}
	}
	return t.withDefaults(), nil
}

func (t *Throttle) set(part string) error {
	name, value, _ := strings.Cut(part, "=")
	target := map[string]*Bucket{"reads": &t.Reads, "writes": &t.Writes}[name]
	if target == nil {
		return fmt.Errorf("throttle %q: accepted are reads=SIZE/PER_SECOND and writes=SIZE/PER_SECOND, such as reads=250/25,writes=200/10", part)
	}
	if *target != (Bucket{}) {
		return fmt.Errorf("throttle %s is given twice", name)
	}
	b, err := parseBucket(name, value)
	*target = b
	return err
}

func parseBucket(name, value string) (Bucket, error) {
	size, rate, ok := strings.Cut(value, "/")
	n, sizeErr := strconv.Atoi(size)
	perSecond, rateErr := strconv.ParseFloat(rate, 64)
	if !ok || sizeErr != nil || rateErr != nil {
		return Bucket{}, fmt.Errorf("throttle %s: %q is not SIZE/PER_SECOND, such as 250/25", name, value)
	}
	b := Bucket{Size: n, PerSecond: perSecond}
	return b, b.validate(name)
}
