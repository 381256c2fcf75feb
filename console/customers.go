package console

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"mcp-partner/fleet"
	"mcp-partner/internal/auditreport"
	"mcp-partner/internal/page"
	"mcp-partner/internal/phrase"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/tools"
)

// customersShown is how many customers a page lists.
const customersShown = 500

// customers is what the table of customers shows.
type customers struct {
	query  tools.CustomerQuery
	list   []schemas.Tenant
	total  int
	audit  fleet.Run
	states map[string]answers.AuditRow // by tenant ID: the row that needs attention most
}

func (c *Console) showCustomers(v *visit) error {
	asked := v.r.URL.Query()
	from, _ := strconv.Atoi(asked.Get("from")) // what is no number is the beginning
	m := customers{query: tools.CustomerQuery{Text: asked.Get("q"), Label: asked.Get("label"), State: answers.RowState(asked.Get("state")), From: from, Limit: customersShown}}
	if err := c.loadCustomers(v, &m); err != nil {
		return err
	}
	body := []page.Node{m.search(), page.P(m.sentence())}
	if len(m.list) > 0 {
		body = append(body, m.table(), m.pages())
	}
	return v.show("Customers", body...)
}

// loadCustomers finds the customers, and how the newest audit found each.
func (c *Console) loadCustomers(v *visit, m *customers) error {
	audits, err := c.o.Service.Audits(v.r.Context(), v.by, 1)
	if err != nil {
		return err
	}
	if len(audits) > 0 {
		m.audit = audits[0]
		m.query.Audit = m.audit.ID
	} else {
		m.query.State = ""
	}
	if m.list, m.total, err = c.o.Service.Customers(v.r.Context(), v.by, m.query); err != nil || len(audits) == 0 || len(m.list) == 0 {
		return err
	}
	m.states = map[string]answers.AuditRow{}
	ids := xslices.Map(m.list, func(t schemas.Tenant) string { return t.TenantID })
	for row, err := range c.o.Fleet.Rows(v.r.Context(), m.audit.ID, fleet.RowQuery{TenantIDs: ids}) {
		if err != nil {
			return err
		}
		if known, ok := m.states[row.TenantID]; !ok || rank(row.State) < rank(known.State) {
			m.states[row.TenantID] = row
		}
	}
	return nil
}

// rank orders states, those that need attention first.
func rank(state answers.RowState) int { return slices.Index(answers.RowStates(), state) }

func (m *customers) search() page.Node {
	states := []string{"", "every state"}
	for _, state := range answers.RowStates() {
		states = append(states, string(state), stateWords(answers.AuditRow{State: state}))
	}
	return page.Search("/console/customers",
		page.Field("q", "Name, company, domain or ID", m.query.Text), page.Field("label", "Label", m.query.Label),
		page.If(m.audit.ID != "", page.Choice("state", "State", string(m.query.State), states...)))
}

func (m *customers) sentence() string {
	said := phrase.Count(m.total, "customer") + "."
	if m.total > len(m.list) && len(m.list) > 0 {
		said = fmt.Sprintf("%d to %d of %s.", m.query.From+1, m.query.From+len(m.list), phrase.Count(m.total, "customer"))
	}
	if m.audit.ID == "" {
		return said + " Nothing is known of their links yet: no audit was made."
	}
	return said + " States are those of the audit of " + m.audit.CreatedAt.UTC().Format("2006-01-02 15:04 UTC") + "."
}

func (m *customers) table() page.Node {
	rows := xslices.Map(m.list, func(t schemas.Tenant) []page.Node {
		state, expires := page.Text("-"), page.Text("")
		if row, ok := m.states[t.TenantID]; ok {
			state = stateNode(row)
		}
		if end := nearEnd(t); end != "" {
			expires = page.Group{page.State("warn", "ends "), page.TimeOf(end)}
		}
		return []page.Node{
			page.Group{customerLink(t), page.Text(" "), page.Untrusted(t.Domain())}, state, page.Untrusted(string(t.ExpectedPartnerID)), expires, page.Untrusted(strings.Join(t.Labels, ", ")),
		}
	})
	return page.Listing("Customers", []string{"Customer", "Link", "Expected", "Credential", "Labels"}, rows...)
}

// customerLink leads to a customer's page, and shows the company if there is one.
func customerLink(t schemas.Tenant) page.Node {
	return page.LinkTo(customerPath(t.Name), customer(t.Company, t.Name))
}

func customerPath(name string) string { return "/console/customers/" + url.PathEscape(name) }

// nearEnd is when the first of a tenant's credentials ends, in RFC 3339, if that is near.
func nearEnd(t schemas.Tenant) string {
	ends := xslices.Map(t.CredentialStatus, func(c answers.CredentialView) string {
		if c.Expiry == "soon" || c.Expiry == "expired" {
			return c.ExpiresAt
		}
		return ""
	})
	slices.Sort(ends)
	for _, end := range ends {
		if end != "" {
			return end
		}
	}
	return ""
}

func (m *customers) pages() page.Node {
	at := func(from int) string {
		q := url.Values{"q": {m.query.Text}, "label": {m.query.Label}, "state": {string(m.query.State)}, "from": {strconv.Itoa(max(from, 0))}}
		return "/console/customers?" + q.Encode()
	}
	return page.Row(
		page.If(m.query.From > 0, page.Link(at(m.query.From-customersShown), "Earlier")),
		page.If(m.query.From+len(m.list) < m.total, page.Link(at(m.query.From+customersShown), "Later")))
}

// stateNode is what an audit found, as a coloured word.
func stateNode(row answers.AuditRow) page.Node {
	return auditreport.State(row.State, stateWords(row))
}

// stateWords says what an audit found.
func stateWords(row answers.AuditRow) string {
	return strings.TrimSpace(auditreport.StateTitle(string(row.State)) + " " + row.PartnerID)
}
