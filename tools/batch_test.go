package tools_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
	"mcp-partner/search"
	"mcp-partner/simulator"
	"mcp-partner/tools"
)

const (
	newID, oldID, strangeID = "1234567", "7654321", "2345678"
	ensuring                = `{"partner_id":"1234567"}`
	moving                  = `{"from":["7654321"],"to":"1234567"}`
	replacing               = `{"from":["7654321"],"to":"1234567","strategy":"remove-then-register"}`
)

// fleetOf is a fixture in which runs do not pause.
func fleetOf(t testing.TB, tenants int, change func(*guard.Options)) *fixture {
	t.Helper()
	h := build(t, simulator.Config{Tenants: tenants}, change)
	h.hurry(h.guard, time.Nanosecond)
	return h
}

// hurry gives the fixture a service over a guard, as another process would have
// it. Settled is after what time a write without an outcome has ended.
func (h *fixture) hurry(g *guard.Guard, settled time.Duration) {
	h.service = tools.NewService(tools.Deps{
		Directory: h.directory, Clients: h, Fleet: h.fleet, Guard: g, Search: search.New(schemas.Catalogue(), schemaOf),
		Settled: settled, Pause: time.Millisecond,
	})
}

// states are the rows of an answer by tenant.
func states(e answers.Envelope) map[string]answers.ChangeRow {
	rows := map[string]answers.ChangeRow{}
	for _, row := range e.Changes {
		rows[row.Tenant] = row
	}
	return rows
}

func names(h *fixture) []string {
	var names []string
	for _, tenant := range h.directory.tenants {
		names = append(names, tenant.Name)
	}
	return names
}

func (h *fixture) wantState(e answers.Envelope, tenant string, want answers.ChangeState, linked string) {
	h.t.Helper()
	row := states(e)[tenant]
	if row.State != want || h.linked(tenant) != linked {
		h.t.Errorf("%s is %s (%s), want %s; linked is %q, want %q", tenant, row.State, row.Problem, want, h.linked(tenant), linked)
	}
}

// everyState sets the first tenants into the states that a plan tells apart.
func (h *fixture) everyState() []string {
	n := names(h)
	h.link(n[1], newID)
	h.link(n[2], oldID)
	h.link(n[3], strangeID)
	if err := h.sim.Tombstone(h.tenant(n[4]).TenantID); err != nil {
		h.t.Fatal(err)
	}
	h.inject(n[5], simulator.Rule{Kind: simulator.FaultEmpty404})
	return n
}

func TestEnsureWritesOnlyUnlinkedTenants(t *testing.T) {
	t.Parallel()
	h := fleetOf(t, 6, unasked)
	n := h.everyState()
	plan := h.call(schemas.ToolEnsurePartnerLinks, `{"partner_id":"1234567","plan":true}`)
	if plan.Status != answers.StatusDone || h.writes() != 0 || plan.RunID != "" || plan.Totals["planned"] != 2 {
		t.Fatalf("a plan: %+v, %d writes", plan, h.writes())
	}
	e := h.call(schemas.ToolEnsurePartnerLinks, ensuring)
	h.wantState(e, n[0], answers.ChangeDone, newID)
	h.wantState(e, n[1], answers.ChangeUnchanged, newID)
	h.wantState(e, n[2], answers.ChangeLinkedOther, oldID)
	h.wantState(e, n[3], answers.ChangeLinkedOther, strangeID)
	h.wantState(e, n[4], answers.ChangeDone, newID)
	h.wantState(e, n[5], answers.ChangeUnknown, "")
	if e.Status != answers.StatusDone || e.RunID == "" || h.writes() != 2 || h.intents() != 2 {
		t.Errorf("%s, %d writes, %d intents: %s", e.Status, h.writes(), h.intents(), e.Summary)
	}
	if again := h.call(schemas.ToolEnsurePartnerLinks, ensuring); again.Status != answers.StatusUnchanged || h.writes() != 2 {
		t.Errorf("again: %s, %d writes", again.Status, h.writes())
	}
}

