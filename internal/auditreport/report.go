// Package auditreport writes what an audit found for people and programs: CSV, JSON
// lines, Markdown, and one self-contained HTML file. Each format escapes names
// from Azure and operators.
package auditreport

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
	"time"

	"mcp-partner/fleet"
	"mcp-partner/internal/csvcell"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

// Rows are the rows of a report, in order.
type Rows = iter.Seq2[answers.AuditRow, error]

// Format is a kind of file.
type Format string

// The formats of this package.
const (
	CSV      Format = "csv"
	JSONL    Format = "jsonl"
	Markdown Format = "markdown"
	HTML     Format = "html"
)

// Report is what is written.
type Report struct {
	fleet.Report
	// Summary is the sentence that says what was found.
	Summary string
	// Program is the name and version of the program.
	Program string
	// Known finds who knows of the state of a row.
	Known fleet.Known
	// shown are the columns for people, alike what every row has in common.
	shown []personColumn
	alike []string
}

// Write writes a report. For people it goes over the rows twice: the first time to
// see in which columns they differ. It keeps none.
func (r Report) Write(w io.Writer, format Format, rows Rows) (err error) {
	switch format {
	case CSV:
		return r.csv(w, rows)
	case JSONL:
		return r.jsonl(w, rows)
	case Markdown, HTML:
		if r.shown, r.alike, err = r.differing(rows); err != nil {
			return err
		}
		if format == Markdown {
			return r.markdown(w, rows)
		}
		return r.html(w, rows)
	default:
		return fmt.Errorf("no such format: %s", format)
	}
}

// column is one column of CSV.
type column struct {
	name  string
	value func(answers.AuditRow) string
}

// columns are those of every audit, and behind them those of roles.
func (r Report) columns() []column {
	all := columns()
	if r.Audit().Roles {
		all = append(all, roleColumns()...)
	}
	known := func(value func(*fleet.Acknowledgement) string) func(answers.AuditRow) string {
		return of(func(row answers.AuditRow) *fleet.Acknowledgement { return r.Known(&row) }, value)
	}
	return append(all,
		column{"acknowledged_until", known(func(a *fleet.Acknowledgement) string { return a.Until.UTC().Format(time.DateOnly) })},
		column{"acknowledged_owner", known(func(a *fleet.Acknowledgement) string { return a.Owner })},
		column{"acknowledged_note", known(func(a *fleet.Acknowledgement) string { return a.Note })})
}

// of is what a value says of a part that not every row has.
func of[P any](part func(answers.AuditRow) *P, value func(*P) string) func(answers.AuditRow) string {
	return func(row answers.AuditRow) string {
		if p := part(row); p != nil {
			return value(p)
		}
		return ""
	}
}

func columns() []column {
	return []column{
		{"company", func(r answers.AuditRow) string { return r.Company }},
		{"domain", func(r answers.AuditRow) string { return r.Domain }},
		{"tenant", func(r answers.AuditRow) string { return r.Tenant }},
		{"state", func(r answers.AuditRow) string { return string(r.State) }},
		{"stale", func(r answers.AuditRow) string { return map[bool]string{true: "yes"}[r.Stale] }},
		{"tenant_id", func(r answers.AuditRow) string { return r.TenantID }},
		{"credential", func(r answers.AuditRow) string { return r.Credential }},
		{"object_id", func(r answers.AuditRow) string { return r.ObjectID }},
		{"cloud", func(r answers.AuditRow) string { return r.Cloud }},
		{"partner_id", func(r answers.AuditRow) string { return r.PartnerID }},
		{"partner_name", func(r answers.AuditRow) string { return r.PartnerName }},
		{"expected_partner_id", func(r answers.AuditRow) string { return r.ExpectedPartnerID }},
		{"updated_time", func(r answers.AuditRow) string { return r.UpdatedTime }},
		{"labels", func(r answers.AuditRow) string { return strings.Join(r.Labels, "; ") }},
		{"owner", func(r answers.AuditRow) string { return r.Owner }},
		{"external_id", func(r answers.AuditRow) string { return r.ExternalID }},
		{"checked_at", func(r answers.AuditRow) string { return r.CheckedAt }},
		{"problem_code", ofProblem(func(p *problems.Problem) string { return string(p.Code) })},
		{"problem_message", ofProblem(func(p *problems.Problem) string { return p.Message })},
		{"problem_hint", ofProblem(func(p *problems.Problem) string { return problems.NextStep(p.Hint, p.Command) })},
		{"foreign_code", ofProblem(func(p *problems.Problem) string { return p.ForeignCode })},
		{"arm_request_id", ofProblem(func(p *problems.Problem) string { return p.ARMRequestID })},
		{"correlation_id", ofProblem(func(p *problems.Problem) string { return p.CorrelationID })},
	}
}

func ofProblem(value func(*problems.Problem) string) func(answers.AuditRow) string {
	return of(func(r answers.AuditRow) *problems.Problem { return r.Problem }, value)
}

// roleColumns are the columns of an audit that read roles.
func roleColumns() []column {
	count := func(n func(answers.PECCounts) int) func(answers.AuditRow) string {
		return ofRoles(func(r *answers.PECRoles) string { return strconv.Itoa(n(r.Verdicts)) })
	}
	return []column{
		{"pec_class", func(r answers.AuditRow) string { return r.PECClass() }},
		{"pec_subscriptions", count(func(c answers.PECCounts) int { return c.Subscriptions })},
		{"pec_eligible_role", count(func(c answers.PECCounts) int { return c.EligibleRole })},
		{"pec_partial", count(func(c answers.PECCounts) int { return c.Partial })},
		{"pec_no_eligible_role", count(func(c answers.PECCounts) int { return c.NoEligibleRole })},
		{"pec_unlisted_role", count(func(c answers.PECCounts) int { return c.UnlistedRole })},
		{"pec_unknown", count(func(c answers.PECCounts) int { return c.Unknown })},
		{"pec_reason", ofRoles(func(r *answers.PECRoles) string { return r.Reason })},
		{"pec_held", heldRoles},
		{"pec_list_date", ofRoles(func(r *answers.PECRoles) string { return r.ListDate })},
	}
}

func ofRoles(value func(*answers.PECRoles) string) func(answers.AuditRow) string {
	return of(func(r answers.AuditRow) *answers.PECRoles { return r.PECRoles }, value)
}

func heldRoles(r answers.AuditRow) string {
	return ofRoles(func(r *answers.PECRoles) string { return strings.Join(r.Held, "; ") })(r)
}

// eligibleIn is a count, such as 3 of 4; an audit with roles may have read none of a row.
func eligibleIn(r answers.AuditRow) string { return cmp.Or(r.PECRoles.EligibleIn(), "not read") }

func (r Report) csv(w io.Writer, rows Rows) error {
	all, quoter := r.columns(), csvcell.New()
	return csvcell.Write(w, xslices.Map(all, func(c column) string { return c.name }), rows, func(row answers.AuditRow) []string {
		return xslices.Map(all, func(c column) string { return quoter.Quote(c.value(row)) })
	})
}

// jsonl writes a row as a line of JSON, in the shape of the tool's answer, and who
// knows of it.
func (r Report) jsonl(w io.Writer, rows Rows) error {
	encoder := json.NewEncoder(w)
	for row, err := range rows {
		if err != nil {
			return err
		}
		line := struct {
			answers.AuditRow
			Acknowledged *fleet.Acknowledgement `json:"acknowledged,omitempty"`
		}{row, r.Known(&row)}
		if err := encoder.Encode(line); err != nil {
			return err
		}
	}
	return nil
}
