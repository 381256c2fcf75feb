package console_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/ledger"
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
	bob.wantPage(t, http.StatusOK, "Link partner ID 1234567", "agent</bdi> (an agent&#39;s token)", "new customer", "cannot tell whether", ">Approve<", ">Deny<", `<span class="count">2<`)
	own1 := alice.get("/console/approvals/" + own)
	own1.wantPage(t, http.StatusOK, "You asked for this", "Replace partner ID 7654321 with 1234567")
	if strings.Contains(own1.text, ">Approve<") {
		t.Error("who asked is shown the form")
	}
}

func TestPersonDecidesWithinMinutesOfASignIn(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		ago     time.Duration
		answer  string
		reason  string
		digest  string // in place of the right one
		status  int
		state   string
		says    string
		blocked bool // the page shows no form
	}{
		"approved":             {answer: "approve", status: http.StatusOK, state: guard.StateApproved, says: "approved, not carried out"},
		"denied":               {answer: "deny", reason: "not ours", status: http.StatusOK, state: guard.StateDenied, says: "not ours"},
		"denied why":           {answer: "deny", status: http.StatusBadRequest, state: guard.StatePending, says: "needs a reason"},
		"neither":              {answer: "yes", status: http.StatusBadRequest, state: guard.StatePending, says: "does not say"},
		"another digest":       {answer: "approve", digest: strings.Repeat("0", 64), status: http.StatusConflict, state: guard.StatePending, says: "digest"},
		"stale":                {ago: 6 * time.Minute, answer: "approve", reason: "all <b>good</b>", status: http.StatusForbidden, state: guard.StatePending, says: "all &lt;b&gt;good", blocked: true},
		"denied by an old one": {ago: 6 * time.Minute, answer: "deny", reason: "no", status: http.StatusForbidden, state: guard.StatePending, says: "/signin?fresh=1&amp;next=%2Fconsole%2Fapprovals%2Fap_", blocked: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 3, approvers())
			id := r.askToRegister("contoso")
			path, bob := "/console/approvals/"+id, r.browser("bob")
			digest := found(t, shownDigest, bob.get(path).text)
			if test.digest != "" {
				digest = test.digest
			}
			if test.ago > 0 {
				bob.signIn("bob", test.ago)
			}
			if page := bob.get(path); strings.Contains(page.text, ">Approve<") == test.blocked {
				t.Errorf("the form is shown: %v", !test.blocked)
			}
			from := "/console/freeze" // has a form with the session's token
			bob.post(path, from, "digest", digest, "answer", test.answer, "reason", test.reason).wantPage(t, test.status, test.says)
			if got := r.state(id); got != test.state {
				t.Errorf("it is %s, want %s", got, test.state)
			}
			if r.writes() != 0 {
				t.Error("something was written")
			}
		})
	}
}

func TestDecisionIsMadeOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3, approvers())
	id := r.askToRegister("contoso")
	bob := r.browser("bob")
	path := "/console/approvals/" + id
	digest := found(t, shownDigest, bob.get(path).text)
	bob.decide(id, "deny", "not ours").wantPage(t, http.StatusOK, "denied")
	bob.post(path, "/console/freeze", "digest", digest, "answer", "approve").wantPage(t, http.StatusConflict, "no longer pending")
	if got := r.state(id); got != guard.StateDenied {
		t.Error(got)
	}
	bob.get("/console/approvals").wantPage(t, http.StatusOK, "Nothing waits", "Decided or expired lately", id)
}

func TestWhoAskedCannotDecide(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3, approvers())
	dora := r.browser("dora")
	id := r.askAs(dora.caller(), schemas.ToolRegisterPartner, `{"tenant":"contoso","partner_id":"`+ownID+`"}`)
	path := "/console/approvals/" + id
	dora.get(path).wantPage(t, http.StatusOK, "You asked for this")
	digest := r.ticket(id).Digest()
	dora.post(path, "/console/freeze", "answer", "approve", "digest", fmt.Sprintf("%x", digest)).wantPage(t, http.StatusForbidden, "own requests")
	dora.post(path, "/console/freeze", "answer", "deny", "reason", "changed my mind").wantPage(t, http.StatusForbidden, "own requests")
	if got := r.state(id); got != guard.StatePending {
		t.Error(got)
	}
	r.browser("bob").decide(id, "approve", "").wantPage(t, http.StatusOK, "approved")
}

func TestHostileTextIsShownAsText(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3, approvers())
	hostile := `<script>alert(1)</script>\u202e"><img src=x>` + strings.Repeat("A", 2000)
	id := r.askAs(`token:"><script>x`, schemas.ToolRegisterPartner, `{"tenant":"contoso","partner_id":"`+ownID+`","reason":"`+strings.ReplaceAll(hostile[:300], `"`, `\"`)+`"}`)
	bob := r.browser("bob")
	shown := bob.get("/console/approvals/" + id)
	shown.wantPage(t, http.StatusOK, "&lt;script&gt;alert(1)", "<bdi>&#34;&gt;&lt;script&gt;x")
	digest := r.ticket(id).Digest()
	stale := r.browser("")
	stale.signIn("bob", time.Hour)
	for _, page := range []answer{
		shown, bob.get("/console/approvals"),
		stale.post("/console/approvals/"+id, "/console/freeze", "answer", "approve", "digest", fmt.Sprintf("%x", digest), "reason", "<script>"+strings.Repeat("\u202e<b>", 5000)),
		bob.post("/console/approvals/"+id, "/console/freeze", "answer", "deny", "reason", "<script>alert(2)</script>\u202e"+strings.Repeat("B", 10000)),
		bob.get("/console/approvals"), bob.get("/console/approvals/" + id),
	} {
		if strings.Contains(page.text, "<script>") || strings.Contains(page.text, "\u202e") || strings.Contains(page.text, "<img") || strings.Contains(page.text, strings.Repeat("B", 200)) || len(page.text) > 20_000 {
			t.Errorf("hostile text gets through, in %d bytes:\n%s", len(page.text), page.text)
		}
	}
	if got := r.ticket(id).Denial(); !strings.HasPrefix(got, "<script>alert(2)") {
		t.Errorf("the control: the reason is %q", got)
	}
}