func TestEnsureTakesTheExpectedIDOfEachEntry(t *testing.T) {
	t.Parallel()
	h := fleetOf(t, 3, unasked)
	n := names(h)
	h.directory.tenants[0].ExpectedPartnerID, h.directory.tenants[1].ExpectedPartnerID = newID, strangeID
	e := h.call(schemas.ToolEnsurePartnerLinks, `{}`)
	h.wantState(e, n[0], answers.ChangeDone, newID)
	h.wantState(e, n[1], answers.ChangeDone, strangeID)
	h.wantState(e, n[2], answers.ChangeNothingExpected, "")
}

func TestTransitionMovesOwnLinksAndListsOthers(t *testing.T) {
	t.Parallel()
	for strategy, requests := range map[string]int{moving: 1, replacing: 2} {
		h := fleetOf(t, 6, unasked)
		n := h.everyState()
		h.directory.tenants[1].ExpectedPartnerID, h.directory.tenants[2].ExpectedPartnerID = oldID, oldID
		e := h.call(schemas.ToolTransitionPartner, strategy)
		h.wantState(e, n[0], answers.ChangeNotLinked, "")
		h.wantState(e, n[1], answers.ChangeUnchanged, newID)
		h.wantState(e, n[2], answers.ChangeDone, newID)
		h.wantState(e, n[3], answers.ChangeLinkedOther, strangeID)
		h.wantState(e, n[4], answers.ChangeNotLinked, "")
		h.wantState(e, n[5], answers.ChangeUnknown, "")
		if h.writes() != requests || h.intents() != requests {
			t.Errorf("%d writes, %d intents", h.writes(), h.intents())
		}
		for _, held := range []string{n[0], n[3], n[4]} {
			if why := states(e)[held].Why; !strings.Contains(why, "only that identity can remove it") {
				t.Errorf("of a link that may be somebody else's it says %q", why)
			}
		}
		if why := states(e)[n[1]].Why; !strings.Contains(why, "the directory expects "+oldID) {
			t.Errorf("of a link that is moved already it says %q", why)
		}
		if entry, err := h.directory.Resolve(n[2], nil); err != nil || entry.ExpectedPartnerID != newID {
			t.Errorf("the directory expects %q", entry.ExpectedPartnerID)
		}
		if !slices.ContainsFunc(h.store.Events(), func(e guard.Event) bool {
			return e.Kind == guard.KindDirectory && strings.Contains(e.Detail, n[2]) && strings.Contains(e.Detail, newID)
		}) {
			t.Error("that the directory expects another ID is not in the record")
		}
	}
}

// The new ID is refused for good: the old link is put back.
func TestOldLinkIsRestoredWhenNewIDIsRefused(t *testing.T) {
	t.Parallel()
	h := fleetOf(t, 2, unasked)
	n := names(h)
	h.link(n[0], oldID)
	h.sim.AddGlobalPartner("8888888", "a virtual organization")
	e := h.call(schemas.ToolTransitionPartner, `{"from":["7654321"],"to":"8888888","strategy":"remove-then-register"}`)
	h.wantState(e, n[0], answers.ChangeRestored, oldID)
	if e.Status != answers.StatusFailed || e.Problem.Code != problems.CodeRunIncomplete || !strings.Contains(e.Summary, "1 restored") {
		t.Errorf("%+v", e)
	}
	if methods := h.methods(); strings.Join(methods, " ") != "DELETE PUT PUT" || h.intents() != 3 {
		t.Errorf("%v, %d intents", methods, h.intents())
	}
}

// methods are those of the writes, in order.
func (h *fixture) methods() (methods []string) {
	for _, record := range h.sim.Journal() {
		if record.Op == simulator.OpPartner && record.Method != http.MethodGet {
			methods = append(methods, record.Method)
		}
	}
	return methods
}

