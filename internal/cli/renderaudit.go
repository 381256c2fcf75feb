package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mcp-partner/internal/auditreport"
	"mcp-partner/schemas"
)

// audit writes what an answer holds of a run over many tenants.
func (u *ui) audit(e schemas.Envelope) {
	if e.Run != nil {
		u.run(e.Run)
	}
	u.causes(e.Causes)
	_ = u.auditRows(these(e.Rows)) // they are at hand
}

func (u *ui) run(run *schemas.RunInfo) {
	u.field("run", strings.TrimSpace(run.ID+" "+run.Label))
	u.field("state", fmt.Sprintf("%s, %d of %d answered", run.State, run.Answered, run.Rows))
}

func (u *ui) causes(causes []schemas.AuditCause) {
	for _, c := range causes {
		u.blank()
		u.linef(bad, "%s unknown: %s", count(c.Rows, "row"), c.Code)
		u.field("credential", c.Credential)
		u.field("example", c.Example+": "+c.Message)
		u.field("next", c.Hint)
		u.field("run", c.Command)
	}
}

// auditRows writes a table of rows. Texts of the far side stand in quotes.
func (u *ui) auditRows(rows auditreport.Rows) error {
	return u.longTable([]string{"STATE", "TENANT", "CREDENTIAL", "PARTNER ID", "PARTNER", "EXPECTED", "LAST WRITTEN", "LABELS", "OWNER", "EXTERNAL ID", "WHY UNKNOWN", "REQUEST ID"},
		func(yield func([]string, error) bool) {
			for r, err := range rows {
				cells := []string{stateWords(r), r.Tenant, r.Credential, r.PartnerID, quoted(r.PartnerName), r.ExpectedPartnerID,
					day(r.UpdatedTime), strings.Join(r.Labels, ", "), r.Owner, r.ExternalID, problemCode(r.Problem), r.Problem.RequestID()}
				if !yield(cells, err) {
					return
				}
			}
		})
}

// these are rows that are at hand.
func these(rows []schemas.AuditRow) auditreport.Rows {
	return func(yield func(schemas.AuditRow, error) bool) {
		for _, row := range rows {
			if !yield(row, nil) {
				return
			}
		}
	}
}

func stateWords(r schemas.AuditRow) string {
	text := strings.ReplaceAll(string(r.State), "_", " ")
	if r.Stale {
		text += ", stale"
	}
	return text
}

// day is the date of an RFC 3339 time.
func day(text string) string {
	date, _, _ := strings.Cut(text, "T")
	return date
}

func problemCode(p *schemas.Problem) string {
	if p == nil {
		return ""
	}
	return string(p.Code)
}

// totals writes counts, those that need attention first.
func (u *ui) totals(totals map[string]int) {
	words := []string{"stale", "pending"}
	for _, state := range slices.Backward(schemas.RowStates()) {
		words = slices.Insert(words, 0, string(state))
	}
	for _, word := range words {
		n := totals[word]
		if n == 0 {
			continue
		}
		style := cmp.Or(map[string]style{string(schemas.RowLinkedExpected): good, string(schemas.RowLinked): plain, string(schemas.RowUnknown): bad}[word], warn)
		u.write("  " + strings.Repeat(" ", max(0, 7-len(strconv.Itoa(n)))) + u.paint(style, strconv.Itoa(n)) + "  " + u.paint(plain, strings.ReplaceAll(word, "_", " ")) + "\n")
	}
}