// approved leaves an approval that Dora approved.
func (r *rig) approved(tool, arguments string) (string, *browser) {
	r.t.Helper()
	id, dora := r.askAs("token:agent", tool, arguments), r.browser("dora")
	dora.decide(id, "approve", "fine").wantPage(r.t, http.StatusOK, "What happens next", "Carry out now")
	return id, dora
}

const registers = `{"tenant":"contoso","partner_id":"` + ownID + `"}`

func TestApprovedRequestIsCarriedOutOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3, approvers())
	id, dora := r.approved(schemas.ToolRegisterPartner, registers)
	path := "/console/approvals/" + id
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() { dora.post(path+"/execute", "/console/freeze").wantPage(t, http.StatusOK) })
	}
	all.Wait()
	shown := dora.waitFor(path)
	shown.wantPage(t, http.StatusOK, "Carried out.", "Linked before", "nothing", "Linked now", ownID)
	dora.post(path+"/execute", "/console/freeze").wantPage(t, http.StatusOK, "Carried out.")
	if link := r.link("contoso"); link.PartnerID != ownID || r.writes() != 1 || r.state(id) != guard.StateUsed {
		t.Errorf("%+v after %d writes, and the approval is %s", link, r.writes(), r.state(id))
	}
	if list, _ := r.app.Record().List(t.Context(), ledger.Filter{Kind: guard.KindIntent}); list[0].Caller != "token:agent" {
		t.Errorf("it was the write of %s", list[0].Caller)
	}
	r.browser("bob").get(path).wantPage(t, http.StatusOK, "carried out")
}

// waitFor loads a page until nothing on it is under way.
func (b *browser) waitFor(path string) answer {
	b.t.Helper()
	for range 600 {
		if answer := b.get(path + "/progress"); strings.Contains(answer.text, `"done":true`) {
			return b.get(path)
		}
		time.Sleep(20 * time.Millisecond)
	}
	b.t.Fatal("it does not end")
	return answer{}
}

func TestNothingIsCarriedOutThatMovedOrIsBeyondThePerson(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		who    string
		before func(*rig)
		says   string
		state  string
		writes int
	}{
		"moved":            {"dora", func(r *rig) { _ = r.azure.Stage("fabrikam", "contoso", otherID) }, "linked already", guard.StateApproved, 0},
		"frozen":           {"dora", func(r *rig) { _ = r.guard.SetFreeze(t.Context(), false, "stop") }, "Frozen by the operator", guard.StateApproved, 0},
		"may not write":    {"bob", func(*rig) {}, "You may approve, and not write", guard.StateApproved, 0},
		"may not approve":  {"alice", func(*rig) {}, "not for you", guard.StateApproved, 0},
		"the same as ever": {"dora", func(*rig) {}, "Carried out.", guard.StateUsed, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 3, approvers())
			id, b := r.approved(schemas.ToolRegisterPartner, registers)
			if test.who != "dora" {
				b = r.browser(test.who)
			}
			test.before(r)
			path := "/console/approvals/" + id
			b.post(path+"/execute", "/console/freeze")
			if test.who != "alice" {
				b.waitFor(path)
			}
			b.get(path).wantPage(t, map[bool]int{true: http.StatusNotFound, false: http.StatusOK}[test.who == "alice"], test.says)
			if r.writes() != test.writes || r.state(id) != test.state {
				t.Errorf("%d writes, and it is %s", r.writes(), r.state(id))
			}
		})
	}
}

func TestPlanIsShownWholeAndCarriedOutAsARun(t *testing.T) {
	t.Parallel()
	r := newRig(t, 5, approvers())
	id := r.askAs("token:agent", schemas.ToolTransitionPartner, `{"from":["`+otherID+`"],"to":"`+ownID+`","reason":"sold"}`)
	dora := r.browser("dora")
	path := "/console/approvals/" + id
	dora.get(path).wantPage(t, http.StatusOK, "Move 1 tenant to partner ID 1234567", "Cannot be undone", "fabrikam", otherID, "4 rows listed and not written", "contoso")
	dora.get("/console/approvals").wantPage(t, http.StatusOK, "Move 1 tenant to partner ID 1234567")
	r.browser("contoso").get(path).wantPage(t, http.StatusNotFound)
	dora.decide(id, "approve", "").wantPage(t, http.StatusOK, "Carry out now")
	dora.post(path+"/execute", path)
	dora.waitFor(path).wantPage(t, http.StatusOK, "/console/runs/run_")
	for range 300 {
		if r.link("fabrikam").PartnerID == ownID {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("fabrikam is linked to %s", r.link("fabrikam").PartnerID)
}
