package fleet

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"mcp-partner/armclient"
	"mcp-partner/guard"
	"mcp-partner/guard/runs"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/partnerid"
	"mcp-partner/schemas/problems"
)

const fromID, toID, otherID = "7654321", "1234567", "2345678"

// tenantModel is one tenant in a world of its own: where its row stands, what is
// linked in truth, and what happened so far.
type tenantModel struct {
	at guard.Progress
	// linked is "" for no link; version rises with each write.
	linked  partnerid.ID
	version int64
	// moved counts how often the new ID was linked by us, foreign that somebody
	// else wrote.
	moved, removed int
	foreign        bool
}

func (m tenantModel) seen() guard.LinkSnapshot {
	if m.linked == "" {
		return guard.LinkSnapshot{State: answers.LinkNotLinked, Version: -1}
	}
	return guard.LinkSnapshot{State: answers.LinkLinked, PartnerID: m.linked, Version: m.version}
}

func (m tenantModel) link() answers.Link {
	seen := m.seen()
	link := answers.Link{State: seen.State, PartnerID: seen.PartnerID}
	if seen.Version >= 0 {
		link.Version = new(seen.Version)
	}
	return link
}

// carriedOut is the provider doing what a step asks for, if it can.
func (m tenantModel) carriedOut(row guard.PlanRow, step runs.Step) (tenantModel, bool) {
	change := changeOf(row, step, answers.Link{})
	switch {
	case change.Method == http.MethodPut && m.linked != "",
		change.Method != http.MethodPut && m.linked == "",
		change.Method == http.MethodDelete && m.linked != change.PartnerID:
		return m, false
	case change.Method == http.MethodDelete:
		m.linked = ""
		m.removed++
	default:
		m.linked = change.PartnerID
	}
	if m.linked == toID {
		m.moved++
	}
	m.version++
	return m, true
}

// moved is where a row stands after a move, as drive has it.
func (m tenantModel) recorded(to action) tenantModel {
	before := m.at.Stage
	m.at.Stage, m.at.Result, m.at.Intent = to.stage, string(to.result), 0
	switch {
	case to.spent:
		m.at.Tries++
	case to.stage == runs.StageRemoved && before == runs.StageRemoving:
		m.at.Tries = 0
	}
	return m
}

// exploration visits every state that a tenant can come into.
type exploration struct {
	t       *testing.T
	row     guard.PlanRow
	visited map[string]bool
	final   map[runs.Stage]int
	// foreign lets somebody else write at any time.
	foreign bool
}

func (x *exploration) visit(m tenantModel) {
	// What cannot change what follows is left out of the key, so that the
	// exploration ends.
	key := fmt.Sprintf("%s %s %d %s %+v %v %s %d %d %v", m.at.Stage, m.at.Step, min(m.at.Tries, 2*maxTries+2), m.at.Result, m.at.Snapshot, m.at.Intent != 0, m.linked, m.moved, m.version-m.at.Snapshot.Version, m.foreign)
	if x.visited[key] || m.version > 60 {
		return
	}
	x.visited[key] = true
	x.judge(m)
	if x.foreign && !m.foreign {
		for _, somebody := range []partnerid.ID{otherID, fromID, toID, ""} {
			theirs := m
			theirs.linked, theirs.version, theirs.foreign = somebody, m.version+1, true
			x.visit(theirs)
		}
	}
	for _, settled := range []bool{true, false} {
		x.act(m, next(x.row, m.at, observation{known: true, now: m.seen(), settled: settled}))
	}
	x.act(m, next(x.row, m.at, observation{code: problems.CodeTimeout}))
}

func (x *exploration) act(m tenantModel, to action) {
	switch to.kind {
	case record:
		x.visit(m.recorded(to))
	case write:
		x.write(m, to.step)
	}
}

// write takes every way that a write can go.
func (x *exploration) write(m tenantModel, step runs.Step) {
	begun := m
	begun.at.Stage, begun.at.Step, begun.at.Snapshot, begun.at.Intent = stageOfStep(step), step, m.seen(), 1
	begun.at.Result = ""
	done, ok := begun.carriedOut(x.row, step)
	x.visit(begun) // the process dies before the write is carried out
	if ok {
		x.visit(done) // or after
		x.visit(done.recorded(after(done.at, armclient.Outcome{Applied: armclient.AppliedYes, After: armclient.LinkRead{Link: done.link()}}, true)))
	}
	unread := armclient.LinkRead{Link: answers.Link{State: answers.LinkUnknown}, Problem: problems.New(problems.CodeTimeout, "")}
	for _, world := range []tenantModel{begun, done} {
		lost := armclient.Outcome{Applied: armclient.AppliedUnknown, After: unread, Problem: problems.New(problems.CodeWriteUnconfirmed, "")}
		x.visit(world.recorded(after(world.at, lost, true)))
	}
	for _, code := range []problems.Code{problems.CodeBadRequest, problems.CodeThrottled, problems.CodeWriteNotApplied, problems.CodeConflict} {
		refused := armclient.Outcome{Applied: armclient.AppliedNo, After: armclient.LinkRead{Link: begun.link()}, Problem: problems.New(code, "")}
		x.visit(begun.recorded(after(begun.at, refused, true)))
		refused.After = unread
		x.visit(begun.recorded(after(begun.at, refused, true)))
		x.visit(begun.recorded(after(begun.at, refused, false)))
	}
}

