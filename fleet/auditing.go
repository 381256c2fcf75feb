package fleet

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"mcp-partner/armclient"
	"mcp-partner/internal/pec"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

// auditing is one audit at work.
type auditing struct {
	f           *Fleet
	active      *Active
	audit       Audit
	access      Access
	staleBefore time.Time
	results     *resultWriter
	// slots bound the requests of a run that reads roles.
	slots chan struct{}
}

// run asks all tasks and ends the run in the store.
func (w *auditing) run(ctx context.Context, tasks []task) {
	limits := w.f.opts.Limits
	ctx, cancel := context.WithTimeoutCause(ctx, limits.RunTime, errTime)
	defer cancel()
	ctx, lost := context.WithCancelCause(ctx)
	defer lost(nil)
	saved := w.results.keep(lost)
	schedule(ctx, limits.Concurrency, tasks, w.ask)
	w.active.failure = w.end(ctx, saved)
}

// target looks a target up in the directory as it is now. One that has gone has no
// credentials.
func (w *auditing) target(at place) (Target, error) {
	tenant, err := w.f.opts.Directory.Resolve(at.tenantID, nil)
	if err == nil && w.access.Visible(tenant) {
		return Target{tenant, at.credential}, nil
	}
	if err != nil && problems.As(err).Code == problems.CodeUnknownTenant {
		err = nil
	}
	return Target{schemas.Tenant{Name: at.tenant, TenantID: at.tenantID, Authority: at.authority}, at.credential}, err
}

// ask asks one target once.
func (w *auditing) ask(ctx context.Context, t *task) step {
	target, missing := w.target(t.place)
	if t.tries == 0 {
		t.first = time.Now()
	}
	t.tries++
	if t.read == nil {
		read := w.read(ctx, target, missing)
		if ctx.Err() != nil && read.Problem != nil {
			return step{} // the answer is unknown; the row stays without a result
		}
		if again := w.again(read.Problem, t); again > 0 {
			return step{again: again, slower: slowedDown(read.Problem)}
		}
		t.read, t.tries = &read, 1
	}
	if problem := w.readRoles(ctx, t, target); problem != nil {
		if ctx.Err() != nil {
			return step{}
		}
		if again := w.again(problem, t); again > 0 {
			return step{again: again}
		}
	}
	w.results.entries <- entry{w.row(t.n, target, *t.read, t.roles), w.pin(target, *t.read)}
	return step{slower: slowedDown(t.read.Problem)}
}

// read gets what is known of a target's link. Where its credential does not get
// as far as a token, another one of the same identity may.
func (w *auditing) read(ctx context.Context, target Target, missing error) armclient.LinkRead {
	if missing != nil {
		return unread(problems.As(missing))
	}
	first := w.readWith(ctx, target)
	if first.Problem == nil || first.Problem.Retryable || first.TokenReadable {
		return first
	}
	for _, name := range target.spares() {
		if !w.access.usable(name) {
			continue
		}
		if read := w.readWith(ctx, Target{target.Tenant, name}); read.Problem == nil && target.mayBe(read.Identity) {
			return read
		}
	}
	return first
}

// mayBe reports whether the identity seen is the one that the target's
// credential had before: a recreated application has no link of the old one.
func (t Target) mayBe(seen answers.Identity) bool {
	pin := t.Tenant.ObjectIDs[t.Credential]
	return pin == "" || strings.EqualFold(pin, seen.ObjectID)
}

// readWith reads with one credential. That the link may not be read, or its
// tenant has gone, is a result as well.
func (w *auditing) readWith(ctx context.Context, target Target) armclient.LinkRead {
	if !slices.Contains(target.Tenant.Credentials, target.Credential) {
		return unread(problems.New(problems.CodeUnknownTenant, "The tenant or credential was removed from the directory while the run was interrupted."))
	}
	if err := w.access.Admit(ctx, target.Tenant); err != nil {
		refusal := *problems.As(err)
		refusal.Retryable = false // it is not asked about again in this run
		return unread(&refusal)
	}
	reader, err := w.f.opts.Clients.Reader(ctx, target.Tenant, target.Credential)
	if err != nil {
		return unread(problems.As(err))
	}
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	release, err := w.slot(ctx)
	if err != nil {
		return unread(problems.As(err))
	}
	defer release()
	return reader.Link(ctx)
}

