package console_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/ledger"
)

const peoplePath = "/console/access/people"

func (r *rig) user(name string) (found guard.User, ok bool) {
	r.t.Helper()
	users, err := r.guard.Users(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	i := slices.IndexFunc(users, func(u guard.User) bool { return u.Name == name })
	if i < 0 {
		return found, false
	}
	return users[i], true
}

// verified fails unless the record is whole and proves what it says was signed.
func (r *rig) verified() {
	r.t.Helper()
	report, err := r.app.Record().Verify(r.t.Context(), []ledger.Head(nil))
	if err != nil || len(report.Findings) > 0 {
		r.t.Errorf("%v: %v", err, report.Findings)
	}
}

func TestApproverInvitesAndRemovesByAFreshSignIn(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, approvers())
	bob := r.browser("bob")
	invite := func(b *browser, more ...string) answer {
		return b.post(peoplePath, "/console/access", append([]string{"answer", "invite", "name", "erin"}, more...)...)
	}
	bob.get("/console/access").wantPage(t, http.StatusOK, "Invite and change people", `value="invite"`)
	invite(bob).wantPage(t, http.StatusBadRequest, "do nothing")
	invite(bob, "scope", "partner.change").wantPage(t, http.StatusForbidden, "more than you have")
	invite(bob, "scope", "partner.metrics").wantPage(t, http.StatusForbidden, "more than you have")
	if _, ok := r.user("erin"); ok {
		t.Fatal("a refused invitation made a user")
	}
	shown := invite(bob, "scope", "partner.read", "scope", "partner.approve", "tenants", "contoso, emea-*")
	shown.wantPage(t, http.StatusOK, r.url+"/invite#", "Send this link to erin")
	erin, ok := r.user("erin")
	if !ok || !slices.Equal(erin.Grant.Tenants, []string{"contoso", "emea-*"}) || !slices.Equal(erin.Grant.Scopes, []access.Scope{access.ScopeRead, access.ScopeApprove}) {
		t.Errorf("erin is %+v", erin)
	}
	_, handle, _ := strings.Cut(shown.text, "/invite#")
	handle, _, _ = strings.Cut(handle, "<")
	events, err := r.app.Record().List(t.Context(), ledger.Filter{Kind: guard.KindUser})
	if err != nil || len(events) != 1 || events[0].Intent.Caller != bob.caller() || !strings.HasPrefix(events[0].Detail, "invited erin; ") || len(handle) < 20 || strings.Contains(events[0].Detail, handle) {
		t.Errorf("%q: %+v, %v", handle, events, err)
	}
	bob.post(peoplePath, "/console/access", "answer", "remove", "name", "erin")
	if _, ok := r.user("erin"); ok {
		t.Error("erin is still there")
	}
	r.verified()
}

func TestStaleSignInChangesNobody(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, approvers())
	bob := r.browser("")
	bob.signIn("bob", 6*time.Minute)
	bob.get("/console/access").wantPage(t, http.StatusOK, "Sign in again to decide", "next=%2Fconsole%2Faccess")
	bob.post(peoplePath, "/console/access", "answer", "invite", "name", "erin", "scope", "partner.read").wantPage(t, http.StatusForbidden, "Nothing was decided", "Sign in again to decide")
	if _, ok := r.user("erin"); ok {
		t.Error("erin was invited")
	}
}

func TestPasskeySignsWhatIsDoneToAUser(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, approvers())
	ada, ben := r.device("ada"), r.device("ben")
	change := func(fields ...string) answer {
		return ada.sign(peoplePath+"/challenge", peoplePath, "/console/access", fields...)
	}
	ada.post(peoplePath, "/console/access", "answer", "invite", "name", "erin", "scope", "partner.read").wantPage(t, http.StatusForbidden, "with their passkey")
	change("answer", "remove", "name", "ada").wantPage(t, http.StatusForbidden, "the user that they are")
	change("answer", "invite", "name", "erin", "scope", "partner.write").wantPage(t, http.StatusForbidden, "more than you have")
	change("answer", "invite", "name", "erin", "scope", "partner.read").wantPage(t, http.StatusOK, `"shown":"Send this link to erin`, "/invite#")
	change("answer", "reset", "name", "ben").wantPage(t, http.StatusOK, `"shown":"Send this link to ben`)
	if u, _ := r.user("ben"); len(u.Passkeys) != 0 {
		t.Error("ben has still a passkey")
	}
	if got := ben.get("/console/").text; !strings.Contains(got, "Sign in") {
		t.Error("ben is still signed in")
	}
	change("answer", "remove", "name", "erin").wantPage(t, http.StatusOK, `"next":"/console/access"`)
	events, err := r.app.Record().List(t.Context(), ledger.Filter{Kind: guard.KindUser})
	if err != nil || len(events) != 3 {
		t.Fatalf("%d entries, %v", len(events), err)
	}
	for _, e := range events {
		if e.Proof == nil || e.Proof.Statement.Reason != e.Detail || e.Proof.Statement.Approval != guard.ChangesUsers || e.Approver != "user:ada" {
			t.Errorf("the entry %+v", e)
		}
	}
}

