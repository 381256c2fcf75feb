package fleet

import (
	"cmp"
	"context"
	"encoding/json"
	"iter"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"mcp-partner/guard"
	"mcp-partner/internal/pec"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

const (
	// UnknownTimes is in how many audits in a row an identity does not answer until
	// that is a change of its own.
	UnknownTimes = 3
	// lookBack is in how many older audits the last answer of an identity is looked for.
	lookBack = 30
)

// Record is what the comparison of audits asks the record.
type Record interface {
	// LastWrite returns the last write of this program to the link of an identity in a
	// time, whatever came of it.
	LastWrite(ctx context.Context, tenantID, objectID string, since, until time.Time) (intent guard.Intent, ok bool, err error)
	// Acknowledged returns the acknowledgements by their keys, also those that have
	// ended by themselves.
	Acknowledged(ctx context.Context) (map[string]Acknowledgement, error)
}

// Acknowledgement says that somebody knows of the state of a tenant, or of the row of
// one credential in it. Note and Owner are what a person wrote.
type Acknowledgement struct {
	Tenant     string    `json:"tenant"`
	TenantID   string    `json:"tenant_id"`
	Credential string    `json:"credential,omitempty"`
	Owner      string    `json:"owner,omitempty"`
	Note       string    `json:"note"`
	By         string    `json:"by"`
	Until      time.Time `json:"until"`
}

// Key names what is acknowledged.
func (a Acknowledgement) Key() string {
	return strings.TrimSuffix(a.TenantID+"/"+a.Credential, "/")
}

// Known finds the acknowledgement of a row that is in force, nil without one.
type Known func(row *answers.AuditRow) *Acknowledgement

// Known reads the acknowledgements as they are now.
func (f *Fleet) Known(ctx context.Context) (Known, error) {
	if f.opts.Record == nil {
		return func(*answers.AuditRow) *Acknowledgement { return nil }, nil
	}
	all, err := f.opts.Record.Acknowledged(ctx)
	return func(row *answers.AuditRow) *Acknowledgement {
		for _, key := range []string{row.TenantID + "/" + row.Credential, row.TenantID} {
			if a, ok := all[key]; ok && f.opts.Now().Before(a.Until) {
				return &a
			}
		}
		return nil
	}, err
}

// Change is a row that differs. Before or After is nil if the row exists on one
// side only. Before is the last answer of the identity, which may be that of an
// older audit.
type Change struct {
	Kind   answers.ChangeKind `json:"kind"`
	Before *answers.AuditRow  `json:"before,omitempty"`
	After  *answers.AuditRow  `json:"after,omitempty"`
	// Roles says what differs in roles, where both audits read them.
	Roles []string `json:"roles,omitempty"`
	// Own says that this program wrote what the later audit found.
	Own          bool             `json:"own,omitempty"`
	Acknowledged *Acknowledgement `json:"acknowledged,omitempty"`
}

// Row is the later of the two.
func (c Change) Row() *answers.AuditRow { return cmp.Or(c.After, c.Before) }

// Quiet reports whether nobody has to hear of the change.
func (c Change) Quiet() bool { return c.Own || c.Acknowledged != nil }

// Comparison is of two audits of equal selections.
type Comparison struct {
	f             *Fleet
	Before, After Run
	// unknown are the rows of the earlier audit without an answer.
	unknown map[string]*lastAnswer
	known   Known
}

// lastAnswer is what an identity answered last, nil if it never did, and in how many
// audits since then it did not.
type lastAnswer struct {
	row   *answers.AuditRow
	times int
}

// Diff compares two audits, an earlier and a later one. Audits of different
// selections are refused: what is in one of them alone would look like a change.
func (f *Fleet) Diff(ctx context.Context, before, after Run) (*Comparison, error) {
	if !SameQuestion(before, after) {
		return nil, problems.New(problems.CodeInvalidArgument, "The audits "+before.ID+" and "+after.ID+" have different selections, partner IDs or roles, so they cannot be compared.",
			problems.WithCommand("Compare audits that were begun with the same arguments.", "mcp-partner audit list"))
	}
	c := &Comparison{f: f, Before: before, After: after}
	var err error
	if c.unknown, err = f.lastAnswers(ctx, before); err == nil {
		c.known, err = f.Known(ctx)
	}
	return c, err
}

// SameQuestion reports whether two audits ask the same. How many tenants there are,
// and from when on a link is stale, does not count.
func SameQuestion(a, b Run) bool {
	return a.Kind == RunKindAudit && b.Kind == RunKindAudit && questionOf(a) == questionOf(b)
}

func questionOf(run Run) string {
	audit := Report{Run: run}.Audit()
	audit.TenantCount, audit.SoleExpected, audit.StaleAfterDays = 0, "", 0
	for _, list := range []*[]string{&audit.Tenants, &audit.Labels, &audit.ExpectedIDs, &audit.OwnIDs} {
		*list = slices.Sorted(slices.Values(*list))
	}
	text, _ := json.Marshal(audit) // texts and numbers: it cannot fail
	return string(text)
}

// Previous returns the last finished audit before one that its caller asked the same;
// ok is false if there is none.
func (f *Fleet) Previous(ctx context.Context, run Run) (before Run, ok bool, err error) {
	older, err := f.older(ctx, run, 1)
	if err != nil || len(older) == 0 {
		return Run{}, false, err
	}
	return older[0], true, nil
}

// older returns the last finished audits before one that its caller asked the same,
// newest first.
func (f *Fleet) older(ctx context.Context, run Run, most int) (found []Run, err error) {
	runs, err := f.opts.Store.Runs(ctx, RunFilter{Kind: RunKindAudit, Caller: run.Caller})
	for _, one := range runs {
		if len(found) < most && one.ID != run.ID && one.State == RunFinished && !one.CreatedAt.After(run.CreatedAt) && SameQuestion(one, run) {
			found = append(found, one)
		}
	}
	return found, err
}

// lastAnswers looks for the last answers of the identities without one in an audit.
func (f *Fleet) lastAnswers(ctx context.Context, run Run) (map[string]*lastAnswer, error) {
	found := map[string]*lastAnswer{}
	for row, err := range f.opts.Store.Rows(ctx, run.ID, RowQuery{}) {
		if err != nil {
			return nil, err
		}
		if row.State == string(answers.RowUnknown) {
			found[row.TenantID+" "+row.Credential] = &lastAnswer{times: 1}
		}
	}
	older, err := f.older(ctx, run, lookBack)
	for i := 0; i < len(older) && err == nil && slices.ContainsFunc(slices.Collect(maps.Values(found)), (*lastAnswer).open); i++ {
		err = f.fill(ctx, found, older[i].ID)
	}
	return found, err
}

func (l *lastAnswer) open() bool { return l.row == nil }

// fill takes the answers of an older audit.
func (f *Fleet) fill(ctx context.Context, found map[string]*lastAnswer, id string) error {
	for row, err := range f.opts.Store.Rows(ctx, id, RowQuery{}) {
		if err != nil {
			return err
		}
		last := found[row.TenantID+" "+row.Credential]
		switch {
		case last == nil || last.row != nil:
		case row.State == string(answers.RowUnknown):
			last.times++
		default:
			answer, err := decodeRow(row)
			if err != nil {
				return err
			}
			last.row = &answer
		}
	}
	return nil
}

// Changes goes through what differs, by tenant ID. It keeps the rows of one tenant
// of each audit in memory. One comparison of a process is gone through at a time:
// each holds two connections to the store.
func (c *Comparison) Changes(ctx context.Context) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		select {
		case c.f.comparing <- struct{}{}:
			defer func() { <-c.f.comparing }()
		case <-ctx.Done():
			yield(Change{}, ctx.Err())
			return
		}
		warned := map[string]bool{}
		for pair, err := range c.f.pairs(ctx, c.Before.ID, c.After.ID) {
			if err != nil {
				yield(Change{}, err)
				return
			}
			for _, change := range c.changesOf(pair, warned) {
				if err := c.explain(ctx, &change); !yield(change, err) || err != nil {
					return
				}
			}
		}
	}
}