// Changes by others are detected where possible: a link that was created and
// removed since is not created again, and where only a second link, or nothing,
// shows it, the row says so.
func TestLinkRemovedByOthersIsNotRecreated(t *testing.T) {
	t.Parallel()
	absent, deleted := guard.LinkSnapshot{State: answers.LinkNotLinked, Version: -1}, func(version int64) guard.LinkSnapshot {
		return guard.LinkSnapshot{State: answers.LinkDeleted, Version: version}
	}
	creating, replacing := runs.StageWriting, runs.StageReplacing
	for what, c := range map[string]struct {
		at       guard.Progress
		now      guard.LinkSnapshot
		again    bool
		doubtful bool
	}{
		"nothing to be seen before and now": {
			at: guard.Progress{Stage: creating, Step: runs.StepCreate, Snapshot: absent}, now: absent, again: true, doubtful: true,
		},
		"removed already before, and as it was": {
			at: guard.Progress{Stage: creating, Step: runs.StepCreate, Snapshot: deleted(4)}, now: deleted(4), again: true,
		},
		"removed already before, and again": {
			at: guard.Progress{Stage: creating, Step: runs.StepCreate, Snapshot: deleted(4)}, now: deleted(6),
		},
		"nothing before, removed now": {at: guard.Progress{Stage: creating, Step: runs.StepCreate, Snapshot: absent}, now: deleted(2)},
		"the answer told of somebody else": {
			at:  guard.Progress{Stage: creating, Step: runs.StepCreate, Snapshot: deleted(6), Result: string(problems.CodeConcurrentChange)},
			now: deleted(6),
		},
		"replaced, nothing to be seen": {
			at: guard.Progress{Stage: replacing, Step: runs.StepReplace, Snapshot: absent}, now: absent, again: true, doubtful: true,
		},
		"replaced, two ways to say the same": {
			at: guard.Progress{Stage: replacing, Step: runs.StepReplace, Snapshot: absent}, now: deleted(6), again: true, doubtful: true,
		},
		"replaced, removed since": {
			at: guard.Progress{Stage: replacing, Step: runs.StepReplace, Snapshot: deleted(6)}, now: deleted(8),
		},
		"put back, removed since": {
			at: guard.Progress{Stage: runs.StageRestoring, Step: runs.StepRestore, Snapshot: deleted(6)}, now: deleted(8),
		},
		"put back, and nothing of it to be seen": {
			at: guard.Progress{Stage: runs.StageRestoring, Step: runs.StepRestore, Snapshot: deleted(6)}, now: deleted(6), again: true,
		},
	} {
		row := guard.PlanRow{PartnerID: toID, Before: guard.LinkSnapshot{State: answers.LinkLinked, PartnerID: fromID, Version: 5}}
		m := next(row, c.at, observation{known: true, now: c.now, settled: true})
		if again := m.kind == record && m.spent; again != c.again || m.unseen != c.doubtful || !again && m.stage != runs.StageFailed {
			t.Errorf("%s: %+v", what, m)
		}
	}
}

func TestRowReportsPossibleConcurrentChange(t *testing.T) {
	t.Parallel()
	replaced := guard.PlanRow{
		PartnerID: toID, Before: guard.LinkSnapshot{State: answers.LinkLinked, PartnerID: fromID, Version: 5}, Steps: []runs.Step{runs.StepRemove, runs.StepReplace},
	}
	created := guard.PlanRow{PartnerID: toID, Before: guard.LinkSnapshot{State: answers.LinkNotLinked, Version: -1}, Steps: []runs.Step{runs.StepCreate}}
	now := func(version int64) guard.LinkSnapshot {
		return guard.LinkSnapshot{State: answers.LinkLinked, PartnerID: toID, Version: version}
	}
	for _, c := range []struct {
		row  guard.PlanRow
		at   guard.Progress
		says string
	}{
		{row: replaced, at: guard.Progress{Snapshot: now(7), Unseen: true}},
		{row: replaced, at: guard.Progress{Snapshot: now(9), Unseen: true}, says: "written 4 times, but this run wrote 2 times"},
		{row: replaced, at: guard.Progress{Snapshot: now(-1), Unseen: true}, says: "someone removed the link in between"},
		{row: replaced, at: guard.Progress{Snapshot: now(1)}}, // a provider that counts each link anew
		{row: replaced, at: guard.Progress{Snapshot: now(1), Unseen: true}, says: "someone removed the link in between"},
		{row: created, at: guard.Progress{Snapshot: now(1)}},
		{row: created, at: guard.Progress{Snapshot: now(3), Unseen: true}, says: "someone removed the link in between"},
	} {
		for _, stage := range []runs.Stage{runs.StageDone, runs.StageRestored} {
			c.at.Stage = stage
			rows := Changes(guard.Plan{Rows: []guard.PlanRow{c.row}}, map[int]guard.Progress{0: c.at}, nil)
			if got := doubt(c.row, c.at); c.says == "" && got != "" || !strings.Contains(rows[0].Why, c.says) {
				t.Errorf("%+v: %q", c.at, rows[0].Why)
			}
		}
	}
}

