package auditreport

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/html"

	"mcp-partner/internal/phrase"
	"mcp-partner/internal/usage"
)

// Reconciliation is billed usage beside links and roles.
type Reconciliation struct {
	Summary string        `json:"summary"`
	Totals  []usage.Total `json:"totals"`
	Rows    []usage.Row   `json:"rows"`
	Program string        `json:"program"`
}

// NewReconciliation joins a file with what is known.
func NewReconciliation(file usage.File, facts map[string]usage.Facts, program string) Reconciliation {
	rows := usage.Reconcile(file, facts)
	r := Reconciliation{Rows: rows, Totals: usage.Totals(rows), Program: program}
	todo := 0
	for _, row := range rows {
		if row.Action != usage.InOrder {
			todo++
		}
	}
	r.Summary = fmt.Sprintf("%s of usage in %s: %d need action. Microsoft decides about credit; usage is about two days late.",
		phrase.Count(file.Lines, "line"), phrase.Count(len(rows), "subscription"), todo)
	return r
}

// Kept is what agents may read of a reconciliation: totals without a name.
type Kept struct {
	At      string        `json:"at"`
	Summary string        `json:"summary"`
	Totals  []usage.Total `json:"totals"`
}

// Kept returns what is kept on request.
func (r Reconciliation) Kept(at time.Time) Kept {
	return Kept{At: at.UTC().Format(time.RFC3339), Summary: r.Summary, Totals: r.Totals}
}

// reconciliationColumns are those of CSV and of the page.
func reconciliationColumns() []struct {
	name, title string
	value       func(usage.Row) string
} {
	type column = struct {
		name, title string
		value       func(usage.Row) string
	}
	return []column{
		{"company", "Company", func(r usage.Row) string { return r.Company }},
		{"domain", "Domain", func(r usage.Row) string { return r.Domain }},
		{"action", "Action", func(r usage.Row) string { return string(r.Action) }},
		{"what_to_do", "What to do", func(r usage.Row) string { return r.What }},
		{"tenant", "Tenant", func(r usage.Row) string { return r.Tenant }},
		{"tenant_id", "Tenant ID", func(r usage.Row) string { return r.TenantID }},
		{"subscription", "Subscription", func(r usage.Row) string { return r.Name }},
		{"subscription_id", "Subscription ID", func(r usage.Row) string { return r.SubscriptionID }},
		{"cost_without_credit", "Without credit", func(r usage.Row) string { return r.WithoutCredit }},
		{"cost_with_credit", "With credit", func(r usage.Row) string { return r.WithCredit }},
		{"cost_excluded", "Never with credit", func(r usage.Row) string { return r.Excluded }},
		{"currency", "Currency", func(r usage.Row) string { return r.Currency }},
		{"lines", "Lines", func(r usage.Row) string { return strconv.Itoa(r.Lines) }},
		{"link", "Link", func(r usage.Row) string { return string(r.Link) }},
		{"partner_id", "Partner ID", func(r usage.Row) string { return r.PartnerID }},
		{"roles", "Roles", func(r usage.Row) string { return string(r.Verdict) }},
		{"why", "Rests on", func(r usage.Row) string { return r.Why }},
		{"arm_request_ids", "Request IDs", func(r usage.Row) string { return strings.Join(r.RequestIDs, " ") }},
	}
}

// CSV writes a row a subscription; cell escapes a text for a spreadsheet.
func (r Reconciliation) CSV(w io.Writer, cell func(string) string) error {
	writer := csv.NewWriter(w)
	writer.UseCRLF = true
	columns := reconciliationColumns()
	record := make([]string, len(columns))
	for i, c := range columns {
		record[i] = c.name
	}
	if err := writer.Write(record); err != nil {
		return err
	}
	for _, row := range r.Rows {
		for i, c := range columns {
			record[i] = c.value(row)
			if _, err := strconv.ParseFloat(record[i], 64); err != nil {
				record[i] = cell(record[i]) // a negative amount is no formula
			}
		}
		if err := writer.Write(record); err != nil {
			return err
		}
	}
	writer.Flush()
	return writer.Error()
}

// JSON writes the whole reconciliation.
func (r Reconciliation) JSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

// HTML writes one self-contained page.
func (r Reconciliation) HTML(w io.Writer) error {
	const title = "Usage, links and roles"
	head := el("head", nil,
		el("meta", at("charset", "utf-8")), el("meta", at("http-equiv", "Content-Security-Policy", "content", policy())),
		el("meta", at("name", "viewport", "content", "width=device-width, initial-scale=1")), el("meta", at("name", "referrer", "content", "no-referrer")),
		el("meta", at("name", "color-scheme", "content", "light dark")), said("title", "", title), said("style", "", styleText))
	body := el("body", nil, el("header", nil, said("h1", "", title), said("p", "lead", r.Summary)),
		el("main", nil, r.totalsTable(), r.rowsTable()),
		el("footer", nil, said("p", "", "A subscription needs an eligible role and a link of this identity; other identities may have them too. Made by "+r.Program+".")))
	if _, err := io.WriteString(w, "<!DOCTYPE html>\n"); err != nil {
		return err
	}
	return html.Render(w, el("html", at("lang", "en"), head, body))
}

func (r Reconciliation) totalsTable() *html.Node {
	body := el("tbody", nil)
	for _, t := range r.Totals {
		body.AppendChild(el("tr", nil, said("td", "number", count(t.Subscriptions)), said("td", "", t.Action.Words()),
			said("td", "number", t.WithoutCredit), said("td", "number", t.WithCredit), said("td", "", t.Currency)))
	}
	return simpleTable("totals", "Totals", []string{"Subscriptions", "What to do", "Without credit", "With credit", "Currency"}, body)
}

func (r Reconciliation) rowsTable() *html.Node {
	columns, body := reconciliationColumns(), el("tbody", nil)
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.title
	}
	for _, row := range r.Rows {
		line := el("tr", nil)
		for _, c := range columns {
			line.AppendChild(el("td", nil, foreign(c.value(row))))
		}
		body.AppendChild(line)
	}
	return simpleTable("rows", "Subscriptions", names, body)
}

// simpleTable is a section with one table.
func simpleTable(id, title string, names []string, body *html.Node) *html.Node {
	head := el("tr", nil)
	for _, name := range names {
		head.AppendChild(el("th", at("scope", "col"), text(name)))
	}
	return el("section", at("aria-labelledby", id), el("h2", at("id", id), text(title)),
		el("div", at("class", "scroll"), el("table", at("class", "causes"), el("thead", nil, head), body)))
}