// explain says of a change whether this program made it, and who knows of it.
func (c *Comparison) explain(ctx context.Context, change *Change) error {
	change.Acknowledged = c.known(change.Row())
	if !change.Kind.AboutLink() || c.f.opts.Record == nil || change.After.ObjectID == "" {
		return nil
	}
	since, _ := time.Parse(time.RFC3339, change.Before.CheckedAt)
	until, _ := time.Parse(time.RFC3339, change.After.CheckedAt)
	intent, ok, err := c.f.opts.Record.LastWrite(ctx, change.After.TenantID, change.After.ObjectID, since, until.Add(time.Second))
	if ok && intent.Method() == http.MethodDelete {
		change.Own = change.After.State.Missing()
	} else if ok {
		change.Own = change.After.State.Linked() && change.After.PartnerID == string(intent.PartnerID)
	}
	return err
}

// pair is one identity in two audits; one side may be nil.
type pair struct{ before, after *answers.AuditRow }

// pairs goes through the rows of two audits beside each other, by tenant ID.
func (f *Fleet) pairs(ctx context.Context, before, after string) iter.Seq2[pair, error] {
	return func(yield func(pair, error) bool) {
		old, recent := side{}, side{}
		defer old.open(f.All(ctx, before, ByTarget))()
		defer recent.open(f.All(ctx, after, ByTarget))()
		for old.more || recent.more {
			tenant := old.row.TenantID
			if !old.more || recent.more && recent.row.TenantID < tenant {
				tenant = recent.row.TenantID
			}
			found := paired(old.rowsOf(tenant), recent.rowsOf(tenant))
			if err := cmp.Or(old.err, recent.err); err != nil {
				yield(pair{}, err)
				return
			}
			for _, one := range found {
				if !yield(one, nil) {
					return
				}
			}
		}
	}
}

// side is one audit of a comparison: the row that comes next, if there is more.
type side struct {
	next func() (answers.AuditRow, error, bool)
	row  answers.AuditRow
	err  error
	more bool
}

