package console_test

import (
	"net/http"
	"testing"

	"mcp-partner/guard"
)

func TestPagesAreForWhoIsSignedInAndMayReadThem(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3, guard.Options{AllowWrites: true, Approval: "approver"})
	r.askToRegister("contoso")
	r.browser("").get("/console/").wantPage(t, http.StatusOK, "Sign in")
	r.browser("nobody").get("/console/").wantPage(t, http.StatusForbidden, "nobody@example.com")
	r.browser("reader").get("/console/").wantPage(t, http.StatusOK, "Overview", "reader@example.com")
	r.browser("judge").get("/console/").wantPage(t, http.StatusOK, "Approvals", "contoso")
	r.browser("judge").get("/console/customers").wantPage(t, http.StatusNotFound)
	r.browser("reader").get("/console/none").wantPage(t, http.StatusNotFound, "not for you")
}
