package fleet

import (
	"mcp-partner/armclient"
	"mcp-partner/guard"
	"mcp-partner/schemas"
)

// after decides where a tenant stands after a write of this process, from what
// armclient judged. What is not certain leaves it under way: next looks again.
// Sent says that the request may have reached the far side.
func after(at guard.Progress, outcome armclient.Outcome, sent bool) action {
	a := action{kind: record, stage: guard.StageFailed}
	if outcome.Problem != nil {
		a.result = outcome.Problem.Code
	}
	now, refused := outcome.After.Link.State, outcome.Applied == armclient.AppliedNo
	switch {
	case outcome.Applied == armclient.AppliedYes && outcome.Problem == nil:
		a.stage = reached(at.Step)
	case secondHalf(at.Step) && refused && (now.Absent() || !sent):
		a.stage, a.spent = guard.StageRemoved, true
	case secondHalf(at.Step):
		a.stage = at.Stage
	case at.Step == guard.StepRemove && now.Absent():
		a.stage = guard.StageRemoved
	case outcome.Applied == armclient.AppliedUnknown, now == schemas.LinkUnknown && sent:
		a.stage = at.Stage
	case refused && mayTryAgain(at, a.result):
		a.stage, a.spent = guard.StagePlanned, true
	}
	return a
}

// mayTryAgain reports whether a first write that was refused is worth another try.
func mayTryAgain(at guard.Progress, code schemas.Code) bool {
	return at.Tries+1 < maxTries && passes(code)
}

// reached is where a step leads that was read back.
func reached(step guard.Step) guard.Stage {
	switch step {
	case guard.StepRemove:
		return guard.StageRemoved
	case guard.StepRestore:
		return guard.StageRestored
	default:
		return guard.StageWritten
	}
}

func secondHalf(step guard.Step) bool {
	return step == guard.StepReplace || step == guard.StepRestore
}

// changeOf is the request of a step.
func changeOf(row guard.PlanRow, step guard.Step, before schemas.Link) armclient.Change {
	change := armclient.Change{Kind: armclient.ChangeCreate, PartnerID: schemas.PartnerID(row.PartnerID), Before: before}
	switch step {
	case guard.StepUpdate:
		change.Kind = armclient.ChangeUpdate
	case guard.StepRemove:
		change.Kind, change.PartnerID = armclient.ChangeDelete, schemas.PartnerID(row.Before.PartnerID)
	case guard.StepRestore:
		change.PartnerID = schemas.PartnerID(row.Before.PartnerID)
	}
	return change
}
