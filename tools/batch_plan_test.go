package tools_test

import (
	"strings"
	"testing"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
	"mcp-partner/simulator"
)

// A plan says what bounds and grants would deny also where nothing can be
// written at all, and what holds everything back.
func TestPlanWarnsWhenWritesAreOff(t *testing.T) {
	t.Parallel()
	const plan = `{"from":["7654321"],"to":"1234567","plan":true}`
	for what, c := range map[string]struct {
		change  func(*guard.Options)
		frozen  bool
		planned int
		says    string
	}{
		"writes off": {change: func(o *guard.Options) { o.AllowWrites = false }, planned: 2, says: "Writes are off here."},
		"writes off, another ID bound": {
			change: func(o *guard.Options) { o.AllowWrites, o.Bounds.PartnerIDs = false, []string{oldID} }, says: "2 denied",
		},
		"another ID bound":     {change: func(o *guard.Options) { o.Bounds.PartnerIDs = []string{oldID} }, says: "2 denied"},
		"frozen":               {change: unasked, frozen: true, planned: 2, says: "Writes are frozen now."},
		"a policy":             {change: denying, says: "2 denied"},
		"a policy, and frozen": {change: denying, frozen: true, says: "2 denied"},
	} {
		h := fleetOf(t, 2, c.change)
		for _, name := range names(h) {
			h.link(name, oldID)
		}
		if c.frozen {
			if err := h.guard.SetFreeze(t.Context(), false, "enough"); err != nil {
				t.Fatal(err)
			}
		}
		e := h.call(schemas.ToolTransitionPartner, plan)
		if e.Status != answers.StatusDone || e.Totals["planned"] != c.planned || !strings.Contains(e.Summary, c.says) || h.writes() != 0 {
			t.Errorf("%s: %s, %v: %s", what, e.Status, e.Totals, e.Summary)
		}
	}
}

// denying is a policy that allows no write of the new ID.
func denying(o *guard.Options) {
	o.Rules = []access.Rule{{Name: "not that one", PartnerIDs: []string{newID}, Ruling: access.RulingDeny}}
}

// The plan tells the person who decides what cannot be undone, on each surface.
func TestPlanSaysWhatCannotBeUndone(t *testing.T) {
	t.Parallel()
	h := fleetOf(t, 2, person)
	n := names(h)
	h.link(n[0], oldID)
	for arguments, want := range map[string]string{
		`{"from":["7654321"],"to":"1234567"`:                                   "the old ID can be restored only by another update",
		`{"from":["7654321"],"to":"1234567","strategy":"remove-then-register"`: "there is no link between removing and registering",
	} {
		for _, how := range []string{`,"plan":true}`, `}`} {
			if e := h.call(schemas.ToolTransitionPartner, arguments+how); !strings.Contains(e.Summary, want) {
				t.Errorf("%s%s: %s: %s", arguments, how, e.Status, e.Summary)
			}
		}
	}
	if e := h.call(schemas.ToolEnsurePartnerLinks, `{"partner_id":"1234567","plan":true}`); !strings.Contains(e.Summary, "only this identity can remove the link again") {
		t.Error(e.Summary)
	}
	if e := h.call(schemas.ToolTransitionPartner, `{"from":["2345678"],"to":"1234567","plan":true}`); strings.Contains(e.Summary, "Not undone") {
		t.Errorf("nothing would be written: %s", e.Summary)
	}
}

// Where nothing could be told, nothing is called unchanged.
func TestPlanFailsWhenEveryTenantIsUnknown(t *testing.T) {
	t.Parallel()
	h := fleetOf(t, 2, unasked)
	n := names(h)
	tell := h.sim.Inject(simulator.Rule{TenantID: h.tenant(n[0]).TenantID, Kind: simulator.FaultForbidden})
	h.inject(n[1], simulator.Rule{Kind: simulator.FaultForbidden})
	if e := h.call(schemas.ToolEnsurePartnerLinks, ensuring); e.Status != answers.StatusFailed || e.Problem.Code != problems.CodeForbidden || len(e.Changes) != 2 {
		t.Errorf("%s: %s", e.Status, e.Summary)
	}
	tell()
	h.link(n[0], newID)
	if e := h.call(schemas.ToolEnsurePartnerLinks, ensuring); e.Status != answers.StatusUnchanged || !strings.Contains(e.Summary, "1 unknown") {
		t.Errorf("%s: %s", e.Status, e.Summary)
	}
}
