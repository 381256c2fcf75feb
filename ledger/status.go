package ledger

import (
	"context"
	"time"
)

// Rollback is what the record says of an older file that was put back.
type Rollback struct {
	// Seq is the entry that says so, Time when it was noticed.
	Seq  int64     `json:"seq"`
	Time time.Time `json:"time"`
	// MissingFrom to MissingTo are the entries that were lost.
	MissingFrom int64 `json:"missing_from"`
	MissingTo   int64 `json:"missing_to"`
}

// Status is the state of the file at a glance.
type Status struct {
	Path    string `json:"path"`
	Ledger  string `json:"ledger"`
	Entries int64  `json:"entries"`
	Last    int64  `json:"last"`
	// Remembered is the entry that the vault remembers.
	Remembered int64 `json:"remembered"`
	// Rollbacks are the times that an older file was put back, oldest first: the
	// tickets of then were voided, and freeze and approvers want a look.
	Rollbacks []Rollback `json:"rollbacks,omitempty"`
}

// Status opens the file and says what is in it.
func (l *Ledger) Status(ctx context.Context) (Status, error) {
	db, err := l.use(ctx)
	if err != nil {
		return Status{}, err
	}
	s := Status{Path: l.path, Ledger: db.id}
	if s.Remembered, err = l.o.Keys.Counter(ctx); err != nil {
		return Status{}, l.keysProblem(err)
	}
	err = db.read.QueryRowContext(ctx, `SELECT count(*), coalesce(max(seq), 0) FROM events`).Scan(&s.Entries, &s.Last)
	if err != nil {
		return Status{}, l.problem(err)
	}
	s.Rollbacks, err = rollbacks(ctx, db.read)
	return s, l.problem(err)
}

func rollbacks(ctx context.Context, q querier) (found []Rollback, err error) {
	err = each(ctx, q, func(r row) error {
		e, err := decodeEntry(r.body)
		if err != nil {
			return err
		}
		var times clock
		found = append(found, Rollback{r.seq, times.parse(e.Time), e.MissingFrom, e.MissingTo})
		return times.failure
	}, `SELECT seq, body, hash, mac FROM events WHERE kind = 'rollback' ORDER BY seq`)
	return found, err
}
