package render

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mcp-partner/internal/auditreport"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/phrase"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

func writeAudit(u *term.UI, e answers.Envelope) {
	if e.Run != nil {
		WriteRun(u, e.Run)
	}
	WriteCauses(u, e.Causes)
	_ = WriteAuditRows(u, rowsAtHand(e.Rows)) // they are at hand
}

func WriteRun(u *term.UI, run *answers.RunInfo) {
	u.Field("run", strings.TrimSpace(run.ID+" "+run.Label))
	u.Field("state", fmt.Sprintf("%s, %d of %d answered", run.State, run.Answered, run.Rows))
}

func WriteCauses(u *term.UI, causes []answers.AuditCause) {
	for _, c := range causes {
		u.Blank()
		u.Linef(term.Bad, "%s unknown: %s", phrase.Count(c.Rows, "row"), c.Code)
		u.Field("credential", c.Credential)
		u.Field("example", c.Example+": "+c.Message)
		u.Field("next", c.Hint)
		u.Field("run", c.Command)
	}
}

// WriteAuditRows writes a table of rows. Untrusted texts are quoted.
func WriteAuditRows(u *term.UI, rows auditreport.Rows) error {
	return u.LongTable([]string{"STATE", "COMPANY", "DOMAIN", "TENANT", "PARTNER ID", "PARTNER", "EXPECTED", "WHY UNKNOWN", "ELIGIBLE ROLE IN", "LAST WRITTEN", "CREDENTIAL", "LABELS", "OWNER", "EXTERNAL ID", "REQUEST ID"},
		func(yield func([]string, error) bool) {
			for r, err := range rows {
				day, _, _ := strings.Cut(r.UpdatedTime, "T")
				cells := []string{StateWords(r), r.Company, r.Domain, r.Tenant, r.PartnerID, phrase.Quote(r.PartnerName), r.ExpectedPartnerID, problemCode(r.Problem), r.PECRoles.EligibleIn(),
					day, r.Credential, strings.Join(r.Labels, ", "), r.Owner, r.ExternalID, r.Problem.RequestID()}
				if !yield(cells, err) {
					return
				}
			}
		})
}

func rowsAtHand(rows []answers.AuditRow) auditreport.Rows {
	return func(yield func(answers.AuditRow, error) bool) {
		for _, row := range rows {
			if !yield(row, nil) {
				return
			}
		}
	}
}

func StateWords(r answers.AuditRow) string {
	text := phrase.Words(r.State)
	if r.Stale {
		text += ", stale"
	}
	return text
}

func problemCode(p *problems.Problem) string {
	if p == nil {
		return ""
	}
	return string(p.Code)
}

// WriteTotals writes counts, those that need attention first.
func WriteTotals(u *term.UI, totals map[string]int) {
	words := []string{"stale", "pending"}
	for _, state := range slices.Backward(answers.RowStates()) {
		words = slices.Insert(words, 0, string(state))
	}
	for _, word := range words {
		n := totals[word]
		if n == 0 {
			continue
		}
		style := cmp.Or(map[string]term.Style{string(answers.RowLinkedExpected): term.Good, string(answers.RowLinked): term.Plain, string(answers.RowUnknown): term.Bad}[word], term.Warn)
		u.Write("  " + strings.Repeat(" ", max(0, 7-len(strconv.Itoa(n)))) + u.Paint(style, strconv.Itoa(n)) + "  " + u.Paint(term.Plain, phrase.Words(word)) + "\n")
	}
}
