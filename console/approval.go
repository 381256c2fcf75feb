package console

import (
	"context"
	"fmt"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/internal/page"
	"mcp-partner/internal/phrase"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
	"mcp-partner/tools"
)

// approval is one that the person may look at, by the address.
func (v *visit) approval() (tools.SeenApproval, error) {
	return v.c.o.Service.SeenApproval(v.r.Context(), v.by, v.r.PathValue("id"))
}

func (c *Console) showApproval(v *visit) error {
	a, err := v.approval()
	if err != nil {
		return err
	}
	body := []page.Node{page.El("p", page.Class("lead"), page.Text(a.Text)), factsOf(a), page.Section("changes", "What changes", changesOf(a))}
	if rest := untouched(a); len(rest) > 0 {
		body = append(body, page.Folded(phrase.Count(len(rest), "row")+" listed and not written", untouchedTable(rest)))
	}
	switch a.State {
	case guard.StatePending:
		body = append(body, page.Section("decide", "Your decision", v.decision(a)...))
	case guard.StateApproved, guard.StateUsed:
		body = append(body, page.Section("next", "What happens next", v.next(a)...))
	}
	return v.showSigned(requestOf(a), body...)
}

// factsOf says who asks and why, and how it stands.
func factsOf(a tools.SeenApproval) page.Node {
	var facts []page.Node
	add := func(name string, value page.Node, there bool) {
		if there {
			facts = append(facts, page.Text(name), value)
		}
	}
	add("State", approvalState(a), true)
	add("Asked by", by(a.AskedBy), true)
	add("Reason given", page.Untrusted(a.Reason), a.Reason != "")
	add("Asked", page.TimeOf(a.CreatedAt), true)
	add("Expires", page.TimeOf(a.ExpiresAt), a.State == guard.StatePending || a.State == guard.StateApproved)
	add("Approvals so far", page.Text(a.Approvals), a.Approvals != "")
	add("Rule that asks", page.Untrusted(ruleWords(a.Rule)), a.Rule != "")
	add("Decided by", by(a.Approver), a.Approver != "")
	add("Why it was denied", page.Untrusted(a.Denied), a.Denied != "")
	return page.Facts(facts...)
}

// ruleWords names a rule; where the config file has none, a flag of the server stands for it.
func ruleWords(rule string) string {
	if rule == "--approval approver" {
		return "every write waits for an approver (" + rule + ")"
	}
	return rule
}

// changesOf is the whole difference: what is linked now, and what then.
func changesOf(a tools.SeenApproval) page.Node {
	heads := []string{"Company", "Tenant", "Identity", "Linked now", "Linked then"}
	if a.Rows != nil {
		return page.Listing("What changes", heads, xslices.Map(written(a), func(r answers.ChangeRow) []page.Node {
			return []page.Node{
				page.Untrusted(r.Company), page.Untrusted(r.Tenant), identity(r.ObjectID), linked(r.Before),
				page.Group{page.Text(r.PartnerID), page.If(r.Warning != "", page.Line(page.Text(r.Warning)))},
			}
		})...)
	}
	then := string(a.PartnerID)
	if a.Tool == schemas.ToolRemovePartner {
		then = "nothing"
	}
	now := page.Group{page.Text(phrase.Words(a.Before)), page.If(a.LinkedName != "", page.Group{page.Text(", "), page.Untrusted(a.LinkedName)})}
	return page.Listing("What changes", heads, []page.Node{
		page.Untrusted(a.Company), page.Untrusted(a.Identity.Tenant), identity(a.Identity.ObjectID), now, page.Text(then),
	})
}

func identity(objectID string) page.Node { return page.El("code", page.Text(objectID)) }

// linked says what a link is in a row. The name is the provider's.
func linked(l *answers.Link) page.Node {
	switch {
	case l == nil || l.State == answers.LinkUnknown:
		return page.Text("unknown")
	case l.State.Absent():
		return page.Text("nothing")
	default:
		return page.Group{page.Text(string(l.PartnerID)), page.If(l.PartnerName != "", page.Group{page.Text(", "), page.Untrusted(l.PartnerName)})}
	}
}

func untouched(a tools.SeenApproval) []answers.ChangeRow {
	return xslices.Filter(a.Rows, func(r answers.ChangeRow) bool { return len(r.Steps) == 0 })
}

func untouchedTable(rows []answers.ChangeRow) page.Node {
	return page.Listing("Listed and not written", []string{"Company", "Tenant", "Linked now", "Why"}, xslices.Map(rows, func(r answers.ChangeRow) []page.Node {
		return []page.Node{page.Untrusted(r.Company), page.Untrusted(r.Tenant), linked(r.Before), page.Untrusted(r.Why)}
	})...)
}

