package console_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"mcp-partner/schemas"
)

func TestFreezeStopsAtOnceAndAnApproverLiftsIt(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3, approvers())
	alice, bob, reader := r.browser("alice"), r.browser("bob"), r.browser("reader")
	alice.get("/console/").wantPage(t, http.StatusOK, `href="/console/freeze"`)
	if shown := reader.get("/console/freeze"); strings.Contains(shown.text, "<form") || !strings.Contains(shown.text, "Nothing is stopped") {
		t.Errorf("a reader sees:\n%s", shown.text)
	}
	alice.post("/console/freeze", "/console/freeze", "what", "writes").wantPage(t, http.StatusBadRequest, "needs a reason")
	alice.post("/console/freeze", "/console/freeze", "what", "writes", "reason", "<script>odd\u202e").wantPage(t, http.StatusOK, "Stopped: writes.", "&lt;script&gt;odd</bdi>", string(alice.caller()))
	if now, err := r.guard.Frozen(t.Context()); err != nil || !now.Writes || now.Reads || now.By != string(alice.caller()) {
		t.Errorf("%+v %v", now, err)
	}
	if e := r.ask(schemas.ToolRegisterPartner, registers); e.Problem == nil || e.Problem.Code != "frozen" {
		t.Errorf("a write: %+v", e)
	}
	reader.get("/console/").wantPage(t, http.StatusOK, "Frozen: writes stopped by")
	if shown := alice.get("/console/freeze"); strings.Contains(shown.text, ">Lift the freeze<") {
		t.Error("who may not approve is shown how to lift it")
	}
	for _, path := range []string{"/console/freeze/lift", "/console/freeze/lift/challenge"} {
		alice.post(path, "/console/freeze", "answer", "approve").wantPage(t, http.StatusNotFound)
	}

	digest := found(t, shownDigest, bob.get("/console/freeze").text)
	alice.post("/console/freeze", "/console/freeze", "what", "writes", "reason", "worse").wantPage(t, http.StatusOK, "worse")
	bob.post("/console/freeze/lift", "/signout", "answer", "approve", "digest", digest).wantPage(t, http.StatusConflict, "another one than the one that was shown")
	bob.signIn("bob", 6*time.Minute)
	digest = found(t, shownDigest, r.browser("bob").get("/console/freeze").text)
	bob.post("/console/freeze/lift", "/signout", "answer", "approve", "digest", digest).wantPage(t, http.StatusForbidden, "Nothing was decided", "fresh=1")
	if now, _ := r.guard.Frozen(t.Context()); !now.Writes {
		t.Error("it was lifted")
	}
	bob.signIn("bob", 0)
	bob.post("/console/freeze/lift", "/console/freeze", "answer", "approve", "digest", digest).wantPage(t, http.StatusOK, "Nothing is stopped")
	if now, err := r.guard.Frozen(t.Context()); err != nil || now.Scope() != "" {
		t.Errorf("%+v %v", now, err)
	}
	alice.post("/console/freeze", "/console/freeze", "what", "everything", "reason", "all of it").wantPage(t, http.StatusOK, "Stopped: writes and reads.")
	if e := r.ask(schemas.ToolCheckPartnerLink, `{"tenant":"contoso"}`); e.Problem == nil || e.Problem.Code != "frozen" {
		t.Errorf("a read: %+v", e)
	}
}

// A freeze of reads stops calls, and hides nothing that was read before.
func TestWhatIsStoredIsShownWhileReadsAreFrozen(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3, approvers())
	r.audited()
	alice := r.browser("alice")
	audit := "/console/audits/" + strings.TrimPrefix(found(t, regexp.MustCompile(`href="/console/audits/(run_[0-9a-f]+)"`), alice.get("/console/audits").text), "/")
	alice.post("/console/freeze", "/console/freeze", "what", "everything", "reason", "all of it")
	for path, says := range map[string]string{"/console/": "3 tenants checked", "/console/customers": "fabrikam", "/console/customers/fabrikam": otherID, "/console/audits": "finished", audit: "fabrikam"} {
		alice.get(path).wantPage(t, http.StatusOK, says, "Frozen: writes and reads stopped by")
	}
	alice.post("/console/customers/fabrikam", "/console/customers/fabrikam", "do", schemas.ToolCheckPartnerLink).wantPage(t, http.StatusOK, "all of it", `class="problem"`)
	alice.post("/console/audits", "/console/audits").wantPage(t, http.StatusServiceUnavailable, "all of it")
}

func TestFreezeIsNotShownToWhoWasGivenNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3, approvers())
	alice, nobody := r.browser("alice"), r.browser("nobody")
	alice.post("/console/freeze", "/console/freeze", "what", "writes", "reason", "worse").wantPage(t, http.StatusOK, "worse")
	if got := nobody.get("/console/"); got.StatusCode != http.StatusForbidden || strings.Contains(got.text, string(alice.caller())) {
		t.Errorf("status %d:\n%s", got.StatusCode, got.text)
	}
}