func (s *side) open(rows iter.Seq2[answers.AuditRow, error]) (stop func()) {
	s.next, stop = iter.Pull2(rows)
	s.row, s.err, s.more = s.next()
	return stop
}

// rowsOf takes the rows of a tenant, none where another one comes next.
func (s *side) rowsOf(tenant string) (rows []answers.AuditRow) {
	for s.more && s.err == nil && s.row.TenantID == tenant {
		rows = append(rows, s.row)
		s.row, s.err, s.more = s.next()
	}
	return rows
}

// paired puts the rows of a tenant together. Those of one identity belong together,
// whatever opens the tenant now, and of the others those of one credential.
func paired(old, recent []answers.AuditRow) (found []pair) {
	after, taken := make([]*answers.AuditRow, len(old)), make([]bool, len(recent))
	for _, same := range []func(a, b answers.AuditRow) bool{sameIdentity, sameCredential} {
		for i := range old {
			for n := range recent {
				if after[i] == nil && !taken[n] && same(old[i], recent[n]) {
					after[i], taken[n] = &recent[n], true
				}
			}
		}
	}
	for i := range old {
		found = append(found, pair{&old[i], after[i]})
	}
	for n := range recent {
		if !taken[n] {
			found = append(found, pair{nil, &recent[n]})
		}
	}
	return found
}

func sameCredential(a, b answers.AuditRow) bool { return a.Credential == b.Credential }

func sameIdentity(a, b answers.AuditRow) bool { return a.ObjectID != "" && a.ObjectID == b.ObjectID }

// changesOf says how the two rows of an identity differ. An end of a credential is
// said once, whatever number of tenants it opens.
func (c *Comparison) changesOf(p pair, warned map[string]bool) (found []Change) {
	add := func(kind answers.ChangeKind, before *answers.AuditRow, roles []string) {
		if kind != "" {
			found = append(found, Change{Kind: kind, Before: before, After: p.after, Roles: roles})
		}
	}
	switch {
	case p.before == nil:
		add(answers.KindAppeared, nil, nil)
	case p.after == nil:
		add(answers.KindGone, p.before, nil)
		return found
	default:
		last := c.unknown[p.before.TenantID+" "+p.before.Credential]
		if last == nil || p.before.State != answers.RowUnknown {
			last = &lastAnswer{}
		}
		known := cmp.Or(last.row, p.before)
		kind, roles := kindOf(p, *known, last.times), pec.Differences(known.PECRoles, p.after.PECRoles)
		if kind == answers.KindIdentityReplaced {
			roles = nil
		}
		add(kind, known, roles)
		add(rolesKind(roles, known.PECRoles, p.after.PECRoles), known, roles)
	}
	if ends := p.after.CredentialExpires; ends != "" && !warned[p.after.Credential] && p.before != nil && urgency(*p.after) > urgency(*p.before) {
		warned[p.after.Credential] = true
		add(answers.KindCredentialExpires, p.before, nil)
	}
	return found
}

// kindOf says how a link differs from what its identity answered last, or "". times
// is in how many audits there was no answer.
func kindOf(p pair, known answers.AuditRow, times int) answers.ChangeKind {
	after := *p.after
	switch {
	case known.ObjectID != "" && after.ObjectID != "" && known.ObjectID != after.ObjectID:
		return answers.KindIdentityReplaced
	case after.State == answers.RowUnknown:
		return map[int]answers.ChangeKind{0: answers.KindNewlyUnknown, UnknownTimes - 1: answers.KindUnknownRepeatedly}[times]
	case known.State == answers.RowUnknown:
		return answers.KindKnownAgain
	}
	return cmp.Or(linkKind(known, after), map[bool]answers.ChangeKind{true: answers.KindKnownAgain}[times > 0])
}

// linkKind says how two answers about a link differ, or "".
func linkKind(before, after answers.AuditRow) answers.ChangeKind {
	switch {
	case before.State == after.State && before.PartnerID == after.PartnerID:
		return ""
	case before.State.Linked() && after.State.Missing():
		return answers.KindLinkVanished
	case before.State.Missing() && after.State.Linked():
		return answers.KindNewlyLinked
	case before.PartnerID != after.PartnerID:
		return answers.KindPartnerChanged
	}
	return answers.KindVerdictChanged
}

func rolesKind(differences []string, before, after *answers.PECRoles) answers.ChangeKind {
	switch {
	case len(differences) == 0:
		return ""
	case pec.Lost(before, after):
		return answers.KindRoleLost
	default:
		return answers.KindRolesChanged
	}
}

// urgency rises as the end of a row's credential comes nearer.
func urgency(row answers.AuditRow) (steps int) {
	ends, err := time.Parse(time.RFC3339, row.CredentialExpires)
	checked, _ := time.Parse(time.RFC3339, row.CheckedAt)
	for _, days := range []int{30, 7, 1, 0} {
		if err == nil && !checked.AddDate(0, 0, days).Before(ends) {
			steps++
		}
	}
	return steps
}
