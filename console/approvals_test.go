package console_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/tools"
)

func approvers() guard.Options { return guard.Options{AllowWrites: true, Approval: "approver"} }

// askAs has somebody ask for a write, and returns the approval's ID.
func (r *rig) askAs(caller access.Caller, tool, arguments string) string {
	r.t.Helper()
	e := r.service.Call(r.t.Context(), tools.Call{Tool: tool, Arguments: []byte(arguments), Principal: access.Principal{Caller: caller, Grant: access.FullGrant()}, Confirmer: tools.NoConfirmer{}}).Envelope
	if e.Approval == nil {
		r.t.Fatalf("nothing waits: %+v", e)
	}
	return e.Approval.ID
}

func (r *rig) ticket(id string) guard.Ticket {
	r.t.Helper()
	ticket, err := r.guard.Question(r.t.Context(), id, "")
	if err != nil {
		r.t.Fatal(err)
	}
	return ticket
}

func (r *rig) state(id string) string {
	r.t.Helper()
	return r.guard.State(r.ticket(id))
}

func (r *rig) link(tenant string) answers.Link {
	r.t.Helper()
	e := r.ask(schemas.ToolCheckPartnerLink, `{"tenant":"`+tenant+`"}`)
	if e.Link == nil {
		r.t.Fatalf("the link of %s cannot be read: %+v", tenant, e)
	}
	return *e.Link
}

var shownDigest = regexp.MustCompile(`name="digest" value="([^"]+)"`)

// decide answers an approval on its page.
func (b *browser) decide(id, says, reason string) answer {
	b.t.Helper()
	path := "/console/approvals/" + id
	digest := found(b.t, shownDigest, b.get(path).text)
	return b.post(path, path, "digest", digest, "answer", says, "reason", reason)
}

func TestApprovalsAreForWhoMayDecideOrAsked(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3, approvers())
	id := r.askToRegister("contoso")
	alice := r.browser("alice")
	own := r.askAs(alice.caller(), schemas.ToolUpdatePartner, `{"tenant":"fabrikam","partner_id":"`+ownID+`"}`)
	for who, want := range map[string]struct {
		list    int
		sees    []string // in the list
		another int      // the page of the agent's
		own     int      // the page of Alice's
	}{
		"alice":   {http.StatusOK, []string{own}, http.StatusNotFound, http.StatusOK},
		"bob":     {http.StatusOK, []string{id, own}, http.StatusOK, http.StatusOK},
		"contoso": {http.StatusOK, nil, http.StatusNotFound, http.StatusNotFound},
		"reader":  {http.StatusNotFound, nil, http.StatusNotFound, http.StatusNotFound},
		"nobody":  {http.StatusForbidden, nil, http.StatusForbidden, http.StatusForbidden},
	} {
		b := alice
		if who != "alice" {
			b = r.browser(who)
		}
		list := b.get("/console/approvals")
		list.wantPage(t, want.list)
		for _, approval := range []string{id, own} {
			if is, should := strings.Contains(list.text, approval), strings.Contains(strings.Join(want.sees, " "), approval); is != should {
				t.Errorf("%s sees %s in the list: %v, want %v", who, approval, is, should)
			}
		}
		b.get("/console/approvals/"+id).wantPage(t, want.another)
		b.get("/console/approvals/"+own).wantPage(t, want.own)
		b.get("/console/approvals/ap_none").wantPage(t, map[bool]int{true: http.StatusForbidden, false: http.StatusNotFound}[who == "nobody"])
	}
	bob := r.browser("bob").get("/console/approvals/" + id)
	bob.wantPage(t, http.StatusOK, "Link partner ID 1234567", "token:agent", "new customer", "cannot tell whether", ">Approve<", ">Deny<", `<span class="count">2<`)
	own1 := alice.get("/console/approvals/" + own)
	own1.wantPage(t, http.StatusOK, "You asked for this", "Replace partner ID 7654321 with 1234567")
	if strings.Contains(own1.text, ">Approve<") {
		t.Error("who asked is shown the form")
	}
}