func unread(problem *problems.Problem) armclient.LinkRead {
	return armclient.LinkRead{Link: answers.Link{State: answers.LinkUnknown, Reason: problem.Code}, Problem: problem}
}

// mostSpread is the most that is added to a wait, at random, so that those who
// wait for the same do not wake together.
const mostSpread = 250 * time.Millisecond

// again returns how long to wait before the next attempt, or 0 if the answer is
// final. A throttled request is repeated as long as the target's time allows,
// an inconclusive one a few times.
func (w *auditing) again(problem *problems.Problem, t *task) time.Duration {
	if problem == nil || !problem.Retryable {
		return 0
	}
	wait := time.Duration(problem.RetryAfterSeconds) * time.Second
	if wait == 0 && t.tries >= targetTries {
		return 0
	}
	if wait == 0 {
		wait = w.f.opts.Limits.Backoff << (t.tries - 1)
	}
	wait += rand.N(min(wait/4, mostSpread) + 1)
	if time.Since(t.first)+wait > targetTime {
		return 0
	}
	return wait
}

// slowedDown reports whether Entra ID asked to slow down: that is about the
// credential or the authority. ARM's throttling is about one tenant alone.
func slowedDown(problem *problems.Problem) bool {
	return problem != nil && problem.Code == problems.CodeSignInUnavailable && problem.RetryAfterSeconds > 0
}

// pin is the identity that was seen, if it is to be remembered.
func (w *auditing) pin(target Target, read armclient.LinkRead) *Pin {
	oid := read.Identity.ObjectID
	if read.Problem != nil || oid == "" || target.Tenant.ObjectIDs[target.Credential] != "" {
		return nil
	}
	return &Pin{target.Tenant.Name, target.Credential, oid}
}

// endTime bounds what is stored after a run was told to end.
const endTime = 5 * time.Second

// end stores the remaining results and how the run ended. It returns why not
// all targets have results.
func (w *auditing) end(ctx context.Context, saved func() error) error {
	failure := saved()
	cause := context.Cause(ctx)
	out, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
	defer cancel()
	state := RunFinished
	switch {
	case failure != nil:
		return failure // a resumption finds the run by its lease
	case errors.Is(cause, errTime):
		failure = w.timeIsOver(out)
	case errors.Is(cause, errCancelled):
		state = RunCancelled
	case cause != nil:
		state = RunInterrupted
	}
	if failure != nil {
		return failure
	}
	if _, err := w.f.opts.Store.EndRun(out, w.active.id, w.f.owner, state); err != nil {
		return err
	}
	switch state {
	case RunCancelled:
		return problems.New(problems.CodeCancelled, "The run "+w.active.id+" was canceled before its first answer.")
	case RunInterrupted:
		return problems.New(problems.CodeCancelled, "The run "+w.active.id+" was interrupted.",
			problems.WithCommand("Resume it with run_id.", "mcp-partner audit resume %s", w.active.id))
	}
	return nil
}

// timeIsOver stores a result for the targets that were not read in time, in
// batches.
func (w *auditing) timeIsOver(ctx context.Context) error {
	problem := problems.New(problems.CodeTimeout, "The run reached its time limit before there was an answer.",
		problems.WithHint("Audit this tenant again, in a run over fewer."))
	for {
		var late []Row
		for row, err := range w.f.opts.Store.Rows(ctx, w.active.id, RowQuery{Pending: true, Limit: flushSize}) {
			if err != nil {
				return err
			}
			target, _ := w.target(place{tenant: row.Tenant, tenantID: row.TenantID, credential: row.Credential}) // what cannot be read of it is not in the row
			late = append(late, w.row(row.N, target, unread(problem), nil))
		}
		if len(late) == 0 {
			return nil
		}
		ours, err := w.f.opts.Store.SaveRows(ctx, w.active.id, w.f.owner, leaseTime, late)
		if err != nil || !ours {
			return err
		}
		w.active.answered.Add(int64(len(late)))
	}
}

