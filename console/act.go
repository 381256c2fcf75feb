package console

import (
	"context"
	"slices"
	"strings"

	"mcp-partner/guard"
	"mcp-partner/internal/page"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/tools"
)

// form asks the person who sent a form: the question is the next page, and its answer
// comes with the form of that.
type form struct {
	seal   guard.Seal
	answer guard.Answer
}

// Resume implements tools.Confirmer.
func (f form) Resume() (guard.Seal, guard.Answer, bool) { return f.seal, f.answer, f.seal != "" }

// Reachable implements tools.Confirmer.
func (f form) Reachable() bool { return true }

// Ask implements tools.Confirmer.
func (f form) Ask(context.Context, guard.Question, guard.Seal) (guard.Answer, error) {
	return guard.Answer{}, tools.ErrLater
}

// actionsOfCustomers are the tools that a customer's page calls.
func actionsOfCustomers() []string {
	return []string{schemas.ToolCheckPartnerLink, schemas.ToolCheckPECRoles, schemas.ToolRegisterPartner, schemas.ToolUpdatePartner, schemas.ToolRemovePartner}
}

// act calls a tool about a customer as the person. A write goes through the same guard
// and approvals as an agent's.
func (c *Console) act(v *visit) error {
	t, err := c.o.Service.Customer(v.r.Context(), v.by, v.r.PathValue("name"))
	if err != nil {
		return err
	}
	sent := v.r.PostForm
	tool := sent.Get("do")
	op, ok := schemas.Lookup(tool)
	if !ok || !slices.Contains(actionsOfCustomers(), tool) {
		return errNotHere
	}
	arguments := map[string]any{"tenant": t.Name}
	for _, name := range []string{"credential", "partner_id", "reason"} {
		if value := sent.Get(name); value != "" && op.InputSchema().Properties[name] != nil {
			arguments[name] = value
		}
	}
	f := form{}
	if seal := sent.Get("seal"); seal != "" {
		f = form{guard.Seal(seal), guard.Answer{Action: guard.ActionDecline, Typed: sent.Get("confirmation")}}
		if sent.Get("answer") == "accept" {
			f.answer.Action = guard.ActionAccept
		}
	}
	result, err := v.call(tool, arguments, f)
	switch {
	case err != nil:
		return err
	case result.Elicitation != nil:
		return v.ask(op, t, arguments, result.Elicitation)
	case result.Envelope.Approval != nil && result.Envelope.Status == answers.StatusApprovalRequired:
		return v.back("/console/approvals/" + result.Envelope.Approval.ID)
	default:
		return v.showAnswer(op, t, result.Envelope)
	}
}

// ask shows the guard's question, with the form that answers it: what is typed is the
// confirmation.
func (v *visit) ask(op schemas.Operation, t schemas.Tenant, arguments map[string]any, asked *guard.Asked) error {
	body := []page.Node{page.P(asked.Question.Text)}
	var facts []page.Node
	for _, fact := range asked.Question.Facts {
		facts = append(facts, page.Text(fact.Label), page.Untrusted(fact.Value))
	}
	content := []page.Node{page.Hidden("do", op.Name), page.Hidden("seal", string(asked.Seal))}
	for name, value := range arguments {
		if text, ok := value.(string); ok && name != "tenant" {
			content = append(content, page.Hidden(name, text))
		}
	}
	content = append(content, page.Field("confirmation", asked.Question.Prompt, "", page.Attr("autocomplete", "off"), page.Attr("required")),
		page.Button("answer", "accept", op.Title, true))
	decline := []page.Node{page.Hidden("do", op.Name), page.Hidden("seal", string(asked.Seal)), page.Button("answer", "decline", "Do nothing", false)}
	return v.show(op.Title, append(body, page.Facts(facts...),
		page.Form(customerPath(t.Name), v.session.FormToken(), content...), page.Form(customerPath(t.Name), v.session.FormToken(), append(decline, content[2:len(content)-2]...)...))...)
}

// showAnswer shows what became of a call.
func (v *visit) showAnswer(op schemas.Operation, t schemas.Tenant, e answers.Envelope) error {
	body := []page.Node{page.Line(page.Text("Customer: "), customerLink(t)), page.P(e.Summary)}
	for _, link := range []struct {
		title string
		link  *answers.Link
	}{{"Link", e.Link}, {"Before", e.Before}, {"After", e.After}} {
		if link.link != nil {
			body = append(body, page.Heading(link.title), linkFacts(link.link))
		}
	}
	if e.PECRoles != nil {
		body = append(body, rolesNode(e.PECRoles))
	}
	if p := e.Problem; p != nil {
		body = append(body, page.Problem(p.Message, p.Hint, p.Command))
	}
	return v.show(op.Title, body...)
}

func linkFacts(link *answers.Link) page.Node {
	facts := []page.Node{page.Text("State"), page.Text(string(link.State))}
	for _, fact := range []struct{ label, value string }{
		{"Partner ID", string(link.PartnerID)}, {"Partner", link.PartnerName}, {"Expected", string(link.ExpectedPartnerID)}, {"Last written", link.UpdatedTime},
	} {
		if fact.value != "" {
			facts = append(facts, page.Text(fact.label), page.Untrusted(fact.value))
		}
	}
	return page.Facts(facts...)
}

// rolesNode says for each subscription whether a role there can earn.
func rolesNode(read *answers.PECRoles) page.Node {
	if len(read.Rows) == 0 {
		return page.Line(page.Text("Roles: "+read.EligibleIn()+" "), page.Untrusted(read.Fix))
	}
	rows := xslices.Map(read.Rows, func(s answers.PECSubscription) []page.Node {
		return []page.Node{page.Group{page.Untrusted(s.Name), page.Text(" " + s.SubscriptionID)}, page.Text(strings.ReplaceAll(string(s.Verdict), "_", " ")), page.Untrusted(s.Why), page.Untrusted(s.Fix)}
	})
	return page.Listing("Subscriptions", []string{"Subscription", "Verdict", "Why", "Next step"}, rows...)
}
