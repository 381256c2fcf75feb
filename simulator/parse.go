package simulator

import (
	"fmt"
	"strconv"
	"strings"
)

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