// Not even the old ID is taken back: that stands first in every answer, and a
// resumption tries both IDs again.
func TestStrandedTenantIsListedFirst(t *testing.T) {
	t.Parallel()
	h := fleetOf(t, 3, unasked)
	n := names(h)
	for _, name := range n {
		h.link(name, oldID)
	}
	refusing := h.sim.Inject(simulator.Rule{TenantID: h.tenant(n[1]).TenantID, Kind: simulator.FaultForbidden, Method: http.MethodPut})
	e := h.call(schemas.ToolTransitionPartner, replacing)
	h.wantState(e, n[1], answers.ChangeStranded, "")
	h.wantState(e, n[0], answers.ChangeDone, newID)
	if e.Status != answers.StatusFailed || e.Problem.Code != problems.CodeStranded || !strings.HasPrefix(e.Summary, "STRANDED: 1 ") || !strings.Contains(e.Summary, n[1]) {
		t.Errorf("%s: %s", e.Status, e.Summary)
	}
	if e.Changes[0].Tenant != n[1] {
		t.Errorf("the first row is %+v", e.Changes[0])
	}
	if shown := h.call(schemas.ToolTransitionPartner, `{"run_id":"`+e.RunID+`"}`); !strings.HasPrefix(shown.Summary, "STRANDED: 1 ") {
		t.Error(shown.Summary)
	}
	refusing()
	e = h.call(schemas.ToolTransitionPartner, `{"run_id":"`+e.RunID+`","resume":true}`)
	h.wantState(e, n[1], answers.ChangeDone, newID)
	if e.Status != answers.StatusDone {
		t.Errorf("%s: %s", e.Status, e.Summary)
	}
}

// afterThePlan does something between the plan and what follows it, as
// somebody who confirms takes time.
type afterThePlan struct {
	tools.NoConfirmer
	do func()
	// typed replaces what has to be typed.
	typed *string
}

func (afterThePlan) Reachable() bool { return true }

func (p afterThePlan) Ask(_ context.Context, question guard.Question, _ guard.Seal) (guard.Answer, error) {
	if p.do != nil {
		p.do()
	}
	typed := question.Expect
	if p.typed != nil {
		typed = *p.typed
	}
	return guard.Answer{Action: guard.ActionAccept, Typed: typed}, nil
}

func TestChangedTenantIsSkippedAndOthersContinue(t *testing.T) {
	t.Parallel()
	h := fleetOf(t, 4, nil)
	n := names(h)
	for _, name := range n {
		h.link(name, oldID)
	}
	e := h.ask(schemas.ToolTransitionPartner, moving, afterThePlan{do: func() {
		h.link(n[0], strangeID) // somebody moves the link
		h.link(n[1], strangeID) // and here there and back, which only the version shows
		h.link(n[1], oldID)
	}}).Envelope
	h.wantState(e, n[0], answers.ChangeSkipped, strangeID)
	h.wantState(e, n[1], answers.ChangeSkipped, oldID)
	h.wantState(e, n[2], answers.ChangeDone, newID)
	h.wantState(e, n[3], answers.ChangeDone, newID)
	if e.Status != answers.StatusFailed || e.Problem.Code != problems.CodeRunIncomplete || states(e)[n[0]].Problem != problems.CodeStateMoved || h.writes() != 2 {
		t.Errorf("%s, %d writes: %s", e.Status, h.writes(), e.Summary)
	}
}

func TestPlanIsConfirmedByTypingIDAndNumber(t *testing.T) {
	t.Parallel()
	for typed, written := range map[string]bool{newID + " 2": true, newID: false, newID + " 3": false, "": false, "2": false} {
		h := fleetOf(t, 2, nil)
		for _, name := range names(h) {
			h.link(name, oldID)
		}
		e := h.ask(schemas.ToolTransitionPartner, moving, afterThePlan{typed: &typed}).Envelope
		if (e.Status == answers.StatusDone) != written || (h.writes() == 2) != written {
			t.Errorf("%q: %s, %d writes", typed, e.Status, h.writes())
		}
	}
}

