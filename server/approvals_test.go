package server_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/schemas/problems"
	"mcp-partner/server"
	"mcp-partner/tools"
)

// fakeApprovals answers as if one approval waited, and remembers what was decided.
type fakeApprovals struct {
	mu   sync.Mutex
	said []guard.DecisionRequest
	by   []access.Caller
}

func mayDecide(p access.Principal) error {
	if !p.Grant.Has(access.ScopeApprove) {
		return problems.New(problems.CodeInsufficientScope, "no")
	}
	return nil
}

func (a *fakeApprovals) PendingApprovals(_ context.Context, p access.Principal) ([]tools.PendingApproval, error) {
	return []tools.PendingApproval{{ID: "ap_1"}}, mayDecide(p)
}

func (a *fakeApprovals) PendingApproval(_ context.Context, p access.Principal, id string) (tools.PendingApproval, error) {
	if err := mayDecide(p); err != nil {
		return tools.PendingApproval{}, err
	}
	if id != "ap_1" {
		return tools.PendingApproval{}, guard.UnknownApproval()
	}
	return tools.PendingApproval{ID: id}, nil
}

func (a *fakeApprovals) DecideApproval(ctx context.Context, p access.Principal, id string, said guard.DecisionRequest) (tools.PendingApproval, error) {
	shown, err := a.PendingApproval(ctx, p, id)
	if err == nil {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.said, a.by = append(a.said, said), append(a.by, p.Caller)
	}
	return shown, err
}

// approving lets in one caller who may approve and one who may not.
type approving struct{}

// Takes implements server.Authenticator.
func (approving) Takes(string) bool { return true }

// Authenticate implements server.Authenticator.
func (approving) Authenticate(ctx context.Context, token string) (access.Principal, error) {
	p, err := namedTokens{}.Authenticate(ctx, token)
	if p.Caller == "tester-approver" {
		p.Grant.Scopes = append(p.Grant.Scopes, access.ScopeApprove)
	}
	return p, err
}

func TestApprovalsOverHTTPPassEveryGate(t *testing.T) {
	t.Parallel()
	overEachHTTP(t, approvalsBehindTheGates)
}