// A link that is gone is in the first line, no matter who removed it.
func TestLostLinkIsSummarizedFirst(t *testing.T) {
	t.Parallel()
	linked, absent := &answers.Link{State: answers.LinkLinked, PartnerID: fromID}, &answers.Link{State: answers.LinkNotLinked}
	for _, c := range []struct {
		row   answers.ChangeRow
		first bool
	}{
		{answers.ChangeRow{State: answers.ChangeStranded, Before: linked}, true},
		{answers.ChangeRow{State: answers.ChangeFailed, Before: linked, After: absent}, true},
		{answers.ChangeRow{State: answers.ChangeUnfinished, Before: linked, After: absent}, true},
		{answers.ChangeRow{State: answers.ChangeFailed, Before: linked, After: linked}, false},
		{answers.ChangeRow{State: answers.ChangeFailed, Before: absent, After: absent}, false},
		{answers.ChangeRow{State: answers.ChangeSkipped, Before: linked, After: absent}, false},
	} {
		c.row.Tenant = "contoso"
		if got := Headline([]answers.ChangeRow{c.row}); strings.HasPrefix(got, "STRANDED: 1 without a link now: contoso.") != c.first {
			t.Errorf("%s, then %s: %s", c.row.State, c.row.Before.State, got)
		}
	}
}

// stageOfStep is where the guard lets a row stand while a step is under way.
func stageOfStep(step runs.Step) runs.Stage {
	return map[runs.Step]runs.Stage{
		runs.StepCreate: runs.StageWriting, runs.StepUpdate: runs.StageWriting, runs.StepRemove: runs.StageRemoving,
		runs.StepReplace: runs.StageReplacing, runs.StepRestore: runs.StageRestoring,
	}[step]
}

// judge holds a state against what a row may say of the world.
func (x *exploration) judge(m tenantModel) {
	x.t.Helper()
	had := x.row.Before.State == answers.LinkLinked
	bad := func(format string, args ...any) {
		x.t.Errorf("%s: %s (row %+v, linked %q)", x.row.Steps, fmt.Sprintf(format, args...), m.at, m.linked)
	}
	if m.at.Stage.Final() {
		x.final[m.at.Stage]++
	}
	switch stage := m.at.Stage; {
	case m.foreign: // what somebody else does after the last look, or undoes unseen, nobody can know
	case m.moved > 1:
		bad("moved %d times", m.moved)
	case (stage == runs.StageDone || stage == runs.StageWritten) && m.linked != toID:
		bad("%s, and the new ID is not linked", stage)
	case stage == runs.StageRestored && m.linked != fromID:
		bad("restored, and the old ID is not linked")
	case stage == runs.StageStranded && m.linked != "":
		bad("stranded, and something is linked")
	case stage == runs.StageSkipped:
		bad("skipped, and nobody else wrote")
	case had && m.linked == "" && (stage == runs.StagePlanned || stage.Final() && stage != runs.StageStranded):
		bad("no link, and the row does not say so")
	case stage.Begun() && next(x.row, m.at, observation{known: true, now: m.seen(), settled: true}).kind != record && next(x.row, m.at, observation{known: true, now: m.seen(), settled: true}).kind != write:
		bad("begun, and it does not go on")
	}
}

// Every state that a tenant can come into, whatever goes wrong and wherever the
// process dies: a row never says of the link what is not so, a tenant without
// its link says so, nothing is moved twice, and what has begun goes on.
func TestTenantRunReachesValidStateFromEveryFault(t *testing.T) {
	t.Parallel()
	linked := guard.LinkSnapshot{State: answers.LinkLinked, PartnerID: fromID, Version: 5}
	for name, row := range map[string]guard.PlanRow{
		"ensure":  {Before: guard.LinkSnapshot{State: answers.LinkNotLinked, Version: -1}, PartnerID: toID, Steps: []runs.Step{runs.StepCreate}},
		"update":  {Before: linked, PartnerID: toID, Steps: []runs.Step{runs.StepUpdate}},
		"replace": {Before: linked, PartnerID: toID, Steps: []runs.Step{runs.StepRemove, runs.StepReplace}},
	} {
		for _, foreign := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, somebody else writes: %v", name, foreign), func(t *testing.T) {
				t.Parallel()
				x := &exploration{t: t, row: row, visited: map[string]bool{}, final: map[runs.Stage]int{}, foreign: foreign}
				x.visit(tenantModel{linked: row.Before.PartnerID, version: 5})
				t.Logf("%d states; ends: %v", len(x.visited), x.final)
				if len(x.visited) < 20 || x.final[runs.StageDone] == 0 || x.final[runs.StageFailed] == 0 ||
					name == "replace" && (x.final[runs.StageRestored] == 0 || x.final[runs.StageStranded] == 0) || foreign && x.final[runs.StageSkipped] == 0 {
					t.Error("the exploration did not come far")
				}
			})
		}
	}
}
