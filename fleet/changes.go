package fleet

import (
	"fmt"
	"slices"
	"strings"

	"mcp-partner/guard"
	"mcp-partner/guard/runs"
	"mcp-partner/internal/phrase"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/partnerid"
	"mcp-partner/schemas/problems"
)

// Changes shows a plan or a run, row by row in the order of the plan. Progress
// is nil for a plan; notes say why rows were left as they stand.
func Changes(plan guard.Plan, progress map[int]guard.Progress, notes map[int]problems.Code) []answers.ChangeRow {
	rows := make([]answers.ChangeRow, len(plan.Rows))
	for i, row := range plan.Rows {
		rows[i] = change(plan, row)
		if len(row.Steps) > 0 && progress != nil {
			follow(&rows[i], row, progress[i])
		}
		if code := notes[i]; code != "" && !progress[i].Stage.Final() {
			rows[i].Problem = code
		}
	}
	return rows
}

// change is a row as the plan has it.
func change(plan guard.Plan, row guard.PlanRow) answers.ChangeRow {
	c := answers.ChangeRow{
		Company: row.Company, Domain: row.Domain, Tenant: row.Identity.Tenant, TenantID: row.Identity.TenantID, Credential: row.Identity.Credential, ObjectID: row.Identity.ObjectID,
		State: answers.ChangePlanned, Before: linkOf(row.Before, row), PartnerID: string(row.PartnerID), Rule: row.Rule, Warning: row.Warning,
		Problem: row.Problem,
	}
	for _, step := range row.Steps {
		c.Steps = append(c.Steps, string(step))
	}
	if len(row.Steps) == 0 {
		c.State, c.Why = answers.ChangeState(row.Finding), why(plan, row)
	}
	return c
}

// why says of a row that is only listed what is so, and who could change it.
func why(plan guard.Plan, row guard.PlanRow) string {
	switch row.Finding {
	case guard.FindingUnchanged:
		if row.Expected != "" && row.Expected != row.PartnerID {
			return fmt.Sprintf("This ID is linked already; the directory expects %s here.", row.Expected)
		}
		return "This ID is linked already."
	case guard.FindingLinkedOther, guard.FindingLinkedOwn:
		return whyAnother(plan, row)
	case guard.FindingNotLinked:
		return "This identity has no link here. If another partner's identity has one, only that identity can remove it; ensure_partner_links registers one for this identity."
	case guard.FindingUnknown:
		return "The link is unknown, so nothing is written."
	case guard.FindingBeyondFirst:
		return "The plan covers fewer rows; writing here needs another plan and approval."
	case guard.FindingNothingExpected:
		return "No partner ID was given, and the directory has no expected one."
	default:
		return "The rule " + row.Rule + " denies it."
	}
}

// whyAnother says of a row with another ID whether that is the partner's own.
func whyAnother(plan guard.Plan, row guard.PlanRow) string {
	held := row.Before.PartnerID
	if row.Finding == guard.FindingLinkedOwn {
		held += ", another of your own IDs"
	}
	if plan.Tool == schemas.ToolTransitionPartner {
		return fmt.Sprintf("This identity is linked to %s, not to %s. If another identity has an old ID, only that identity can remove it.", held, partnerid.Join(plan.From, " or "))
	}
	return fmt.Sprintf("This identity is linked to %s, and registering never overwrites; transition_partner moves a link.", held)
}

// follow adds where a row of a run stands.
func follow(c *answers.ChangeRow, row guard.PlanRow, at guard.Progress) {
	c.State, c.Problem = stateOf(at.Stage), problems.Code(at.Result)
	c.ARMRequestID, c.CorrelationID = at.ARMRequestID, at.CorrelationID
	if at.Revision > 0 && at.Snapshot.State != "" {
		c.After = linkOf(at.Snapshot, row)
	}
	c.Why = told(row, at)
}

func stateOf(stage runs.Stage) answers.ChangeState {
	switch {
	case stage == runs.StagePlanned:
		return answers.ChangeWaiting
	case stage.Final():
		return answers.ChangeState(stage)
	default:
		return answers.ChangeUnfinished
	}
}

