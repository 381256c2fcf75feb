package auditreport

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"

	"mcp-partner/schemas"
)

// markdown writes a page for a wiki or a ticket.
func (r Report) markdown(w io.Writer, rows Rows) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "# Partner links%s\n\n%s\n\n", titled(r.Run.Label, EscapeMarkdown), r.Summary)
	fmt.Fprintf(out, "Run `%s`, begun %s.\n\n", r.Run.ID, r.Info().CreatedAt)
	line(out, "State", "Rows")
	line(out, "---", "---:")
	for _, state := range r.shownTotals() {
		line(out, stateTitle(state), fmt.Sprint(r.Totals[state]))
	}
	r.markdownCauses(out)
	fmt.Fprint(out, "\n## Rows\n\n")
	titles := []string{"State", "Tenant", "Credential", "Partner ID", "Partner", "Expected", "Last written", "Labels", "Owner", "External ID", "Why unknown", "Request ID"}
	if r.company {
		titles = slices.Insert(titles, 2, "Company")
	}
	if r.Audit().Roles {
		titles = append(titles, "Eligible role in", "Roles")
	}
	line(out, titles...)
	line(out, slices.Repeat([]string{"---"}, len(titles))...)
	for row, err := range rows {
		if err != nil {
			return err
		}
		cells := []string{stateOf(row), EscapeMarkdown(row.Tenant), EscapeMarkdown(row.Credential), row.PartnerID, EscapeMarkdown(row.PartnerName),
			row.ExpectedPartnerID, day(row.UpdatedTime), EscapeMarkdown(strings.Join(row.Labels, ", ")), EscapeMarkdown(row.Owner),
			EscapeMarkdown(row.ExternalID), EscapeMarkdown(why(row)), EscapeMarkdown(row.Problem.RequestID())}
		if r.company {
			cells = slices.Insert(cells, 2, EscapeMarkdown(row.Company))
		}
		if r.Audit().Roles {
			cells = append(cells, eligibleIn(row), EscapeMarkdown(heldRoles(row)))
		}
		line(out, cells...)
	}
	return out.Flush()
}

func (r Report) markdownCauses(out io.Writer) {
	if len(r.Causes) == 0 {
		return
	}
	fmt.Fprint(out, "\n## Why rows are unknown\n\n")
	line(out, "Rows", "Problem", "Credential", "For example", "What to do")
	line(out, "---:", "---", "---", "---", "---")
	for _, c := range r.Causes {
		line(out, fmt.Sprint(c.Rows), EscapeMarkdown(string(c.Code)), EscapeMarkdown(c.Credential), EscapeMarkdown(c.Example+": "+c.Message), EscapeMarkdown(schemas.NextStep(c.Hint, c.Command)))
	}
	if n := r.OtherCauses(); n > 0 {
		fmt.Fprintf(out, "\n%s\n", furtherCauses(n))
	}
}

// furtherCauses counts unknown rows whose causes are not listed.
func furtherCauses(n int) string {
	return schemas.Count(n, "more row") + " unknown for further causes; each row says its own."
}

func line(out io.Writer, cells ...string) { fmt.Fprintf(out, "| %s |\n", strings.Join(cells, " | ")) }

// markdownSigns are characters that a renderer might read as markup, HTML
// included.
const markdownSigns = "\\`*_{}[]()<>#+-.!|~&:@"

// EscapeMarkdown escapes a text for a table. Only signs get a backslash; before
// letters it would be shown.
func EscapeMarkdown(text string) string {
	var b strings.Builder
	for _, r := range strings.Join(strings.Fields(text), " ") {
		switch {
		case r == '<':
			b.WriteString("&lt;") // renderers that keep HTML would look behind the backslash
			continue
		case strings.ContainsRune(markdownSigns, r):
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// titled adds the label of a run to a heading.
func titled(label string, escape func(string) string) string {
	if label == "" {
		return ""
	}
	return ": " + escape(label)
}

// shownTotals are the totals of a report, in the order of its rows.
func (r Report) shownTotals() []string {
	var all []string
	for _, state := range schemas.RowStates() {
		all = append(all, string(state))
	}
	all = append(all, "stale", "pending")
	if r.Audit().Roles {
		all = append(all, schemas.PECClasses()...)
	}
	return all
}

func stateTitle(state string) string {
	if title := schemas.PECClassTitle(state); title != "" {
		return title
	}
	return map[string]string{
		"not_linked": "Not linked", "deleted": "Deleted", "linked_other": "Linked to another", "linked_own": "Linked to another own ID", "unknown": "Unknown",
		"linked": "Linked", "linked_expected": "Linked as expected", "stale": "Stale (of the linked)", "pending": "No answer yet",
	}[state]
}

func stateOf(row schemas.AuditRow) string {
	if row.Stale {
		return stateTitle(string(row.State)) + ", stale"
	}
	return stateTitle(string(row.State))
}

// day is the date of an RFC 3339 time.
func day(text string) string {
	date, _, _ := strings.Cut(text, "T")
	return date
}

// why explains a row without an answer.
func why(row schemas.AuditRow) string {
	if row.Problem == nil {
		return ""
	}
	return string(row.Problem.Code) + ": " + row.Problem.Message
}
