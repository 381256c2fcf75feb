package ledger

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mcp-partner/guard"
	"mcp-partner/guard/runs"
	"mcp-partner/internal/untrusted"
)

// maxFindings bounds a report; the first finding is the one that counts.
const maxFindings = 100

// Finding is one place where the file is not what was written.
type Finding struct {
	// Seq is the entry, 0 for a finding about no entry.
	Seq int64 `json:"seq,omitempty"`
	// Row names a ticket, an approver or the freeze, as kind/name.
	Row  string `json:"row,omitempty"`
	What string `json:"what"`
}

// Report is what Verify and VerifyExport found.
type Report struct {
	Ledger string `json:"ledger"`
	// First and Last are the entries that are there, Entries how many.
	First   int64 `json:"first"`
	Last    int64 `json:"last"`
	Entries int64 `json:"entries"`
	// Withheld is how many entries of an export are digests only.
	Withheld int64 `json:"withheld,omitempty"`
	// Attested is the last entry that a head vouches for, 0 without a head.
	Attested int64 `json:"attested,omitempty"`
	// Checkpoint is set when older entries were pruned.
	Checkpoint *Checkpoint `json:"checkpoint,omitempty"`
	// Gaps are losses that the record itself noticed. One that no approver has
	// accepted is a finding as well.
	Gaps []Gap `json:"gaps,omitempty"`
	// Notes say what could not be compared.
	Notes []string `json:"notes,omitempty"`
	// Findings are in the order of the record, rows last; at most 100.
	Findings []Finding `json:"findings,omitempty"`
}

// Whole reports whether nothing was found that is not what was written.
func (r *Report) Whole() bool { return len(r.Findings) == 0 }

func (r *Report) find(seq int64, format string, args ...any) {
	if len(r.Findings) < maxFindings {
		r.Findings = append(r.Findings, Finding{Seq: seq, What: fmt.Sprintf(format, args...)})
	}
}

// missing finds a run of entries that are not there.
func (r *Report) missing(from, to int64, because string) {
	if from == to {
		r.find(from, "entry %d is missing%s", from, because)
		return
	}
	r.find(from, "entries %d to %d are missing%s", from, to, because)
}

// attest notes how far heads vouch, if nothing was found up to there.
func (r *Report) attest(seq int64) {
	for _, f := range r.Findings {
		if f.Row == "" && f.Seq <= seq {
			return
		}
	}
	r.Attested = max(r.Attested, seq)
}

func (r *Report) findRow(name, what string) {
	if len(r.Findings) < maxFindings {
		r.Findings = append(r.Findings, Finding{Row: name, What: what})
	}
}

// Verify reads the whole file and compares it with the chain under the vault's
// key, with the vault's counter, and with heads that were kept elsewhere, if
// some are given. Findings are in the report, in order; an error means that the
// file could not be looked at.
func (l *Ledger) Verify(ctx context.Context, heads []Head) (Report, error) {
	if _, err := l.use(ctx); err != nil {
		return Report{}, err
	}
	seen := l.counter.get().seen // before the snapshot, which may hold more
	v := &verifier{walk: newWalk(heads, "entry %d is before the first entry of the ledger"), latest: map[string]mention{}}
	err := l.snapshot(ctx, func(s *session) {
		v.session, v.report.Ledger = s, s.db.id
		v.run(seen)
	})
	if err != nil {
		return Report{}, err
	}
	return v.report, nil
}

// mention is what the record says last of a row.
type mention struct {
	seq  int64
	gone bool
}

// verifier walks one snapshot of the file.
type verifier struct {
	walk
	*session
	latest map[string]mention
}

func (v *verifier) run(seen int64) {
	for _, step := range []func(){v.file, v.schema, v.name, v.begin, v.chain, v.stored, v.againstHeads} {
		if step(); v.l.damaged(v.err) {
			v.report.find(v.before.seq+1, "the rest of the file cannot be read as a database")
			v.err = nil // the next step may find more
		}
	}
	if v.before.seq < seen {
		v.report.missing(v.before.seq+1, seen, ": the vault remembers more")
	}
}

// file lets SQLite look at its own structure, indexes included.
func (v *verifier) file() {
	damage, err := v.db.Damage(v.ctx, v.q)
	for _, said := range damage {
		v.report.find(0, "SQLite's integrity check says: %s", untrusted.Sanitize(said))
	}
	v.fail(err)
}

// schema compares the file's tables with those that this program makes.
func (v *verifier) schema() {
	if asMigrated, err := v.db.AsMigrated(v.ctx, v.q); err != nil {
		v.fail(err)
	} else if !asMigrated {
		v.report.find(0, "the tables are not those of this program")
	}
}

// name compares the file's name with the one that it was opened with.
func (v *verifier) name() {
	id, mac, known := v.identity()
	if !known {
		v.fail(sql.ErrNoRows)
	} else if id != v.db.id || !same(mac, v.db.key.genesis(v.db.id).mac) {
		v.report.find(0, "the name of the ledger was changed in the file")
	}
}

