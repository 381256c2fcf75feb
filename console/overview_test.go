package console_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"mcp-partner/fleet"
	"mcp-partner/guard"
)

func TestOverviewSaysWhatTheNewestAuditFoundAndWhatToDo(t *testing.T) {
	t.Parallel()
	r := newRig(t, 8, guard.Options{AllowWrites: true, Approval: "approver"})
	b := r.browser("alice")
	b.get("/console/").wantPage(t, http.StatusOK, "Nothing is known", "Check all customers now")
	r.audited()
	r.askToRegister("contoso")
	b.get("/console/").wantPage(t, http.StatusOK, "8 tenants checked", "Checked <time", "Not linked", "fabrikam", `role="img"`, "Put off")
	approver := r.browser("bob").get("/console/")
	approver.wantPage(t, http.StatusOK, "1 approval to decide")
	reader := r.browser("reader").get("/console/")
	if strings.Contains(reader.text, "to decide") || strings.Contains(reader.text, "/console/put-off") {
		t.Errorf("a reader is offered what only others may: %s", reader.text)
	}
	if own := r.browser("contoso").get("/console/"); strings.Contains(own.text, "fabrikam") {
		t.Errorf("who sees one customer is told of others: %s", own.text)
	}
}

func TestOverviewComparesWithTheAuditBefore(t *testing.T) {
	t.Parallel()
	r := newRig(t, 4, guard.Options{})
	if err := r.azure.Stage("northwind", "contoso", ownID); err != nil {
		t.Fatal(err)
	}
	r.audited()
	if err := r.azure.Stage("contoso", "northwind", ownID); err != nil {
		t.Fatal(err)
	}
	r.audited()
	r.browser("reader").get("/console/").wantPage(t, http.StatusOK, "1 linked, 1 lost", "link vanished", "over time", "from 2 to 2")
}

// However many customers are not linked, a link that earns nothing is among the five.
func TestOverviewNamesALinkWithoutAnEligibleRole(t *testing.T) {
	t.Parallel()
	r := newRig(t, 120, guard.Options{})
	r.auditedWith(fleet.Audit{Roles: true})
	shown := r.browser("alice").get("/console/")
	shown.wantPage(t, http.StatusOK, "The first 5 to do", ": linked without an eligible role")
	todo := regexp.MustCompile(`(?s)<ol class="todo">.*?</ol>`).FindString(shown.text)
	if n := strings.Count(todo, "<li>"); n != 5 || !strings.Contains(todo, "an eligible role") || !strings.Contains(todo, "Not linked") || !strings.Contains(todo, "Linked to another") {
		t.Errorf("%d tasks: %s", n, todo)
	}
}

func TestRowThatIsPutOffLeavesTheTasksUntilItsDay(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, guard.Options{})
	r.audited()
	b := r.browser("alice")
	day := time.Now().AddDate(0, 0, 3).Format(time.DateOnly)
	for name, fields := range map[string][]string{
		"a day that is over": {"until", "2020-01-01", "note", "x"}, "no day": {"until", "soon", "note", "x"}, "no reason": {"until", day, "note", ""},
	} {
		if got := b.post("/console/put-off", "/console/", append(fields, "tenant", "contoso", "credential", "simulator")...); got.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d", name, got.StatusCode)
		}
	}
	b.post("/console/put-off", "/console/", "tenant", "contoso", "credential", "simulator", "until", day, "note", "<i>talks</i> until spring").
		wantPage(t, http.StatusOK, "Put off: 1", "&lt;i&gt;talks&lt;/i&gt; until spring", "Show again")
	b.post("/console/put-off", "/console/", "tenant", "contoso", "credential", "simulator", "wake", "yes")
	if got := b.get("/console/"); strings.Contains(got.text, "Put off: 1") {
		t.Error("what was woken is still put off")
	}
	own := r.browser("contoso")
	if got := own.post("/console/put-off", "/console/customers/contoso", "tenant", "fabrikam", "until", day, "note", "x"); got.StatusCode != http.StatusNotFound {
		t.Errorf("put off for a customer of others: %d", got.StatusCode)
	}
}
