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
	code := schemas.Code("")
	if outcome.Problem != nil {
		code = outcome.Problem.Code
	}
	now := outcome.After.Link
	switch {
	case outcome.Applied == armclient.AppliedYes && outcome.Problem == nil:
		return action{kind: record, stage: reached(at.Step)}
	case secondHalf(at.Step) && outcome.Applied == armclient.AppliedNo && (now.State.Absent() || !sent):
		return action{kind: record, stage: guard.StageRemoved, result: code, spent: true}
	case at.Step == guard.StepRemove && now.State.Absent():
		return action{kind: record, stage: guard.StageRemoved, result: code}
	case outcome.Applied == armclient.AppliedUnknown || now.State == schemas.LinkUnknown && sent || secondHalf(at.Step):
		return action{kind: record, stage: at.Stage, result: code}
	case outcome.Applied == armclient.AppliedNo && passes(code) && at.Tries+1 < maxTries:
		return action{kind: record, stage: guard.StagePlanned, result: code, spent: true}
	default:
		return action{kind: record, stage: guard.StageFailed, result: code}
	}
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
	change := armclient.Change{Kind: armclient.ChangeCreate, PartnerID: row.PartnerID, Before: before}
	switch step {
	case guard.StepUpdate:
		change.Kind = armclient.ChangeUpdate
	case guard.StepRemove:
		change.Kind, change.PartnerID = armclient.ChangeDelete, row.Before.PartnerID
	case guard.StepRestore:
		change.PartnerID = row.Before.PartnerID
	}
	return change
}