// begin finds where the chain starts, and whether that is what was signed.
func (v *verifier) begin() {
	c, ok := v.lastCheckpoint()
	if v.before = v.db.key.genesis(v.db.id); !ok && !errors.Is(v.err, errDamaged) {
		return
	}
	public, err := v.l.PublicKey(v.ctx)
	if err != nil {
		v.fail(err)
		return
	}
	if c.Ledger != v.db.id || !fits(public, c.message(), c.Signature) {
		v.report.find(c.Seq, "the checkpoint of the removed entries up to %d was not signed by this ledger", c.Seq)
	}
	v.beginAt(&c)
}

func (v *verifier) chain() {
	for r := range v.entries(`ORDER BY seq`) {
		if e, err := v.take(r.link, v.db.key.next(v.before, r.seq, r.body), r.body); err == nil && e.State != "" {
			v.latest[e.State] = mention{r.seq, e.Gone}
		}
	}
	v.report.findGaps()
}

// stored compares the rows with what the record says of them.
func (v *verifier) stored() {
	there, wanted := map[string]bool{}, map[string]wantedPlan{}
	for s := range rows(v.session, (*state).columns, `SELECT `+stateColumns+` FROM states ORDER BY kind, name`) {
		name := ref(s.kind, s.name)
		there[name] = true
		if v.state(name, s); v.db.genuine(s) {
			v.wants(wanted, s)
		}
	}
	if v.err == nil {
		v.missing(there)
		v.plans(wanted)
	}
}

func (v *verifier) state(name string, s state) {
	last := v.latest[name]
	switch {
	case !same(s.mac, v.db.key.state(s)):
		v.report.findRow(untrusted.Sanitize(name), "the row was changed or inserted by another program and is ignored")
	case last.gone:
		v.report.findRow(untrusted.Sanitize(name), fmt.Sprintf("the row was removed with entry %d, is back, and is ignored", last.seq))
	case s.seq < max(s.latest, s.least, last.seq):
		v.report.findRow(untrusted.Sanitize(name), fmt.Sprintf("the row is an older copy, of entry %d; it changed with entry %d and is ignored", s.seq, max(s.latest, s.least, last.seq)))
	case s.seq > v.before.seq:
		v.report.findRow(untrusted.Sanitize(name), fmt.Sprintf("the row changed with entry %d, which is missing", s.seq))
	}
}

// missing finds rows that the record names and that are not there.
func (v *verifier) missing(there map[string]bool) {
	expected := map[string]bool{ref(stateFreeze, theFreeze): true, ref(stateServer, theServer): v.l.OnServer()}
	for name, last := range v.latest {
		expected[name] = expected[name] || !last.gone
	}
	for _, name := range slices.Sorted(maps.Keys(expected)) {
		kind, _, _ := strings.Cut(name, "/")
		if expected[name] && !there[name] && !slices.Contains(passing(), guard.StateKind(kind)) {
			v.report.findRow(untrusted.Sanitize(name), "the row was removed by another program")
		}
	}
}

// againstHeads compares the record with heads that were kept elsewhere.
func (v *verifier) againstHeads() {
	if len(v.heads) == 0 || v.err != nil {
		return
	}
	public, err := v.l.PublicKey(v.ctx)
	if v.fail(err); err == nil {
		v.testify(public)
	}
}

// compareHead says what a genuine head tells of a record that begins after
// entry began. hash is that of the entry that the head names, zero if it is missing.
func (r *Report) compareHead(head Head, began int64, hash digest) {
	missing := hash == digest{}
	lost, accepted := r.ofGap(head.Seq)
	switch c := r.Checkpoint; {
	case head.Ledger != r.Ledger:
		r.find(0, "the head is of another ledger, %s", untrusted.Sanitize(head.Ledger))
	case head.Seq == began && c != nil && head.Hash != c.Hash,
		head.Seq == 0 && head.Hash != genesisHash(r.Ledger):
		r.find(head.Seq, "entry %d differs from the head", head.Seq)
	case head.Seq == began:
		r.attest(head.Seq)
	case head.Seq < began:
		r.Notes = append(r.Notes, fmt.Sprintf("The head names entry %d, which was pruned, so it cannot be compared.", head.Seq))
	case missing && accepted:
		r.Notes = append(r.Notes, lost)
	case missing && head.Seq > r.Last:
		r.missing(max(r.Last, began)+1, head.Seq, fmt.Sprintf(": the head names entry %d", head.Seq))
	case missing:
		r.find(head.Seq, "entry %d is missing: the head names it", head.Seq)
	case hash != head.Hash:
		r.find(head.Seq, "entry %d or an earlier one differs from the head: the ledger was rewritten", head.Seq)
	default:
		r.attest(head.Seq)
	}
}

// wantedPlan is what a plan has to be, and the row that says so.
type wantedPlan struct {
	digest
	by string
}