func TestDirectoryChangeAfterPlanStopsRow(t *testing.T) {
	t.Parallel()
	h := fleetOf(t, 4, nil)
	n := names(h)
	for i := range n {
		h.directory.tenants[i].ExpectedPartnerID = newID
	}
	e := h.ask(schemas.ToolEnsurePartnerLinks, `{}`, afterThePlan{do: func() {
		h.directory.mu.Lock()
		defer h.directory.mu.Unlock()
		h.directory.tenants[0].ExpectedPartnerID = strangeID // another ID is expected now
		h.directory.tenants[1].TenantID, h.directory.tenants[2].TenantID = h.directory.tenants[2].TenantID, h.directory.tenants[1].TenantID
	}}).Envelope
	for i, want := range []answers.ChangeState{answers.ChangeSkipped, "", "", answers.ChangeDone} {
		if row := states(e)[n[i]]; want != "" && row.State != want || want == "" && (row.State == answers.ChangeDone || h.linked(n[i]) != "") {
			t.Errorf("%s is %s (%s)", n[i], row.State, row.Problem)
		}
	}
	if h.writes() != 1 {
		t.Errorf("%d writes", h.writes())
	}
}

// What has begun is completed or put back in spite of a freeze; nothing else
// begins.
func TestFreezeStopsTenantsNotBegun(t *testing.T) {
	t.Parallel()
	h := fleetOf(t, 3, oneAnHour(access.RulingAllow))
	n := names(h)
	for _, name := range n {
		h.link(name, oldID)
	}
	first := h.call(schemas.ToolTransitionPartner, `{"from":["7654321"],"to":"1234567","strategy":"remove-then-register"}`)
	if first.Totals["done"] != 1 || h.writes() != 2 || first.Totals["waiting"] != 2 {
		t.Fatalf("the first one: %s, %d writes", first.Summary, h.writes())
	}
	h.with(guard.Options{AllowWrites: true, Approval: access.ApprovalNone, Simulated: true})
	frozen := false
	h.http.Transport = roundTrip{h.http.Transport, func(r *http.Request) {
		if r.Method == http.MethodDelete && !frozen {
			frozen = true
			if err := h.guard.SetFreeze(h.t.Context(), false, "enough"); err != nil {
				h.t.Error(err)
			}
		}
	}}
	for _, ignored := range []string{`"tenants":["` + n[2] + `"]`, `"to":"1234567"`, `"strategy":"update"`, `"labels":["a"]`} {
		e := h.call(schemas.ToolTransitionPartner, `{"run_id":"`+first.RunID+`","resume":true,`+ignored+`}`)
		if e.Problem == nil || e.Problem.Code != problems.CodeInvalidArgument || h.writes() != 2 {
			t.Fatalf("resumed with %s: %s, %d writes", ignored, e.Summary, h.writes())
		}
	}
	if e := h.call(schemas.ToolEnsurePartnerLinks, `{"partner_id":"1234567","resume":true}`); e.Problem == nil || e.Problem.Code != problems.CodeInvalidArgument {
		t.Errorf("to resume no run is %s", e.Summary)
	}
	e := h.call(schemas.ToolTransitionPartner, `{"run_id":"`+first.RunID+`","resume":true,"first":1}`)
	if e.Totals["done"] != 2 || e.Totals["waiting"] != 1 || e.Totals["unfinished"] != 0 {
		t.Errorf("%v: %s", e.Totals, e.Summary)
	}
	resumed := h.call(schemas.ToolTransitionPartner, `{"run_id":"`+first.RunID+`","resume":true}`)
	if resumed.Status != answers.StatusRefused || resumed.Problem.Code != problems.CodeFrozen || h.writes() != 4 {
		t.Errorf("while frozen: %s, %d writes", resumed.Summary, h.writes())
	}
	if shown := h.call(schemas.ToolTransitionPartner, `{"run_id":"`+first.RunID+`"}`); shown.Totals["waiting"] != 1 {
		t.Errorf("a run has to be seen while frozen: %+v", shown)
	}
}

// roundTrip tells of each request before it leaves.
type roundTrip struct {
	next http.RoundTripper
	tell func(*http.Request)
}

func (r roundTrip) RoundTrip(request *http.Request) (*http.Response, error) {
	r.tell(request)
	return r.next.RoundTrip(request)
}

