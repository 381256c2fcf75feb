package console

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"mcp-partner/access"
	"mcp-partner/fleet"
	"mcp-partner/guard"
	"mcp-partner/internal/page"
	"mcp-partner/internal/xslices"
	"mcp-partner/ledger"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
)

const (
	// entriesShown and auditsShown bound the history on a customer's page.
	entriesShown = 50
	auditsShown  = 26
)

// moment is one line of a customer's history.
type moment struct {
	at   time.Time
	what page.Node
}

func (c *Console) showCustomer(v *visit) error {
	t, err := c.o.Service.Customer(v.r.Context(), v.by, v.r.PathValue("name"))
	if err != nil {
		return err
	}
	history, last, err := c.history(v, t)
	if err != nil {
		return err
	}
	return v.show(named(t), customerFacts(t), c.identities(v, t, last), c.actions(v, t), historyNode(history))
}

// named is a customer for a title.
func named(t schemas.Tenant) string {
	if t.Company == "" {
		return t.Name
	}
	return t.Company
}

func customerFacts(t schemas.Tenant) page.Node {
	facts := []page.Node{page.Text("Tenant"), page.Untrusted(t.Name), page.Text("Tenant ID"), page.Text(t.TenantID)}
	for _, fact := range []struct{ label, value string }{
		{"Domains", strings.Join(t.Domains, ", ")}, {"Expected partner ID", string(t.ExpectedPartnerID)},
		{"Labels", strings.Join(t.Labels, ", ")}, {"Owner", t.Owner}, {"External ID", t.ExternalID}, {"Note", t.Note},
	} {
		if fact.value != "" {
			facts = append(facts, page.Text(fact.label), page.Untrusted(fact.value))
		}
	}
	return page.Facts(facts...)
}

// identities are the credentials of a customer, with the link that the newest audit
// found for each.
func (c *Console) identities(v *visit, t schemas.Tenant, last map[string]answers.AuditRow) page.Node {
	rows := xslices.Map(t.CredentialStatus, func(s answers.CredentialView) []page.Node {
		link, checked := page.Text("-"), page.Text("-")
		if row, ok := last[s.Name]; ok {
			link, checked = linkNode(row), page.TimeOf(row.CheckedAt)
		}
		return []page.Node{page.Untrusted(s.Name), link, checked, credentialState(s)}
	})
	if len(rows) == 0 {
		return page.Section("identities", "Identities", page.P("This customer has no credential, so nothing can be checked. Ask the operator of this server to add one."))
	}
	return page.Section("identities", "Identities",
		page.P("A link belongs to one identity. Others in the same tenant may have links of their own."),
		page.Listing("Identities", []string{"Credential", "Link", "Checked", "Credential's state"}, rows...))
}

// linkNode is what an audit found of one identity, and why it does not know.
func linkNode(row answers.AuditRow) page.Node {
	found := page.Group{stateNode(row)}
	if row.PartnerName != "" {
		found = append(found, page.Text(" "), page.Untrusted(row.PartnerName))
	}
	if row.Problem != nil {
		found = append(found, page.Problem(row.Problem.Message, row.Problem.Hint, row.Problem.Command))
	}
	return found
}

func credentialState(s answers.CredentialView) page.Node {
	state := page.Group{page.Text(s.Kind)}
	switch s.Expiry {
	case "expired":
		state = append(state, page.Text(", "), page.State("bad", "ended "), page.TimeOf(s.ExpiresAt))
	case "soon":
		state = append(state, page.Text(", "), page.State("warn", "ends "), page.TimeOf(s.ExpiresAt))
	case "valid":
		state = append(state, page.Text(", until "), page.TimeOf(s.ExpiresAt))
	}
	if s.LastFailure > s.LastSuccess { // RFC 3339 in UTC sorts as time does
		state = append(state, page.Text(", "), page.State("bad", "last sign-in failed "), page.TimeOf(s.LastFailure))
	}
	return state
}