// rolesAtOnce is how many subscriptions of one target are asked about at the
// same time, as far as the run has room.
const rolesAtOnce = 8

// readRoles reads what is missing of a target's roles. It returns the problem
// that is worth another try.
func (w *auditing) readRoles(ctx context.Context, t *task, target Target) *problems.Problem {
	if !w.audit.Roles || !t.read.TokenReadable {
		return nil
	}
	if t.roles == nil {
		if err := w.access.AdmitRoles(ctx, target.Tenant); err != nil {
			t.roles = pec.Refused(problems.As(err), w.rolesOptions())
			return nil
		}
	}
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	if t.roles == nil {
		name := cmp.Or(t.read.Identity.Credential, target.Credential) // the one that got a token
		reader, err := w.f.opts.Clients.Reader(ctx, target.Tenant, name)
		if err != nil {
			return problems.As(err)
		}
		t.roles = pec.NewReading(reader.Roles(), w.rolesOptions())
	}
	return t.roles.Continue(ctx)
}

func (w *auditing) rolesOptions() pec.Options {
	return pec.Options{List: w.f.opts.PECRoles, Slot: w.slot, Now: w.f.opts.Now, Parallel: rolesAtOnce}
}

// slot waits for room for one request. Without roles a target has one request at
// a time, and its worker is its room.
func (w *auditing) slot(ctx context.Context) (release func(), err error) {
	if w.slots == nil {
		return func() {}, nil
	}
	select {
	case w.slots <- struct{}{}:
		return func() { <-w.slots }, nil
	case <-ctx.Done():
		return nil, problems.New(problems.CodeTimeout, "The request could not be sent before the deadline of the call.")
	}
}

// rolesOf condenses roles for a row, and drops roles that another identity than the link's was asked for.
func rolesOf(read armclient.LinkRead, roles *pec.Reading) *answers.PECRoles {
	if roles == nil {
		return nil
	}
	result := roles.Result()
	if who := roles.Identity().ObjectID; who != "" && who != read.Identity.ObjectID {
		return &answers.PECRoles{ListDate: result.ListDate, Reason: string(problems.CodeWrongIdentity)}
	}
	return pec.Condense(result)
}

// countRoles adds the classes of the rows to the totals of a run.
func countRoles(ctx context.Context, store Store, id string, totals map[string]int) error {
	for _, class := range answers.PECClasses() {
		totals[class] = 0
	}
	for stored, err := range store.Rows(ctx, id, RowQuery{}) {
		if err != nil {
			return err
		}
		var row struct {
			State    answers.RowState  `json:"state"`
			PECRoles *answers.PECRoles `json:"pec_roles"`
		}
		if json.Unmarshal(stored.Body, &row) != nil {
			continue // the page of rows says so
		}
		class := answers.AuditRow{State: row.State, PECRoles: row.PECRoles}.PECClass()
		totals[cmp.Or(class, answers.PECRolesUnknown)]++
	}
	return nil
}