func TestApproverApprovesOnePlanOnce(t *testing.T) {
	t.Parallel()
	h := fleetOf(t, 3, person)
	h.approver()
	n := names(h)
	e := h.call(schemas.ToolEnsurePartnerLinks, ensuring)
	if e.Status != answers.StatusApprovalRequired || e.Approval == nil || h.writes() != 0 {
		t.Fatalf("%+v", e)
	}
	id := e.Approval.ID
	if joined := h.call(schemas.ToolEnsurePartnerLinks, ensuring); joined.Approval == nil || joined.Approval.ID != id {
		t.Errorf("the same plan waits twice: %+v", joined.Approval)
	}
	with := func(arguments string) string { return arguments[:len(arguments)-1] + `,"approval_id":"` + id + `"}` }
	if pending := h.call(schemas.ToolEnsurePartnerLinks, with(ensuring)); pending.Status != answers.StatusApprovalRequired {
		t.Errorf("before the approval: %s", pending.Status)
	}
	h.approve(id)
	for what, call := range map[string]struct{ tool, arguments string }{
		"another ID":          {schemas.ToolEnsurePartnerLinks, with(`{"partner_id":"2345678"}`)},
		"other tenants":       {schemas.ToolEnsurePartnerLinks, with(`{"partner_id":"1234567","tenants":["` + n[0] + `"]}`)},
		"another tool":        {schemas.ToolTransitionPartner, with(moving)},
		"a single tenant":     {schemas.ToolRegisterPartner, with(`{"partner_id":"1234567","tenant":"` + n[0] + `"}`)},
		"another first":       {schemas.ToolEnsurePartnerLinks, with(`{"partner_id":"1234567","first":1}`)},
		"an approval made up": {schemas.ToolEnsurePartnerLinks, `{"partner_id":"1234567","approval_id":"ap_000000000000000000"}`},
	} {
		if e := h.call(call.tool, call.arguments); e.Status != answers.StatusRefused || h.writes() != 0 {
			t.Errorf("%s: %s, %d writes", what, e.Summary, h.writes())
		}
	}
	if e = h.call(schemas.ToolEnsurePartnerLinks, with(ensuring)); e.Status != answers.StatusDone || h.writes() != 3 {
		t.Fatalf("approved: %s, %d writes", e.Summary, h.writes())
	}
	if again := h.call(schemas.ToolEnsurePartnerLinks, with(ensuring)); again.Problem == nil || again.Problem.Code != problems.CodeApprovalExpired {
		t.Errorf("a second time: %+v", again.Problem)
	}
	if state := h.call(schemas.ToolGetApproval, `{"approval_id":"`+id+`"}`); state.Approval == nil || state.Approval.State != "used" {
		t.Errorf("%+v", state)
	}
}

func TestRunBelongsToItsCaller(t *testing.T) {
	t.Parallel()
	h := fleetOf(t, 2, unasked)
	e := h.call(schemas.ToolEnsurePartnerLinks, `{"partner_id":"1234567","first":1}`)
	narrow := access.FullGrant()
	narrow.Tenants = []string{names(h)[0]}
	for _, p := range []access.Principal{trusted("other"), {Caller: "test", Grant: narrow}} {
		for _, more := range []string{"", `,"resume":true`} {
			got := h.service.Call(t.Context(), tools.Call{
				Tool: schemas.ToolEnsurePartnerLinks, Arguments: json.RawMessage(`{"run_id":"` + e.RunID + `"` + more + `}`), Principal: p, Confirmer: tools.NoConfirmer{},
			}).Envelope
			if got.Problem == nil || got.Problem.Code != problems.CodeUnknownRun || len(got.Changes) > 0 {
				t.Errorf("%s: %+v", p.Caller, got)
			}
		}
	}
	if got := h.call(schemas.ToolTransitionPartner, `{"run_id":"`+e.RunID+`"}`); got.Problem == nil || got.Problem.Code != problems.CodeUnknownRun {
		t.Errorf("another tool shows it: %+v", got)
	}
	if h.writes() != 1 {
		t.Errorf("%d writes", h.writes())
	}
}

