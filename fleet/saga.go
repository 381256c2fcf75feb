package fleet

import (
	"cmp"
	"net/http"

	"mcp-partner/armclient"
	"mcp-partner/guard"
	"mcp-partner/guard/runs"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/partnerid"
	"mcp-partner/schemas/problems"
)

// maxTries is how often one half of a tenant's change is tried that changed
// nothing and may work later.
const maxTries = 3

// observation is what a look at a tenant of a run gave.
type observation struct {
	// known says that now is what is linked, else code says why not.
	known bool
	now   guard.LinkSnapshot
	code  problems.Code
	// settled says that a write whose outcome is not known has ended by now.
	settled bool
}

// actionKind is what is to be done with a tenant.
type actionKind int

const (
	// leave it as it stands: nothing can be done in this process.
	leave actionKind = iota
	// again: look once more, after a while.
	again
	// record where it stands.
	record
	// write: ask for the permit of a step and use it.
	write
)

// action is the next thing to do with a tenant.
type action struct {
	kind   actionKind
	step   runs.Step
	stage  runs.Stage
	result problems.Code
	// spent counts the attempt as one that changed nothing.
	spent bool
	// unseen says that a removal of what was written would have looked the same.
	unseen bool
}

// next decides the next action of a tenant. It is a pure function of the
// approved row, the tenant's progress and the current link, so the process that
// began and one that finds the tenant after a crash decide the same.
func next(row guard.PlanRow, at guard.Progress, seen observation) action {
	switch at.Stage {
	case runs.StagePlanned:
		return begin(row, seen)
	case runs.StageWritten:
		return action{kind: record, stage: runs.StageDone}
	}
	if at.Stage.Final() && at.Stage != runs.StageStranded {
		return action{kind: leave}
	}
	if !seen.known {
		return action{kind: again, result: seen.code}
	}
	switch at.Stage {
	case runs.StageWriting:
		return wrote(row, at, seen)
	case runs.StageRemoving:
		return removed(at, seen)
	case runs.StageReplacing, runs.StageRestoring:
		return registered(row, at, seen)
	default: // removed, stranded
		return unlinked(row, at, seen)
	}
}

// begin opens a tenant whose link is as the plan saw it.
func begin(row guard.PlanRow, seen observation) action {
	switch {
	case len(row.Steps) == 0:
		return action{kind: leave}
	case !seen.known:
		return action{kind: leave, result: seen.code}
	case row.Before.Moved(seen.now):
		return action{kind: record, stage: runs.StageSkipped, result: problems.CodeStateMoved}
	default:
		return action{kind: write, step: row.Steps[0]}
	}
}

// wrote decides after a PUT or PATCH with an unknown outcome.
func wrote(row guard.PlanRow, at guard.Progress, seen observation) action {
	switch {
	case holds(seen.now, row.PartnerID) && at.Snapshot.OneWriteBefore(seen.now):
		return action{kind: record, stage: runs.StageWritten}
	case !othersWrote(at, seen.now) && !shownRemoved(at.Snapshot, seen.now):
		return unwritten(at, seen, runs.StagePlanned)
	default:
		return action{kind: record, stage: runs.StageFailed, result: problems.CodeConcurrentChange}
	}
}

// othersWrote reports whether somebody else is known to have written since the
// last step began.
func othersWrote(at guard.Progress, now guard.LinkSnapshot) bool {
	return problems.Code(at.Result) == problems.CodeConcurrentChange || at.Snapshot.Moved(now)
}

// shownRemoved: where there was no trace of a link there is one that was
// removed. Of another kind of answer for the same it cannot be told, and then
// nothing is lost by asking a person.
func shownRemoved(before, now guard.LinkSnapshot) bool {
	return before.State == answers.LinkNotLinked && now.State == answers.LinkDeleted
}

// removed decides after a DELETE with an unknown outcome. If the link is gone,
// for whatever reason, the tenant must not stay without one.
func removed(at guard.Progress, seen observation) action {
	switch {
	case seen.now.State.Absent():
		return action{kind: record, stage: runs.StageRemoved}
	case !at.Snapshot.Moved(seen.now):
		return unwritten(at, seen, runs.StagePlanned)
	default:
		return action{kind: record, stage: runs.StageFailed, result: problems.CodeConcurrentChange}
	}
}

