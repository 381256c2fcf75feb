package tools_test

import (
	"context"
	"encoding/hex"

	"mcp-partner/access"
	"mcp-partner/guard"
)

// principal is a caller with everything, or now and then with less.
func (m *machine) principal(caller access.Caller) access.Principal {
	p := trusted(caller)
	switch m.draw("given", "all", "all", "all", "all", "all", "all", "no scope", "another tenant", "another ID", "nothing") {
	case "no scope":
		p.Grant.Scopes = []access.Scope{access.ScopeRead, access.ScopeApprove}
	case "another tenant":
		p.Grant.Tenants = []string{m.draw("its tenant", "contoso", "fabrikam", "litware")}
	case "another ID":
		p.Grant.PartnerIDs = []string{m.draw("its ID", "1234567", "7654321")}
	case "nothing":
		p.Grant = access.Grant{}
	}
	return p
}

// decide is the decision of a caller over the network: one who may approve, the
// requester, or one without the tenant in its grant.
func (m *machine) decide(k kept) {
	ticket, err := m.decider.Question(context.Background(), k.id, "")
	if err != nil {
		m.rt.Fatal(err)
	}
	who := access.Principal{Caller: "token:alice", Grant: access.Grant{Scopes: []access.Scope{access.ScopeApprove}, Tenants: []string{access.AllTenants}}}
	kind := m.draw("approver", "alice", "alice", "the requester", "another tenant's", "no scope")
	switch kind {
	case "the requester":
		who.Caller = ticket.Intent.Caller
	case "another tenant's":
		who.Grant.Tenants = []string{"litware"}
	case "no scope":
		who.Grant = access.FullGrant()
	}
	digest := ticket.Digest()
	said := guard.DecisionRequest{Approved: m.draw("ruled", "yes", "yes", "no") == "yes", Reason: "no", Digest: hex.EncodeToString(digest[:])}
	if _, err := m.decider.DecideAs(context.Background(), who, k.id, said); err == nil && kind != "alice" {
		m.rt.Fatalf("%s decided", kind)
	}
}

// forge writes a decision past the guard, in the name of somebody who may
// approve; a redemption of it must fail.
func (m *machine) forge(k kept) {
	ctx := context.Background()
	decision := guard.Decision{Approved: true, Approver: "token:alice", By: "token:alice", Signature: make([]byte, 80), At: m.watch.Now()}
	if m.draw("forged", "a caller's", "an approver's") == "an approver's" {
		decision.Approver, decision.By = anna.Name, ""
	}
	ticket, _, err := m.record.Ticket(ctx, k.id)
	if err != nil {
		m.rt.Fatal(err)
	}
	forged, err := m.record.DecideTicket(ctx, k.id, decision, guard.Event{Time: m.watch.Now(), Kind: guard.KindRefusal, Intent: ticket.Intent, Approval: k.id}, nil)
	if err != nil || !forged {
		return // it was decided or used
	}
	before := m.spent
	m.call(k, &wirePerson{m: m, kind: "nobody"}, ticket.Intent.Caller)
	if m.spent != before {
		m.rt.Fatal("a forged decision wrote")
	}
}