// decision is the form for who may decide, or why the person may not.
func (v *visit) decision(a tools.SeenApproval) []page.Node {
	switch {
	case a.Asked:
		return []page.Node{page.P("You asked for this, as this or another of your identities. Somebody else has to decide.")}
	case a.Again:
		return []page.Node{page.P("You have approved already, or somebody has who may be you. The rule wants another person as well.")}
	case !v.may(access.ScopeApprove):
		return []page.Node{page.P("Somebody who may approve has to decide.")}
	}
	var body []page.Node
	if a.Unclear {
		body = append(body, page.Line(page.Text("This server cannot tell whether "), by(a.AskedBy),
			page.Text(" is you or a program of yours. If you asked for this, let somebody else decide: the record says that this is unclear.")))
	}
	return append(body, v.signedForm(approvalPath(a.ID), a.Passkey, []page.Node{
		page.Hidden("digest", a.Digest),
		page.Area("reason", "Reason (needed to deny; the agent and the record get it)"),
	}, signedAnswer{"approve", "Approve"}, signedAnswer{"deny", "Deny"}))
}

// beginDecision answers a script with what the passkey is to sign.
func (c *Console) beginDecision(v *visit) error {
	said, err := v.said()
	if err != nil {
		return err
	}
	statement, keys, err := c.o.Guard.BeginDecision(v.r.Context(), v.by, v.r.PathValue("id"), said)
	if err != nil {
		return err
	}
	return v.challenge(statement, keys)
}

// decide records what the person decided. It is recorded also if they hang up.
func (c *Console) decide(v *visit) error {
	said, err := v.said()
	if err != nil {
		return err
	}
	at := approvalPath(v.r.PathValue("id"))
	if said.Statement == nil && v.proves(false) == bySignInAgain {
		return v.askToSignIn(at, said.Reason)
	}
	if _, err := c.o.Service.DecideApproval(context.WithoutCancel(v.r.Context()), v.by, v.r.PathValue("id"), said); err != nil {
		return err
	}
	return v.back(at)
}

// said is what a form says that somebody has to prove, with the proof if there is one.
func (v *visit) said() (guard.DecisionRequest, error) {
	form := v.r.PostForm
	said := guard.DecisionRequest{
		Approved: form.Get("answer") == "approve", Reason: form.Get("reason"), Digest: form.Get("digest"),
		Page: true, SignedInAt: v.session.Person.AuthenticatedAt,
	}
	switch {
	case !said.Approved && form.Get("answer") != "deny":
		return said, problems.New(problems.CodeInvalidArgument, "The form does not say whether you approve.", problems.WithHint("Go back and press one of the two buttons."))
	case !said.Approved && said.Reason == "":
		return said, problems.New(problems.CodeInvalidArgument, "A denial needs a reason.", problems.WithHint("Go back and say why: the agent and the record get it."))
	}
	return said, v.readProof(&said)
}

// next says what follows an approval, and how it went if it was carried out here.
func (v *visit) next(a tools.SeenApproval) []page.Node {
	at := approvalPath(a.ID)
	run := v.c.executions.of(a.ID)
	text, result := run.now()
	switch {
	case text != "":
		return []page.Node{page.Polled(at+"/progress", text), page.P("This goes on without you. Reload the page to see how it ends.")}
	case result != nil && result.Problem != nil:
		return append([]page.Node{page.Problem(result.Problem.Message, result.Problem.Hint, result.Problem.Command)}, v.offer(a)...)
	case result != nil:
		return resultOf(result)
	case a.State == guard.StateUsed:
		return []page.Node{page.P("It was carried out. The record says how it ended.")}
	default:
		return v.offer(a)
	}
}

// offer is the button for an approved request. It needs the scope of the tool as well.
func (v *visit) offer(a tools.SeenApproval) []page.Node {
	op, _ := schemas.Lookup(a.Tool)
	called := fmt.Sprintf("The agent calls %s again with this approval.", a.Tool)
	switch {
	case a.State != guard.StateApproved:
		return nil
	case !v.may(access.ScopeApprove):
		return []page.Node{page.P(called)}
	case !v.by.Grant.Allows(op):
		return []page.Node{page.P(called + " You may approve, and not write: you cannot carry it out yourself.")}
	}
	return []page.Node{
		page.P(called + " Or carry it out yourself, as the agent would. It stops if a link changed since."),
		page.Form(approvalPath(a.ID)+"/execute", v.session.FormToken(), page.Button("execute", "now", "Carry out now", true)),
	}
}

// resultOf is how a call ended that was made here.
func resultOf(e *answers.Envelope) []page.Node {
	body := []page.Node{page.Line(page.State("good", "Carried out."), page.Text(" "), page.Untrusted(e.Summary))}
	if e.RunID != "" {
		return append(body, page.Line(page.Link("/console/runs/"+e.RunID, "Follow the run")))
	}
	if e.Before != nil && e.After != nil {
		body = append(body, page.Facts(page.Text("Linked before"), linked(e.Before), page.Text("Linked now"), linked(e.After)))
	}
	return body
}