// Rows of the plan that the policy denies are listed and never written; the
// strictest ruling of the others is the plan's; a rate counts each step.
func TestPolicyIsCheckedForEachRow(t *testing.T) {
	t.Parallel()
	h := fleetOf(t, 4, nil)
	n := names(h)
	rules := []access.Rule{
		{Name: "not here", Tenants: []string{n[0]}, Ruling: access.RulingDeny},
		{Name: "slowly", Operations: []string{schemas.ToolEnsurePartnerLinks}, Tenants: []string{"*"}, PartnerIDs: []string{newID},
			Rate: &access.Rate{Count: 2, Per: time.Hour}, Ruling: access.RulingAllow},
	}
	h = fleetOf(t, 4, func(o *guard.Options) { o.Rules = rules })
	e := h.call(schemas.ToolEnsurePartnerLinks, ensuring)
	h.wantState(e, n[0], answers.ChangeDenied, "")
	if e.Totals["done"] != 2 || e.Totals["waiting"] != 1 || h.writes() != 2 {
		t.Errorf("%v, %d writes", e.Totals, h.writes())
	}
	rules[1].Tenants = append([]string{n[1], n[2], n[3]}, "*")
	rules = append([]access.Rule{{Name: "somebody", Tenants: []string{n[2]}, Ruling: access.RulingApprover}}, rules...)
	h = fleetOf(t, 4, func(o *guard.Options) { o.Rules = rules })
	if e := h.call(schemas.ToolEnsurePartnerLinks, ensuring); e.Status != answers.StatusApprovalRequired || h.writes() != 0 {
		t.Errorf("one row wants a person: %s, %d writes", e.Summary, h.writes())
	}
}

// oneAnHour is a policy under which a run writes in one tenant and the others wait.
func oneAnHour(ruling access.Ruling) func(*guard.Options) {
	return func(o *guard.Options) {
		o.Approval, o.Rules = "", []access.Rule{{
			Name: "slowly", Operations: []string{"write", "destroy"}, Tenants: []string{"*"}, PartnerIDs: []string{oldID, newID},
			Rate: &access.Rate{Count: 1, Per: time.Hour}, Ruling: ruling,
		}}
	}
}

// with restarts the service with other options, over the same store.
func (h *fixture) with(o guard.Options) {
	h.t.Helper()
	o.Store = h.store
	other, err := guard.New(o)
	if err != nil {
		h.t.Fatal(err)
	}
	h.hurry(other, time.Nanosecond)
}

// A policy that got stricter while somebody confirmed stops what has not begun.
func TestPolicyChangeAfterApprovalApplies(t *testing.T) {
	t.Parallel()
	h := fleetOf(t, 3, oneAnHour(access.RulingRequester))
	n := names(h)
	e := h.ask(schemas.ToolEnsurePartnerLinks, `{"partner_id":"1234567"}`, afterThePlan{})
	if e.Envelope.Totals["done"] != 1 {
		t.Fatal(e.Envelope.Summary)
	}
	written, others := 0, []string{}
	for i, name := range n {
		if h.linked(name) == "" {
			others = append(others, name)
		} else {
			written = i
		}
	}
	h.with(guard.Options{Rules: []access.Rule{
		{Name: "closed", Tenants: others[:1], Ruling: access.RulingDeny}, {Name: "a person", Ruling: access.RulingApprover},
	}})
	got := h.call(schemas.ToolEnsurePartnerLinks, `{"run_id":"`+e.Envelope.RunID+`","resume":true}`)
	if got.Totals["waiting"] != 2 || h.writes() != 1 {
		t.Errorf("%v, %d writes", got.Totals, h.writes())
	}
	if got.Problem == nil || got.Problem.Code != problems.CodeRunIncomplete {
		t.Errorf("tenants were held back, and the run is %s: %s", got.Status, got.Summary)
	}
	for _, name := range others {
		if code := states(got)[name].Problem; code != problems.CodePolicyDenied {
			t.Errorf("%s waits for %s, after %s was written", name, code, n[written])
		}
	}
	h.with(guard.Options{AllowWrites: true, Approval: access.ApprovalRequester, Simulated: true})
	if got = h.call(schemas.ToolEnsurePartnerLinks, `{"run_id":"`+e.Envelope.RunID+`","resume":true}`); got.Status != answers.StatusDone || h.writes() != 3 {
		t.Errorf("%v, %d writes", got.Totals, h.writes())
	}
}
