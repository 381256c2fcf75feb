package auditreport

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"mcp-partner/internal/csvcell"
	"mcp-partner/internal/page"
	"mcp-partner/internal/phrase"
	"mcp-partner/internal/usage"
	"mcp-partner/internal/xslices"
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

type reconciliationColumn struct {
	name, title string
	value       func(usage.Row) string
}

// reconciliationColumns are those of CSV and of the page.
func reconciliationColumns() []reconciliationColumn {
	return []reconciliationColumn{
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

// CSV writes a row a subscription.
func (r Reconciliation) CSV(w io.Writer) error {
	columns, quoter := reconciliationColumns(), csvcell.New()
	return csvcell.Write(w, xslices.Map(columns, func(c reconciliationColumn) string { return c.name }), xslices.Rows(r.Rows), func(row usage.Row) []string {
		return xslices.Map(columns, func(c reconciliationColumn) string {
			text := c.value(row)
			if _, err := strconv.ParseFloat(text, 64); err == nil {
				return text // a negative amount is no formula
			}
			return quoter.Quote(text)
		})
	})
}

// JSON writes the whole reconciliation.
func (r Reconciliation) JSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

// HTML writes one self-contained page.
func (r Reconciliation) HTML(w io.Writer) error {
	foot := "A subscription needs an eligible role and a link of this identity; other identities may have them too. Made by " + r.Program + "."
	return page.File{Title: "Usage, links and roles", Lead: r.Summary, Body: []page.Node{r.totalsTable(), r.rowsTable()}, Foot: foot, Style: styleText}.Write(w)
}

func (r Reconciliation) totalsTable() page.Node {
	return page.Section("totals", "Totals", page.Listing("Totals", []string{"#Subscriptions", "What to do", "#Without credit", "#With credit", "Currency"},
		xslices.Map(r.Totals, func(t usage.Total) []page.Node {
			return xslices.Map([]string{count(t.Subscriptions), t.Action.Words(), t.WithoutCredit, t.WithCredit, t.Currency}, page.Text)
		})...))
}

func (r Reconciliation) rowsTable() page.Node {
	columns := reconciliationColumns()
	heads := xslices.Map(columns, func(c reconciliationColumn) string { return c.title })
	return page.Section("rows", "Subscriptions", page.Listing("Subscriptions", heads, xslices.Map(r.Rows, func(row usage.Row) []page.Node {
		return xslices.Map(columns, func(c reconciliationColumn) page.Node { return page.Untrusted(c.value(row)) })
	})...))
}