// A signature is of one change: another name, act or grant with it changes nothing.
func TestSignatureOfOneUserChangeIsGoodForNoOther(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, approvers())
	ada := r.device("ada")
	form := map[string][]string{"answer": {"invite"}, "name": {"erin"}, "scope": {"partner.read"}}
	for name, swapped := range map[string][2]string{"name": {"name", "eve"}, "grant": {"scope", "partner.approve"}, "act": {"answer", "remove"}} {
		ada.signSwapped(peoplePath, "/console/access", form, swapped).wantPage(t, http.StatusNotFound, "")
		for _, user := range []string{"erin", "eve"} {
			if _, ok := r.user(user); ok {
				t.Errorf("%s: %s was added", name, user)
			}
		}
	}
}

// Who has the link of a reset can be that user, and must not become more than they were.
func TestUserWithMoreThanOneHasIsNotResetOnAPage(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, approvers())
	bob, dora := r.browser("bob"), r.browser("dora")
	dora.post(peoplePath, "/console/access", "answer", "invite", "name", "erin", "scope", "partner.read", "scope", "partner.change").wantPage(t, http.StatusOK, "/invite#")
	bob.post(peoplePath, "/console/access", "answer", "reset", "name", "erin").wantPage(t, http.StatusForbidden, "more than you have")
	dora.post(peoplePath, "/console/access", "answer", "reset", "name", "erin").wantPage(t, http.StatusOK, "/invite#")
	bob.post(peoplePath, "/console/access", "answer", "remove", "name", "erin")
	if _, ok := r.user("erin"); ok {
		t.Error("she was not removed")
	}
}

// One stolen session must not become two approvers.
func TestWhoInvitedSomebodyDoesNotConfirmThem(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, approvers())
	bob, carol := r.browser("bob"), r.browser("carol")
	bob.post(peoplePath, "/console/access", "answer", "invite", "name", "erin", "scope", "partner.approve").wantPage(t, http.StatusOK, "/invite#")
	err := r.app.GuardStore().ChangeStates(t.Context(), func(tx guard.StateTx) error {
		erin, _ := r.user("erin")
		erin.Passkeys = []guard.Passkey{{ID: []byte("erin"), Origin: r.url, AddedAt: time.Now()}}
		return tx.Put(guard.UserState, "erin", erin)
	})
	if err != nil {
		t.Fatal(err)
	}
	key := guard.Passkey{ID: []byte("erin")}.Ref()
	carol.get("/console/access").wantPage(t, http.StatusOK, "The passkey <code>"+key+"</code> of <bdi>erin</bdi>")
	confirm := func(b *browser) answer {
		return b.post(peoplePath, "/console/access", "answer", "confirm", "name", "erin", "key", key)
	}
	confirm(bob).wantPage(t, http.StatusForbidden, "another approver must")
	again := r.device("bert", bob.caller()) // Bob, by another name
	again.sign(peoplePath+"/challenge", peoplePath, "/console/access", "answer", "confirm", "name", "erin", "key", key).wantPage(t, http.StatusForbidden, "another approver must")
	for _, other := range []string{"", guard.Passkey{ID: []byte("mallory")}.Ref()} { // what was made meanwhile
		carol.post(peoplePath, "/console/access", "answer", "confirm", "name", "erin", "key", other).wantPage(t, http.StatusConflict, "another one than the one that was shown")
	}
	if erin, _ := r.user("erin"); !erin.Fresh(time.Now()) {
		t.Fatal("who invited her confirmed her")
	}
	confirm(carol)
	if erin, _ := r.user("erin"); erin.Fresh(time.Now()) {
		t.Error("another approver did not confirm her")
	}
	events, err := r.app.Record().List(t.Context(), ledger.Filter{Kind: guard.KindUser})
	if err != nil || !strings.Contains(events[len(events)-1].Detail+events[0].Detail, "confirmed the passkey "+key+" of erin") {
		t.Errorf("the record does not name the key: %+v, %v", events, err)
	}
}
