package ledger

import "context"

// Status is the state of the file at a glance.
type Status struct {
	Path    string `json:"path"`
	Ledger  string `json:"ledger"`
	Entries int64  `json:"entries"`
	Last    int64  `json:"last"`
	// Remembered is the entry that the vault remembers.
	Remembered int64 `json:"remembered"`
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
	return s, nil
}
