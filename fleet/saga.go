package fleet

import (
	"mcp-partner/guard"
	"mcp-partner/schemas"
)

// maxTries is how often one half of a tenant's change is tried that changed
// nothing and may work later.
const maxTries = 3

// sight is what a look at a tenant of a run gave.
type sight struct {
	// known says that now is what is linked, else code says why not.
	known bool
	now   guard.LinkSnapshot
	code  schemas.Code
	// settled says that a write whose outcome is not known has ended by now.
	settled bool
}

// verb is what is to be done with a tenant.
type verb int

const (
	// leave it as it stands: nothing can be done in this process.
	leave verb = iota
	// again: look once more, after a while.
	again
	// record where it stands.
	record
	// write: ask for the permit of a step and use it.
	write
)

// move is the next thing to do with a tenant.
type move struct {
	verb   verb
	step   guard.Step
	stage  guard.Stage
	result schemas.Code
	// spent counts the attempt as one that changed nothing.
	spent bool
	// unseen says that a removal of what was written would have looked the same.
	unseen bool
}

// next decides how a tenant goes on. It is a pure function of the approved row,
// of where the tenant stands, and of what is linked now, so the same question
// has the same answer in the process that began and in the one that finds the
// tenant after a crash.
func next(row guard.PlanRow, at guard.Progress, see sight) move {
	switch at.Stage {
	case guard.StagePlanned:
		return begin(row, see)
	case guard.StageWritten:
		return move{verb: record, stage: guard.StageDone}
	}
	if at.Stage.Final() && at.Stage != guard.StageStranded {
		return move{verb: leave}
	}
	if !see.known {
		return move{verb: again, result: see.code}
	}
	switch at.Stage {
	case guard.StageWriting:
		return wrote(row, at, see)
	case guard.StageRemoving:
		return removed(at, see)
	case guard.StageReplacing, guard.StageRestoring:
		return registered(row, at, see)
	default: // removed, stranded
		return unlinked(row, at, see)
	}
}

// begin opens a tenant whose link is as the plan saw it.
func begin(row guard.PlanRow, see sight) move {
	switch {
	case len(row.Steps) == 0:
		return move{verb: leave}
	case !see.known:
		return move{verb: leave, result: see.code}
	case row.Before.Moved(see.now):
		return move{verb: record, stage: guard.StageSkipped, result: schemas.CodeStateMoved}
	default:
		return move{verb: write, step: row.Steps[0]}
	}
}

// wrote judges a PUT or PATCH whose outcome is not known.
func wrote(row guard.PlanRow, at guard.Progress, see sight) move {
	switch {
	case holds(see.now, row.PartnerID) && oneWrite(at.Snapshot, see.now):
		return move{verb: record, stage: guard.StageWritten}
	case !othersWrote(at, see.now) && !shownRemoved(at.Snapshot, see.now):
		return unwritten(at, see, guard.StagePlanned)
	default:
		return move{verb: record, stage: guard.StageFailed, result: schemas.CodeConcurrentChange}
	}
}

// othersWrote reports whether somebody else is known to have written since the
// last step began.
func othersWrote(at guard.Progress, now guard.LinkSnapshot) bool {
	return schemas.Code(at.Result) == schemas.CodeConcurrentChange || at.Snapshot.Moved(now)
}

// shownRemoved: where there was no trace of a link there is one that was
// removed. Of another kind of answer for the same it cannot be told, and then
// nothing is lost by asking a person.
func shownRemoved(before, now guard.LinkSnapshot) bool {
	return before.State == schemas.LinkNotLinked && now.State == schemas.LinkDeleted
}

// removed judges a DELETE whose outcome is not known. Whoever made it so, what
// is gone is gone, and the tenant must not stay like that.
func removed(at guard.Progress, see sight) move {
	switch {
	case see.now.State.Absent():
		return move{verb: record, stage: guard.StageRemoved}
	case !at.Snapshot.Moved(see.now):
		return unwritten(at, see, guard.StagePlanned)
	default:
		return move{verb: record, stage: guard.StageFailed, result: schemas.CodeConcurrentChange}
	}
}

// registered judges a PUT of the second half whose outcome is not known.
func registered(row guard.PlanRow, at guard.Progress, see sight) move {
	switch {
	case see.now.State.Absent() && !othersWrote(at, see.now):
		return unwritten(at, see, guard.StageRemoved)
	case at.Step == guard.StepRestore && holds(see.now, row.Before.PartnerID):
		return move{verb: record, stage: guard.StageRestored}
	case holds(see.now, row.PartnerID):
		return move{verb: record, stage: guard.StageWritten}
	default:
		return move{verb: record, stage: guard.StageFailed, result: schemas.CodeConcurrentChange}
	}
}

// unwritten is a write that has not happened, once it cannot happen any more.
func unwritten(at guard.Progress, see sight, back guard.Stage) move {
	if !see.settled {
		return move{verb: again, result: schemas.CodeWriteUnconfirmed}
	}
	hidden := see.now.State.Absent() && (at.Snapshot.Version < 0 || see.now.Version < 0)
	return move{verb: record, stage: back, result: schemas.CodeWriteNotApplied, spent: true, unseen: hidden}
}

// unlinked is a tenant whose old link is removed and whose new one is not made.
// The new ID is tried first; once it was refused for good the old one is put
// back, and once that was refused too the tenant is stranded.
func unlinked(row guard.PlanRow, at guard.Progress, see sight) move {
	restoring := at.Step == guard.StepRestore && at.Stage != guard.StageStranded
	switch {
	case holds(see.now, row.PartnerID):
		return move{verb: record, stage: guard.StageWritten}
	case holds(see.now, row.Before.PartnerID):
		return move{verb: record, stage: guard.StageRestored}
	case !see.now.State.Absent():
		return move{verb: record, stage: guard.StageFailed, result: schemas.CodeConcurrentChange}
	case at.Stage == guard.StageStranded, at.Tries == 0, !restoring && mayTry(at, maxTries):
		return move{verb: write, step: guard.StepReplace}
	case !restoring, mayTry(at, 2*maxTries):
		return move{verb: write, step: guard.StepRestore}
	default:
		return move{verb: record, stage: guard.StageStranded, result: schemas.Code(at.Result)}
	}
}

// mayTry reports whether another attempt may work where the last did not.
func mayTry(at guard.Progress, most int) bool {
	return at.Tries < most && passes(schemas.Code(at.Result))
}

// passes reports whether what a code names goes away by itself.
func passes(code schemas.Code) bool {
	return schemas.NewProblem(code, "").Retryable
}

func holds(now guard.LinkSnapshot, partnerID string) bool {
	return now.State == schemas.LinkLinked && now.PartnerID == partnerID
}

// oneWrite reports whether one write lies between two states, where the
// versions can be seen.
func oneWrite(before, now guard.LinkSnapshot) bool {
	return before.Version < 0 || now.Version < 0 || now.Version == before.Version+1
}
