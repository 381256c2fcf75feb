package console_test

import (
	"net/http"
	"strings"
	"testing"

	"mcp-partner/fleet"
	"mcp-partner/guard"
	"mcp-partner/ledger"
)

// audited has an audit of everything made by the agent.
func (r *rig) audited() { r.auditedWith(fleet.Audit{}) }

func (r *rig) auditedWith(audit fleet.Audit) {
	r.t.Helper()
	active, err := r.service.StartAudit(r.t.Context(), r.agent(), "", audit)
	if err == nil {
		err = active.Wait(r.t.Context())
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

func TestCustomersAreThoseOfTheGrantAndShowWhatTheLastAuditFound(t *testing.T) {
	t.Parallel()
	r := newRig(t, 5, guard.Options{})
	r.browser("reader").get("/console/customers").wantPage(t, http.StatusOK, "5 customers", "no audit was made", "contoso", "fabrikam")
	r.audited()
	b := r.browser("reader")
	b.get("/console/customers").wantPage(t, http.StatusOK, "Not linked", "Linked to another "+otherID)
	b.get("/console/customers?state=linked_other").wantPage(t, http.StatusOK, "1 customer.", "fabrikam")
	b.get("/console/customers?q=FABRI").wantPage(t, http.StatusOK, "1 customer.", "fabrikam")
	b.get("/console/customers?q=none&from=-7").wantPage(t, http.StatusOK, "0 customers.")

	own := r.browser("contoso").get("/console/customers")
	own.wantPage(t, http.StatusOK, "1 customer.", "contoso")
	if strings.Contains(own.text, "fabrikam") || strings.Contains(own.text, "States are those") {
		t.Errorf("who sees one customer is told of others: %s", own.text)
	}
	r.browser("contoso").get("/console/customers/fabrikam").wantPage(t, http.StatusNotFound, "not for you")
	b.get("/console/customers/fabrikam").wantPage(t, http.StatusOK, "An audit found", "Linked to another "+otherID, "Check now", "client-secret", "Others in the same tenant")
}

func TestCheckOnAPageAsksAzureNow(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, guard.Options{})
	b := r.browser("reader")
	b.post("/console/customers/fabrikam", "/console/customers/fabrikam", "do", "check_partner_link").wantPage(t, http.StatusOK, otherID, "Link")
	b.post("/console/customers/fabrikam", "/console/customers/fabrikam", "do", "remove_partner").wantPage(t, http.StatusOK, "lacks the scope")
	b.post("/console/customers/fabrikam", "/console/customers/fabrikam", "do", "list_tenants").wantPage(t, http.StatusNotFound, "not for you")
}

func TestWriteOnAPageIsConfirmedByWhatThePersonTypes(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, guard.Options{AllowWrites: true, Approval: "requester"})
	b, at := r.browser("alice"), "/console/customers/contoso"
	asked := b.post(at, at, "do", "register_partner", "partner_id", ownID, "reason", "<b>new</b>")
	asked.wantPage(t, http.StatusOK, ownID, "Do nothing", "&lt;b&gt;new&lt;/b&gt;")
	seal := found(t, sealValue, asked.text)
	answer := func(typed, action string) answer {
		return b.post(at, at, "do", "register_partner", "partner_id", ownID, "reason", "<b>new</b>", "seal", seal, "confirmation", typed, "answer", action)
	}
	answer("7654321", "accept").wantPage(t, http.StatusOK, "did not match")
	seal = found(t, sealValue, b.post(at, at, "do", "register_partner", "partner_id", ownID).text)
	answer(ownID, "decline").wantPage(t, http.StatusOK, "declined")
	if n := r.writes(); n != 0 {
		t.Fatalf("%d writes without a confirmation", n)
	}
	seal = found(t, sealValue, b.post(at, at, "do", "register_partner", "partner_id", ownID, "reason", "<b>new</b>").text)
	answer(ownID, "accept").wantPage(t, http.StatusOK, "read back and confirmed")
	if n := r.writes(); n != 1 {
		t.Errorf("%d writes", n)
	}
}

func TestWriteOnAPageWaitsForAnotherPersonWhereTheRuleWantsOne(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, guard.Options{AllowWrites: true, Approval: "approver"})
	b, at := r.browser("alice"), "/console/customers/contoso"
	b.post(at, at, "do", "register_partner", "partner_id", ownID)
	waiting, err := r.guard.Pending(t.Context())
	if err != nil || len(waiting) != 1 || !strings.HasPrefix(string(waiting[0].Caller), "oidc:") {
		t.Errorf("waiting: %+v, %v", waiting, err)
	}
	if n := r.writes(); n != 0 {
		t.Errorf("%d writes", n)
	}
}

// writes counts the intents of the record.
func (r *rig) writes() int {
	r.t.Helper()
	events, err := r.app.Record().List(r.t.Context(), ledger.Filter{Kind: guard.KindIntent})
	if err != nil {
		r.t.Fatal(err)
	}
	return len(events)
}