func approvalsBehindTheGates(t *testing.T, start starter) {
	const approve = `{"decision":"approve","digest":"00"}`
	for name, test := range map[string]struct {
		method, path, body string
		change             func(*http.Request)
		status             int
		says               string
	}{
		"the list": {method: "GET", path: "/approvals", status: 200, says: `{"approvals":[{"id":"ap_1"`},
		"one":      {method: "GET", path: "/approvals/ap_1", status: 200, says: `"id":"ap_1"`},
		"approve":  {method: "POST", path: "/approvals/ap_1", body: approve, status: 200, says: `"id":"ap_1"`},
		"deny": {
			method: "POST", path: "/approvals/ap_1", body: `{"decision":"deny","reason":"no"}`, status: 200, says: `"id":"ap_1"`,
		},
		"unknown":         {method: "GET", path: "/approvals/ap_2", status: 404, says: "approval_unknown"},
		"deny, no reason": {method: "POST", path: "/approvals/ap_1", body: `{"decision":"deny"}`, status: 400, says: "reason"},
		"neither":         {method: "POST", path: "/approvals/ap_1", body: `{"decision":"yes"}`, status: 400, says: "invalid_argument"},
		"more in it": {
			method: "POST", path: "/approvals/ap_1", body: `{"decision":"approve","digest":"00","execute":true}`, status: 400,
			says: "invalid_argument",
		},
		"decision twice": {
			method: "POST", path: "/approvals/ap_1", body: `{"decision":"deny","reason":"no","decision":"approve","digest":"00"}`,
			status: 400, says: "invalid_argument",
		},
		"digest twice": {
			method: "POST", path: "/approvals/ap_1", body: `{"decision":"approve","digest":"11","digest":"00"}`, status: 400,
			says: "invalid_argument",
		},
		"another case": {
			method: "POST", path: "/approvals/ap_1", body: `{"Decision":"approve","digest":"00"}`, status: 400, says: "invalid_argument",
		},
		"both cases": {
			method: "POST", path: "/approvals/ap_1", body: `{"decision":"deny","reason":"no","DECISION":"approve","digest":"00"}`,
			status: 400, says: "invalid_argument",
		},
		"a digest that is none": {
			method: "POST", path: "/approvals/ap_1", body: `{"decision":["approve"],"digest":"00"}`, status: 400, says: "invalid_argument",
		},
		"not UTF-8": {
			method: "POST", path: "/approvals/ap_1", body: "{\"decision\":\"deny\",\"reason\":\"\xff\"}", status: 400,
			says: "invalid_argument",
		},
		"compressed": {
			method: "POST", path: "/approvals/ap_1", body: approve,
			change: func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }, status: 415, says: "Content-Encoding",
		},
		"two Origins": {
			method: "POST", path: "/approvals/ap_1", body: approve,
			change: func(r *http.Request) { r.Header["Origin"] = []string{"http://" + r.Host, "http://" + r.Host} }, status: 403,
			says: "Origin",
		},
		"two":     {method: "POST", path: "/approvals/ap_1", body: approve + approve, status: 400, says: "invalid_argument"},
		"no JSON": {method: "POST", path: "/approvals/ap_1", body: `decision=approve`, status: 400, says: "invalid_argument"},
		"a form": {
			method: "POST", path: "/approvals/ap_1", body: approve,
			change: func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, status: 415, says: "application/json",
		},
		"too large": {
			method: "POST", path: "/approvals/ap_1", body: `{"decision":"approve","digest":"` + strings.Repeat("0", 2<<20) + `"}`,
			status: 413, says: "limit",
		},
		"another method":     {method: "DELETE", path: "/approvals/ap_1", status: 405, says: "POST"},
		"post to the list":   {method: "POST", path: "/approvals", body: approve, status: 405, says: "GET"},
		"below one":          {method: "GET", path: "/approvals/ap_1/x", status: 404, says: "Not found"},
		"a slash at the end": {method: "GET", path: "/approvals/", status: 404, says: "Not found"},
		"escaped":            {method: "GET", path: "/approvals/ap%5F1", status: 404, says: "Not found"},
		"no bearer": {
			method: "GET", path: "/approvals", change: func(r *http.Request) { r.Header.Del("Authorization") }, status: 401,
			says: "Authorization",
		},
		"a wrong bearer": {
			method: "POST", path: "/approvals/ap_1", body: approve,
			change: func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }, status: 401, says: "not valid",
		},
		"without the scope": {
			method: "POST", path: "/approvals/ap_1", body: approve,
			change: func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+goodToken) }, status: 403, says: "insufficient_scope",
		},
		"a page of another site": {
			method: "POST", path: "/approvals/ap_1", body: approve,
			change: func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }, status: 403, says: "Origin",
		},
		"rebinding": {
			method: "GET", path: "/approvals", change: func(r *http.Request) { r.Host = "evil.example" }, status: 403, says: "Host",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &fakeApprovals{}
			c := start(t, newServer(newFixtures(), nil), server.HTTPOptions{Bearer: server.Authenticators{approving{}}, Approvals: d}, goodToken+"-approver")
			r, err := http.NewRequestWithContext(t.Context(), test.method, c.Base+test.path, strings.NewReader(test.body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+c.Bearer)
			r.Header.Set("Content-Type", "application/json")
			if test.change != nil {
				test.change(r)
			}
			answer := c.Do(r)
			if answer.Status != test.status || !strings.Contains(string(answer.Body), test.says) || !json.Valid(answer.Body) {
				t.Errorf("status %d, want %d that says %q: %.300s", answer.Status, test.status, test.says, answer.Body)
			}
			if decided := test.status == 200 && test.method == "POST"; decided != (len(d.said) == 1) {
				t.Errorf("decided %+v", d.said)
			} else if decided && d.by[0] != "tester-approver" {
				t.Errorf("decided by %q", d.by[0])
			}
		})
	}
}

func TestApprovalsPathIsMissingWithoutApprovalsAPI(t *testing.T) {
	t.Parallel()
	c := serveHTTP(t, newServer(newFixtures(), nil), server.HTTPOptions{Bearer: server.Authenticators{approving{}}}, goodToken+"-approver")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+c.Addr+"/approvals", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+c.Bearer)
	if answer := c.Do(r); answer.Status != http.StatusNotFound {
		t.Errorf("status %d", answer.Status)
	}
}