// history is what the record and the audits tell of a customer, newest first, and what
// the newest audit found by credential. A state that the audit before had as well is no
// news.
func (c *Console) history(v *visit, t schemas.Tenant) (found []moment, last map[string]answers.AuditRow, err error) {
	ctx := v.r.Context()
	events, err := c.o.Record.List(ctx, ledger.Filter{Tenant: t.TenantID, NewestFirst: true, Limit: entriesShown})
	if err != nil {
		return nil, nil, err
	}
	for _, e := range events {
		found = append(found, moment{e.Time, eventNode(e)})
	}
	audits, err := c.o.Service.Audits(ctx, v.by, auditsShown)
	if err != nil {
		return nil, nil, err
	}
	before := map[string]string{}
	for _, audit := range slices.Backward(audits) {
		now := map[string]answers.AuditRow{}
		for row, err := range c.o.Fleet.Rows(ctx, audit.ID, fleet.RowQuery{TenantIDs: []string{t.TenantID}}) {
			if err != nil {
				return nil, nil, err
			}
			if words := stateWords(row); words != before[row.Credential] {
				before[row.Credential] = words
				found = append(found, moment{audit.CreatedAt, page.Group{page.Text("An audit found "), page.Untrusted(row.Credential), page.Text(": "), stateNode(row)}})
			}
			now[row.Credential] = row
		}
		if len(now) > 0 {
			last = now
		}
	}
	slices.SortStableFunc(found, func(a, b moment) int { return b.at.Compare(a.at) })
	return found, last, nil
}

// eventNode is an entry of the record in a line.
func eventNode(e guard.Event) page.Node {
	line := page.Group{page.LinkTo(fmt.Sprintf("/console/record/%d", e.Seq), page.Text(string(e.Kind)))}
	for _, part := range []struct{ before, text string }{
		{": ", e.Tool}, {" ", string(e.PartnerID)}, {", asked by ", string(e.Caller)}, {", decided by ", e.Approver}, {", ", e.Result}, {", ", e.Detail}, {", because: ", e.Reason},
	} {
		if part.text != "" {
			line = append(line, page.Text(part.before), page.Untrusted(part.text))
		}
	}
	return line
}

func historyNode(history []moment) page.Node {
	rows := xslices.Map(history, func(m moment) []page.Node { return []page.Node{page.Time(m.at), m.what} })
	if len(rows) == 0 {
		return page.Section("history", "History", page.P("Nothing is recorded of this customer yet."))
	}
	return page.Section("history", "History", page.Listing("History", []string{"When", "What"}, rows...))
}

// actions are the forms that a person with the scope can send about a customer.
func (c *Console) actions(v *visit, t schemas.Tenant) page.Node {
	at, token := customerPath(t.Name), v.session.FormToken()
	credentials := []string{"", "the default credential"}
	for _, name := range t.Credentials {
		credentials = append(credentials, name, name)
	}
	choice := page.If(len(t.Credentials) > 1, page.Choice("credential", "Identity", "", credentials...))
	id := page.Field("partner_id", "Partner ID", string(t.ExpectedPartnerID), page.Attr("inputmode", "numeric"), page.Attr("required"))
	reason := page.Field("reason", "Reason, for the record and who decides", "")
	forms := []page.Node{
		page.If(v.may(access.ScopeRead), page.Form(at, token, page.Row(choice, page.Button("do", schemas.ToolCheckPartnerLink, "Check now", true), page.Button("do", schemas.ToolCheckPECRoles, "Check roles", false)))),
	}
	if v.may(access.ScopeWrite, access.ScopeChange) {
		forms = append(forms, page.Folded("Change the link", page.Form(at, token, choice, id, reason, page.Row(
			page.If(v.may(access.ScopeWrite), page.Button("do", schemas.ToolRegisterPartner, "Register", false)),
			page.If(v.may(access.ScopeChange), page.Button("do", schemas.ToolUpdatePartner, "Update", false)),
			page.If(v.may(access.ScopeChange), page.Button("do", schemas.ToolRemovePartner, "Remove", false))))))
	}
	return page.Section("actions", "What you can do", forms...)
}