// registered decides after a PUT of the second half with an unknown outcome.
func registered(row guard.PlanRow, at guard.Progress, seen observation) action {
	switch {
	case seen.now.State.Absent() && !othersWrote(at, seen.now):
		return unwritten(at, seen, runs.StageRemoved)
	case at.Step == runs.StepRestore && holds(seen.now, row.Before.PartnerID):
		return action{kind: record, stage: runs.StageRestored}
	case holds(seen.now, row.PartnerID):
		return action{kind: record, stage: runs.StageWritten}
	default:
		return action{kind: record, stage: runs.StageFailed, result: problems.CodeConcurrentChange}
	}
}

// unwritten is a write that has not happened, once it cannot happen any more.
func unwritten(at guard.Progress, seen observation, back runs.Stage) action {
	if !seen.settled {
		return action{kind: again, result: problems.CodeWriteUnconfirmed}
	}
	hidden := seen.now.State.Absent() && (at.Snapshot.Version < 0 || seen.now.Version < 0)
	return action{kind: record, stage: back, result: problems.CodeWriteNotApplied, spent: true, unseen: hidden}
}

// unlinked is a tenant whose old link is removed and whose new one is not made.
// The new ID is tried first; once it was refused for good the old one is put
// back, and once that was refused too the tenant is stranded.
func unlinked(row guard.PlanRow, at guard.Progress, seen observation) action {
	restoring := at.Step == runs.StepRestore && at.Stage != runs.StageStranded
	switch {
	case holds(seen.now, row.PartnerID):
		return action{kind: record, stage: runs.StageWritten}
	case holds(seen.now, row.Before.PartnerID):
		return action{kind: record, stage: runs.StageRestored}
	case !seen.now.State.Absent():
		return action{kind: record, stage: runs.StageFailed, result: problems.CodeConcurrentChange}
	case at.Stage == runs.StageStranded, at.Tries == 0, !restoring && mayTry(at, maxTries):
		return action{kind: write, step: runs.StepReplace}
	case !restoring, mayTry(at, 2*maxTries):
		return action{kind: write, step: runs.StepRestore}
	default:
		return action{kind: record, stage: runs.StageStranded, result: problems.Code(at.Result)}
	}
}

func mayTry(at guard.Progress, most int) bool {
	return at.Tries < most && passes(problems.Code(at.Result))
}

// passes reports whether what a code names goes away by itself.
func passes(code problems.Code) bool {
	return problems.New(code, "").Retryable
}

func holds(now guard.LinkSnapshot, partnerID partnerid.ID) bool {
	return now.State == answers.LinkLinked && now.PartnerID == partnerID
}

// after decides where a tenant stands after a write of this process, from what
// armclient judged. What is not certain leaves it under way: next looks again.
// Sent says that the request may have reached ARM.
func after(at guard.Progress, outcome armclient.Outcome, sent bool) action {
	a := action{kind: record, stage: runs.StageFailed}
	if outcome.Problem != nil {
		a.result = outcome.Problem.Code
	}
	now, refused := outcome.After.Link.State, outcome.Applied == armclient.AppliedNo
	switch {
	case confirmed(outcome):
		a.stage = reached(at.Step)
	case secondHalf(at.Step) && refused && (now.Absent() || !sent):
		a.stage, a.spent = runs.StageRemoved, true
	case secondHalf(at.Step):
		a.stage = at.Stage
	case at.Step == runs.StepRemove && now.Absent():
		a.stage = runs.StageRemoved
	case outcome.Applied == armclient.AppliedUnknown, now == answers.LinkUnknown && sent:
		a.stage = at.Stage
	case refused && at.Tries+1 < maxTries && passes(a.result):
		a.stage, a.spent = runs.StagePlanned, true
	}
	return a
}

func confirmed(outcome armclient.Outcome) bool {
	return outcome.Applied == armclient.AppliedYes && outcome.Problem == nil
}

// reached is where a step leads that was read back.
func reached(step runs.Step) runs.Stage {
	return cmp.Or(map[runs.Step]runs.Stage{runs.StepRemove: runs.StageRemoved, runs.StepRestore: runs.StageRestored}[step], runs.StageWritten)
}

func secondHalf(step runs.Step) bool {
	return step == runs.StepReplace || step == runs.StepRestore
}

func changeOf(row guard.PlanRow, step runs.Step, before answers.Link) armclient.Change {
	change := armclient.Change{Method: http.MethodPut, PartnerID: row.PartnerID, Before: before}
	switch step {
	case runs.StepUpdate:
		change.Method = http.MethodPatch
	case runs.StepRemove:
		change.Method, change.PartnerID = http.MethodDelete, row.Before.PartnerID
	case runs.StepRestore:
		change.PartnerID = row.Before.PartnerID
	}
	return change
}
