package ledger

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
)

// plans compares the stored plans with the digests that their tickets and runs
// carry. The rows of plans are named by no entry, so a deleted one is found
// only here.
type plans struct {
	stored map[string]digest
	// wanted is the digest of each plan that has to be there, by its name, and
	// wantedBy the row that names it.
	wanted   map[string]digest
	wantedBy map[string]string
}

func newPlans() plans {
	return plans{stored: map[string]digest{}, wanted: map[string]digest{}, wantedBy: map[string]string{}}
}

// note takes in one genuine row. A row that cannot be decoded is an error: its
// MAC is good, so this program wrote it.
func (p *plans) note(l *Ledger, s state) error {
	switch s.kind {
	case statePlan:
		p.stored[s.name] = sha256.Sum256(s.body)
	case stateTicket:
		t, err := decodeTicket(s.name, s.body)
		if err != nil {
			return err
		}
		if t.Plan == nil || t.InBand && (t.Declined || !t.Spent && !l.o.Now().Before(t.ExpiresAt)) {
			return nil // dropPlans may have removed it
		}
		p.want(t.ID, t.Plan.Digest, ref(s.kind, s.name))
	case stateRun:
		r, err := decodeOpenRun(s.name, s.body)
		if err != nil {
			return err
		}
		p.want(r.Plan, r.Digest, ref(s.kind, s.name))
	}
	return nil
}

func (p *plans) want(name string, d digest, by string) { p.wanted[name], p.wantedBy[name] = d, by }

// report makes a finding of each plan that is missing or another one.
func (p *plans) report(r *Report) {
	for _, name := range slices.Sorted(maps.Keys(p.wanted)) {
		stored, there := p.stored[name]
		switch {
		case !there:
			r.findRow(plain(ref(statePlan, name)), fmt.Sprintf("the plan of %s was removed by another program", plain(p.wantedBy[name])))
		case stored != p.wanted[name]:
			r.findRow(plain(ref(statePlan, name)), fmt.Sprintf("the plan of %s was changed", plain(p.wantedBy[name])))
		}
	}
}