func (w *auditing) row(n int, target Target, read armclient.LinkRead, roles *pec.Reading) Row {
	tenant := target.Tenant
	wanted := w.audit.expectation(tenant)
	link := read.Link
	found := answers.AuditRow{
		Company: tenant.Company, Domain: tenant.Domain(), Tenant: tenant.Name, TenantID: tenant.TenantID, Credential: target.Credential, ObjectID: read.Identity.ObjectID,
		Cloud: tenant.Cloud, Authority: tenant.Authority, State: wanted.State(link), PartnerID: string(link.PartnerID),
		PartnerName: link.PartnerName, PartnerState: link.PartnerState, ExpectedPartnerID: strings.Join(wanted.IDs, " "),
		UpdatedTime: link.UpdatedTime, CreatedTime: link.CreatedTime, Version: link.Version,
		Labels: tenant.Labels, Owner: tenant.Owner, ExternalID: tenant.ExternalID,
		CheckedAt: w.f.opts.Now().UTC().Format(time.RFC3339), Problem: read.Problem,
		CredentialExpires: tenant.NearEnds[target.Credential],
	}
	found.PECRoles = rolesOf(read, roles)
	found.Stale = found.State.Linked() && writtenBefore(link.UpdatedTime, w.staleBefore)
	body, _ := json.Marshal(found) // strings, numbers and a problem: it cannot fail
	return Row{
		N: n, Tenant: tenant.Name, TenantID: tenant.TenantID, Credential: target.Credential,
		State: string(found.State), Rank: rank(found), Cause: cause(found), Stale: found.Stale, Body: body,
	}
}

// Expectation says which partner IDs a link should be to.
type Expectation struct {
	// IDs are those that are right; none where that is not known.
	IDs []string
	// Own are all of the partner's own IDs.
	Own []string
}

// ExpectationOf is what is expected in a tenant: what its entry says, else one of
// the partner's own IDs.
func ExpectationOf(tenant schemas.Tenant, own []string) Expectation {
	if tenant.ExpectedPartnerID != "" {
		return Expectation{IDs: []string{string(tenant.ExpectedPartnerID)}, Own: own}
	}
	return Expectation{IDs: own, Own: own}
}

// sole is the ID if it is one.
func (e Expectation) sole() string {
	if len(e.IDs) != 1 {
		return ""
	}
	return e.IDs[0]
}

func (a Audit) expectation(tenant schemas.Tenant) Expectation {
	if len(a.ExpectedIDs) > 0 {
		return Expectation{IDs: a.ExpectedIDs, Own: a.OwnIDs}
	}
	return ExpectationOf(tenant, a.OwnIDs)
}

// State says what a link is against the expectation. Whatever is not clearly
// something else is unknown.
func (e Expectation) State(link answers.Link) answers.RowState {
	switch link.State {
	case answers.LinkNotLinked:
		return answers.RowNotLinked
	case answers.LinkDeleted:
		return answers.RowDeleted
	case answers.LinkLinked:
		return e.linked(string(link.PartnerID))
	default:
		return answers.RowUnknown
	}
}

func (e Expectation) linked(id string) answers.RowState {
	switch {
	case len(e.IDs) == 0:
		return answers.RowLinked
	case slices.Contains(e.IDs, id):
		return answers.RowLinkedExpected
	case slices.Contains(e.Own, id):
		return answers.RowLinkedOwn
	default:
		return answers.RowLinkedOther
	}
}

func writtenBefore(text string, limit time.Time) bool {
	at, err := time.Parse(time.RFC3339Nano, text)
	return !limit.IsZero() && err == nil && at.Before(limit)
}

// rank orders rows by how much they need attention.
func rank(row answers.AuditRow) int {
	place := slices.Index(answers.RowStates(), row.State)
	if row.Stale && (row.State == answers.RowLinked || row.State == answers.RowLinkedExpected) {
		return staleRank
	}
	if place >= staleRank {
		return place + 1
	}
	return place
}

// staleRank is behind missing, other, own and unknown, and before what is in order.
const staleRank = 5

// cause names what stands between a row and an answer: the same secret refused
// at the same authority is one cause, however many tenants it opens. Causes of
// one tenant alone have the same code and are grouped as well.
func cause(row answers.AuditRow) string {
	if row.State != answers.RowUnknown || row.Problem == nil {
		return ""
	}
	return strings.Join([]string{string(row.Problem.Code), row.Credential, row.Authority}, "\n")
}
