package auditreport

import (
	"strings"
	"time"

	"mcp-partner/internal/page"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

// personColumn is a column of Markdown and HTML.
type personColumn struct {
	title string
	text  func(answers.AuditRow) string
	// cell is the column in HTML; nil shows the text, IDs and dates unbroken.
	cell func(answers.AuditRow) page.Node
}

// of is the cell of a row.
func (c personColumn) of(row answers.AuditRow) page.Node {
	if c.cell != nil {
		return c.cell(row)
	}
	return page.Untrusted(c.text(row))
}

func (r Report) personColumns() []personColumn {
	all := []personColumn{
		{"State", stateOf, stateCell},
		{"Company", func(r answers.AuditRow) string { return r.Company }, nil},
		{"Domain", func(r answers.AuditRow) string { return r.Domain }, nil},
		{"Tenant", func(r answers.AuditRow) string { return r.Tenant }, tenantCell},
		{"Partner ID", partnerID, unbroken(partnerID)},
		{"Partner", func(r answers.AuditRow) string { return r.PartnerName }, nil},
		{"Expected", expectedID, unbroken(expectedID)},
		{"Last written", lastWritten, unbroken(lastWritten)},
		{"Labels", func(r answers.AuditRow) string { return strings.Join(r.Labels, ", ") }, labelsCell},
		{"Owner", func(r answers.AuditRow) string { return r.Owner }, nil},
		{"External ID", func(r answers.AuditRow) string { return r.ExternalID }, nil},
		{"Credential", func(r answers.AuditRow) string { return r.Credential }, nil},
		{"Acknowledged", r.acknowledged, nil},
		{"Why unknown", why, whyCell},
		{"Request ID", func(r answers.AuditRow) string { return r.Problem.RequestID() }, nil},
	}
	if r.Audit().Roles {
		all = append(all, personColumn{"Eligible role in", eligibleIn, nil}, personColumn{"Roles", heldRoles, nil})
	}
	return all
}

// acknowledged says until when nobody has to look at a row, and why.
func (r Report) acknowledged(row answers.AuditRow) string {
	a := r.Known(&row)
	if a == nil {
		return ""
	}
	return strings.TrimSuffix("until "+a.Until.UTC().Format(time.DateOnly)+", "+a.Owner, ", ") + ": " + a.Note
}

func partnerID(r answers.AuditRow) string  { return r.PartnerID }
func expectedID(r answers.AuditRow) string { return r.ExpectedPartnerID }

// lastWritten is the date of an RFC 3339 time.
func lastWritten(r answers.AuditRow) string {
	date, _, _ := strings.Cut(r.UpdatedTime, "T")
	return date
}

// unbroken is a cell whose text stays on one line.
func unbroken(value func(answers.AuditRow) string) func(answers.AuditRow) page.Node {
	return func(r answers.AuditRow) page.Node { return page.El("span", page.Class("id"), page.Text(value(r))) }
}

// fewRows is up to how many rows a report repeats what is the same in all.
const fewRows = 2

// differing returns the columns in which rows differ, and what the others say in
// every row. Columns that are empty everywhere are left out.
func (r Report) differing(rows Rows) (shown []personColumn, alike []string, err error) {
	all := r.personColumns()
	first, differs, n := make([]string, len(all)), make([]bool, len(all)), 0
	for row, err := range rows {
		if err != nil {
			return nil, nil, err
		}
		n++
		for i, c := range all {
			text := c.text(row)
			if n == 1 {
				first[i] = text
			}
			differs[i] = differs[i] || text != first[i]
		}
	}
	for i, c := range all {
		switch {
		case differs[i], n <= fewRows && first[i] != "", c.title == "Tenant", c.title == "State":
			shown = append(shown, c)
		case first[i] != "":
			alike = append(alike, c.title+": "+first[i])
		}
	}
	return shown, alike, nil
}

func stateCell(row answers.AuditRow) page.Node { return State(row.State, stateOf(row)) }

// State is a word in the colour of a state, which says nothing that the word does not.
func State(state answers.RowState, word string) page.Node {
	return page.El("span", page.Class("tag s-"+string(state)), dot(), page.Text(word))
}

func tenantCell(row answers.AuditRow) page.Node {
	return page.El("span", page.Untrusted(row.Tenant), page.El("small", page.Class("guid"), page.Text(row.TenantID)))
}

func labelsCell(row answers.AuditRow) page.Node {
	return page.El("span", page.Each(row.Labels, func(label string) page.Node {
		return page.Group{page.El("span", page.Class("label"), page.Untrusted(label)), page.Text(" ")}
	}))
}

func whyCell(row answers.AuditRow) page.Node {
	if row.Problem == nil {
		return nil
	}
	return page.El("span", page.El("span", page.Class("why"), page.Text(why(row))), page.El("small", page.Text(problems.NextStep(row.Problem.Hint, row.Problem.Command))))
}

// why explains a row without an answer.
func why(row answers.AuditRow) string {
	if row.Problem == nil {
		return ""
	}
	return string(row.Problem.Code) + ": " + row.Problem.Message
}

// title names the run, its date and the partner IDs that it is about.
func (r Report) title() string {
	text := "Partner links, " + r.Run.CreatedAt.UTC().Format("2 January 2006")
	if r.Run.Label != "" {
		text += ": " + r.Run.Label
	}
	if which, ids := r.partnerIDs(); ids != "" {
		text += " (" + which + " " + ids + ")"
	}
	return text
}

// partnerIDs are those that the run compared links with.
func (r Report) partnerIDs() (which, ids string) {
	audit := r.Audit()
	if len(audit.OwnIDs) > 0 {
		return "own ID", strings.Join(audit.OwnIDs, ", ")
	}
	return "expected ID", strings.Join(audit.ExpectedIDs, ", ")
}

// stamp is a time for people.
func stamp(at time.Time) string { return at.UTC().Format("2 January 2006, 15:04 UTC") }

// stateWords are the title of a total and what it means.
func stateWords(state string) (title, meaning string) {
	words := map[string][2]string{
		"not_linked":      {"Not linked", "no partner ID is linked to this identity"},
		"deleted":         {"Deleted", "a link was there and is deleted"},
		"linked_other":    {"Linked to another", "a partner ID is linked that is neither the expected one nor one of yours"},
		"linked_own":      {"Linked to another own ID", "one of your partner IDs is linked, and not the one expected there"},
		"unknown":         {"Unknown", "the link could not be read; unknown is not missing"},
		"linked":          {"Linked", "a partner ID is linked; which IDs are yours is not known"},
		"linked_expected": {"Linked as expected", "the expected partner ID is linked"},
		"stale":           {"Stale (of the linked)", "the link was last written before the limit"},
		"pending":         {"No answer yet", "the run has not asked yet"},
	}[state]
	if words[0] == "" {
		return answers.PECClassTitle(state), ""
	}
	return words[0], words[1]
}

// StateTitle is a state, or another total, in words; what it means is in the report.
func StateTitle(state string) string {
	title, _ := stateWords(state)
	return title
}

func stateOf(row answers.AuditRow) string {
	if row.Stale {
		return StateTitle(string(row.State)) + ", stale"
	}
	return StateTitle(string(row.State))
}

// totalsShown are the totals that occur, in the order of the rows.
func (r Report) totalsShown() (found []string) {
	all := xslices.Map(answers.RowStates(), func(state answers.RowState) string { return string(state) })
	all = append(all, "stale", pending)
	if r.Audit().Roles {
		all = append(all, answers.PECClasses()...)
	}
	for _, state := range all {
		if r.Totals[state] > 0 {
			found = append(found, state)
		}
	}
	return found
}