// told says of a row that has begun what a person has to know.
func told(row guard.PlanRow, at guard.Progress) string {
	switch at.Stage {
	case runs.StageStranded:
		return fmt.Sprintf("There is no link now: %s was removed, %s was refused, and %s could not be restored. Resume the run to try both again while its approval is valid; later, register one of them.",
			row.Before.PartnerID, row.PartnerID, row.Before.PartnerID)
	case runs.StageRestored:
		return strings.TrimSpace(fmt.Sprintf("%s was refused, and %s was restored. %s", row.PartnerID, row.Before.PartnerID, doubt(row, at)))
	case runs.StageSkipped:
		return "Nothing was written: the link has changed since the plan was made."
	case runs.StageFailed:
		return "The write failed. Now: " + at.Snapshot.String() + "."
	case runs.StagePlanned:
		return "Not begun; the run may still get to it."
	case runs.StageDone:
		return doubt(row, at)
	case runs.StageRemoved, runs.StageReplacing, runs.StageRestoring, runs.StageRemoving:
		return "Begun and not finished; there may be no link now. The next start continues, or resume the run."
	default:
		return "Begun, with an unknown outcome. The next start checks it, or resume the run."
	}
}

// doubt reports, for a row that was written, what others did or may have done
// between two writes of this run. Versions show it, because each write adds
// one. A lower version shows nothing: a provider may start counting again with
// a new link.
func doubt(row guard.PlanRow, at guard.Progress) string {
	visible := row.Before.Version >= 0 && at.Snapshot.Version >= 0
	rose, ours := at.Snapshot.Version-row.Before.Version, int64(len(row.Steps))
	switch {
	case visible && rose > ours:
		return fmt.Sprintf("The link was written %d times, but this run wrote %d times: someone else wrote in between.", rose, ours)
	case at.Unseen && (!visible || rose != ours):
		return "An earlier write of this run had no visible effect, so it was repeated. Either it never arrived, or someone removed the link in between."
	default:
		return ""
	}
}

func linkOf(seen guard.LinkSnapshot, row guard.PlanRow) *answers.Link {
	link := &answers.Link{State: seen.State, PartnerID: seen.PartnerID}
	if seen.Version >= 0 {
		link.Version = new(seen.Version)
	}
	if seen == row.Before {
		link.PartnerName, link.UpdatedTime = row.LinkedName, row.LinkedSince
	}
	if seen.State == answers.LinkUnknown {
		link.Reason = row.Problem
	}
	return link
}

// Totals counts rows by state.
func Totals(rows []answers.ChangeRow) map[string]int {
	totals := map[string]int{"tenants": len(rows)}
	for _, row := range rows {
		totals[string(row.State)]++
	}
	return totals
}

// SortChanges orders rows: those that need a person first.
func SortChanges(rows []answers.ChangeRow) {
	order := answers.ChangeStates()
	slices.SortStableFunc(rows, func(a, b answers.ChangeRow) int {
		return slices.Index(order, a.State) - slices.Index(order, b.State)
	})
}

// stateWords words a state behind a number.
var stateWords = strings.NewReplacer("linked_other", "linked to another ID", "linked_own", "linked to another of your own IDs",
	"nothing_expected", "without an expected ID", "_", " ")

// Headline says what a run came to in one sentence, and first of all which
// tenants have no link any more.
func Headline(rows []answers.ChangeRow) string {
	totals := Totals(rows)
	var parts []string
	for _, state := range answers.ChangeStates() {
		if n := totals[string(state)]; n > 0 && state != answers.ChangeStranded {
			parts = append(parts, fmt.Sprintf("%d %s", n, stateWords.Replace(string(state))))
		}
	}
	text := fmt.Sprintf("%s: %s.", phrase.Count(len(rows), "row"), strings.Join(parts, ", "))
	if names := without(rows); len(names) > 0 {
		return fmt.Sprintf("STRANDED: %d without a link now: %s. Of %s", len(names), strings.Join(names, ", "), text)
	}
	return text
}

// without names the tenants that lost their link in a run and got none.
func without(rows []answers.ChangeRow) []string {
	var names []string
	for _, row := range rows {
		if row.State == answers.ChangeStranded || (row.State == answers.ChangeUnfinished || row.State == answers.ChangeFailed) && lost(row) {
			names = append(names, row.Tenant)
		}
	}
	return phrase.Some(names, 20)
}

// lost reports whether a link that was there is gone, as far as is known.
func lost(row answers.ChangeRow) bool {
	return row.Before != nil && row.Before.State == answers.LinkLinked && row.After != nil && row.After.State.Absent()
}

// WrittenFirst orders the rows of a plan for the approver: rows that would be
// written come first.
func WrittenFirst(rows []answers.ChangeRow) {
	SortChanges(rows)
	slices.SortStableFunc(rows, func(a, b answers.ChangeRow) int { return min(len(b.Steps), 1) - min(len(a.Steps), 1) })
}
