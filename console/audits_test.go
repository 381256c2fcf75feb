package console_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"mcp-partner/guard"
)

// ended loads a page until what is under way has ended.
func (b *browser) ended(path string) answer {
	b.t.Helper()
	for end := time.Now().Add(20 * time.Second); ; {
		shown := b.get(path)
		if !strings.Contains(shown.text, "data-poll") || time.Now().After(end) {
			return shown
		}
	}
}

var ownAddress = regexp.MustCompile(`/console/(audits|runs)/run_[0-9a-f]+`)

func TestAuditIsStartedReadAndKeptOnPages(t *testing.T) {
	t.Parallel()
	r := newRig(t, 4, guard.Options{})
	b := r.browser("reader")
	b.get("/console/audits").wantPage(t, http.StatusOK, "no audits yet")
	started := b.post("/console/audits", "/console/audits")
	at := started.Request.URL.Path
	b.ended(at).wantPage(t, http.StatusOK, "4 tenants checked", "contoso", "Not linked", "Linked to another</span></td>", ">"+otherID+"</span></td>")
	b.get(at+"/progress").wantPage(t, http.StatusOK, `"done":true`, "4 of 4 rows")
	for format, says := range map[string]string{"csv": "tenant", "jsonl": `"contoso"`, "html": "<title>", "markdown": "# "} {
		file := b.get(at + "/download?format=" + format)
		file.wantPage(t, http.StatusOK, says, "contoso")
		if !strings.HasPrefix(file.Header.Get("Content-Disposition"), "attachment") || !strings.HasPrefix(file.Header.Get("Content-Security-Policy"), "sandbox") {
			t.Errorf("%s: %v", format, file.Header)
		}
	}
	b.get(at+"/download?format=exe").wantPage(t, http.StatusNotFound)

	own := r.browser("contoso")
	own.get(at).wantPage(t, http.StatusNotFound, "not for you")
	own.get(at+"/progress").wantPage(t, http.StatusNotFound)
	own.get("/console/audits").wantPage(t, http.StatusOK, "no audits yet")
	other := own.ended(own.post("/console/audits", "/console/audits").Request.URL.Path)
	other.wantPage(t, http.StatusOK, "1 tenant checked")
	b.get("/console/audits").wantPage(t, http.StatusOK, "Compare two")
}

func TestTwoAuditsOfOneQuestionAreComparedOnAPage(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3, guard.Options{})
	r.audited()
	if err := r.azure.Stage("fabrikam", "contoso", ownID); err != nil {
		t.Fatal(err)
	}
	r.audited()
	b := r.browser("reader")
	ids := ownAddress.FindAllString(b.get("/console/audits").text, -1)
	later, earlier := strings.TrimPrefix(ids[0], "/console/audits/"), strings.TrimPrefix(ids[1], "/console/audits/")
	b.get("/console/audits/compare?before="+earlier+"&after="+later).wantPage(t, http.StatusOK, "1 newly linked", "1 link vanished", "contoso", "fabrikam")
	b.get("/console/audits/compare?before="+later+"&after="+later).wantPage(t, http.StatusOK, "Nothing differs")
	b.get("/console/audits/compare?before=run_0&after="+later).wantPage(t, http.StatusNotFound)
}

func TestRecordShowsEntriesOfTheGrantAlone(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3, guard.Options{AllowWrites: true, Approval: "approver"})
	id := r.askToRegister("contoso")
	r.ask("update_partner", `{"tenant":"fabrikam","partner_id":"`+ownID+`"}`)
	b := r.browser("reader")
	b.get("/console/record").wantPage(t, http.StatusOK, "contoso", "fabrikam", "sign-in", "new customer")
	b.get("/console/record?approval="+id).wantPage(t, http.StatusOK, "contoso")
	if got := b.get("/console/record?approval=" + id); strings.Contains(got.text, "fabrikam") {
		t.Error("another approval is shown")
	}
	b.get("/console/record?tenant=fabrikam&kind=asked").wantPage(t, http.StatusOK, "fabrikam")
	b.get("/console/record?from=2031-01-01").wantPage(t, http.StatusOK, "No entry fits")
	b.get("/console/record?from=31.12.2026").wantPage(t, http.StatusBadRequest, "such as 2026-12-31")
	b.post("/console/record/verify", "/console/record").wantPage(t, http.StatusOK, "Whole")
	b.get("/console/record/head").wantPage(t, http.StatusOK, `"seq"`)
	b.get("/console/record/export?format=jsonl").wantPage(t, http.StatusOK, "contoso")

	own := r.browser("contoso")
	shown := own.get("/console/record")
	shown.wantPage(t, http.StatusOK, "contoso")
	if strings.Contains(shown.text, "fabrikam") || strings.Contains(shown.text, "reader@") || strings.Contains(shown.text, "/console/record/export") {
		t.Errorf("who sees one customer is told of others: %s", shown.text)
	}
	for _, path := range []string{"/console/record/head", "/console/record/export?format=csv"} {
		own.get(path).wantPage(t, http.StatusNotFound)
	}
	own.post("/console/record/verify", "/console/customers/contoso").wantPage(t, http.StatusNotFound)
	events, err := r.app.Record().List(t.Context(), filterOfTenant("fabrikam"))
	if err != nil || len(events) == 0 {
		t.Fatal(err)
	}
	entry := "/console/record/" + itoa(events[0].Seq)
	b.get(entry).wantPage(t, http.StatusOK, "fabrikam", "Around it")
	own.get(entry).wantPage(t, http.StatusNotFound)
}

func TestRunThatWritesIsSeenByWhoSeesAllOfIt(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3, guard.Options{AllowWrites: true, Approval: "none"})
	e := r.ask("ensure_partner_links", `{"partner_id":"`+ownID+`"}`)
	if e.RunID == "" {
		t.Fatalf("no run: %+v", e)
	}
	b := r.browser("reader")
	b.get("/console/runs").wantPage(t, http.StatusOK, "/console/runs/"+e.RunID, "agent</bdi> (an agent&#39;s token)")
	b.get("/console/runs/"+e.RunID).wantPage(t, http.StatusOK, "contoso", ownID)
	b.get("/console/runs/"+e.RunID+"/progress").wantPage(t, http.StatusOK, `"done":true`)
	own := r.browser("contoso")
	own.get("/console/runs").wantPage(t, http.StatusOK, "Nothing was written")
	own.get("/console/runs/"+e.RunID).wantPage(t, http.StatusNotFound)
	b.post("/console/runs/"+e.RunID, "/console/audits").wantPage(t, http.StatusNotFound)
}