// wants takes the plan of a genuine row, by its name.
func (v *verifier) wants(plans map[string]wantedPlan, s state) {
	switch s.kind {
	case stateTicket:
		t := decoded[guard.Ticket](v.session, s.body)
		if signed, ok := v.signed[t.ID]; ok && signed != t.Digest() {
			v.report.findRow(untrusted.Sanitize(ref(s.kind, s.name)), "a passkey signed another request than this")
		}
		dropped := t.InBand && (t.Declined || !t.Spent && !v.l.o.Now().Before(t.ExpiresAt)) // dropPlans may have removed it
		if t.Plan != nil && !dropped {
			plans[t.ID] = wantedPlan{t.Plan.Digest, ref(s.kind, s.name)}
		}
	case stateRun:
		r := decoded[runs.Run](v.session, s.body)
		plans[r.Plan] = wantedPlan{r.Digest, ref(s.kind, s.name)}
	}
}

// plans compares the stored plans with the digests that their tickets and runs
// carry. The rows of plans are named by no entry, so a deleted one is found
// only here.
func (v *verifier) plans(wanted map[string]wantedPlan) {
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		plan, row := wanted[name], untrusted.Sanitize(ref(statePlan, name))
		switch stored, there := v.one(statePlan, name); {
		case !there:
			v.report.findRow(row, fmt.Sprintf("the plan of %s was removed by another program", untrusted.Sanitize(plan.by)))
		case sha256.Sum256(stored.body) != plan.digest:
			v.report.findRow(row, fmt.Sprintf("the plan of %s was changed", untrusted.Sanitize(plan.by)))
		}
	}
}

// passkeys are those that the record tells of, as it goes on.
type passkeys struct {
	// known are those that can sign, by their ID, and owners the users who have them.
	known  map[string]*guard.Passkey
	owners map[string]string
	// signed are the requests that were decided on, by the ID of the approval.
	signed map[string]digest
	nonces map[string]bool
}

func newPasskeys() passkeys {
	return passkeys{map[string]*guard.Passkey{}, map[string]string{}, map[string]digest{}, map[string]bool{}}
}

// follow takes in what an entry says of passkeys, and checks a decision that one signed
// by what the entries before it say.
func (w *walk) follow(seq int64, e entry) {
	if e.Kind == guard.KindUser && e.Passkey != nil {
		w.change(e)
	}
	if e.Proof == nil {
		return
	}
	_, known := w.known[string(e.Proof.Assertion.Key)]
	if !known && (w.report.Checkpoint != nil || w.report.Withheld > 0) {
		w.report.Notes = append(w.report.Notes, fmt.Sprintf("Entry %d is signed with a passkey whose enrolment is not shown, so the signature cannot be checked.", seq))
	} else if why := w.unproven(e); why != "" {
		w.report.find(seq, "entry %d has a passkey's signature that does not prove the decision: %s", seq, why)
	}
}

func (p passkeys) change(e entry) {
	if e.Passkey.Became == guard.PasskeyEnrolled {
		id := string(e.Passkey.ID)
		p.owners[id] = e.Passkey.User
		p.known[id] = &guard.Passkey{ID: e.Passkey.ID, PublicKey: e.Passkey.PublicKey, Origin: e.Passkey.Origin, AddedAt: e.Time}
		return
	}
	for id, key := range p.known {
		switch {
		case p.owners[id] != e.Passkey.User:
		case e.Passkey.Became == guard.PasskeyConfirmed:
			key.ConfirmedBy = e.Approver
		default:
			key.PublicKey = nil // what it signs from now on proves nothing
		}
	}
}

// signedFor is what stands in a statement for the approval of an entry.
func signedFor(e entry) string {
	if e.Kind == guard.KindUser {
		return guard.ChangesUsers
	}
	return cmp.Or(e.Approval, guard.LiftsFreeze)
}

// unproven says why the signature of an entry does not prove what the entry says, or "".
func (p passkeys) unproven(e entry) string {
	s, id := e.Proof.Statement, e.Proof.Assertion.Key
	key, known := p.known[string(id)]
	name, local := strings.CutPrefix(string(s.By), string(guard.UserCaller("")))
	switch {
	case !known:
		return "no entry before enrolled the passkey"
	case key.PublicKey == nil:
		return "the passkey was taken away by an entry before"
	case s.Approval != signedFor(e) || s.Approved == (e.Kind == guard.KindDeclined) || string(s.By) != e.Approver || s.Reason != e.Detail:
		return "it is of another decision"
	case local && name != p.owners[string(id)]:
		return "the passkey is another person's"
	case p.nonces[string(s.Nonce)]:
		return "it was used twice"
	case !e.Time.Before(s.Expires):
		return "it had expired"
	case s.Approved && guard.User{Passkeys: []guard.Passkey{*key}}.Fresh(e.Time):
		return "the passkey was too new, and nobody had confirmed it"
	}
	p.nonces[string(s.Nonce)], p.signed[e.Approval] = true, s.Digest
	if err := e.Proof.Verify(*key); err != nil {
		return err.Error()
	}
	return ""
}
