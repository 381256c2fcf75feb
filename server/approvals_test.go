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
	"mcp-partner/internal/wiretest"
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
	wiretest.OverEachHTTP(t, approvalsBehindTheGates)
}

func approvalsBehindTheGates(t *testing.T, start wiretest.Starter) {
	const approve = `{"decision":"approve","digest":"00"}`
	for name, test := range map[string]struct {
		method, path, body string
		change             func(*http.Request)
		status             int
		says               string
	}{
		"the list":               {"GET", "/approvals", "", nil, 200, `{"approvals":[{"id":"ap_1"`},
		"one":                    {"GET", "/approvals/ap_1", "", nil, 200, `"id":"ap_1"`},
		"approve":                {"POST", "/approvals/ap_1", approve, nil, 200, `"id":"ap_1"`},
		"deny":                   {"POST", "/approvals/ap_1", `{"decision":"deny","reason":"no"}`, nil, 200, `"id":"ap_1"`},
		"unknown":                {"GET", "/approvals/ap_2", "", nil, 404, "approval_unknown"},
		"deny, no reason":        {"POST", "/approvals/ap_1", `{"decision":"deny"}`, nil, 400, "reason"},
		"neither":                {"POST", "/approvals/ap_1", `{"decision":"yes"}`, nil, 400, "invalid_argument"},
		"more in it":             {"POST", "/approvals/ap_1", `{"decision":"approve","digest":"00","execute":true}`, nil, 400, "invalid_argument"},
		"decision twice":         {"POST", "/approvals/ap_1", `{"decision":"deny","reason":"no","decision":"approve","digest":"00"}`, nil, 400, "invalid_argument"},
		"digest twice":           {"POST", "/approvals/ap_1", `{"decision":"approve","digest":"11","digest":"00"}`, nil, 400, "invalid_argument"},
		"another case":           {"POST", "/approvals/ap_1", `{"Decision":"approve","digest":"00"}`, nil, 400, "invalid_argument"},
		"both cases":             {"POST", "/approvals/ap_1", `{"decision":"deny","reason":"no","DECISION":"approve","digest":"00"}`, nil, 400, "invalid_argument"},
		"a digest that is none":  {"POST", "/approvals/ap_1", `{"decision":["approve"],"digest":"00"}`, nil, 400, "invalid_argument"},
		"not UTF-8":              {"POST", "/approvals/ap_1", "{\"decision\":\"deny\",\"reason\":\"\xff\"}", nil, 400, "invalid_argument"},
		"compressed":             {"POST", "/approvals/ap_1", approve, func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }, 415, "Content-Encoding"},
		"two Origins":            {"POST", "/approvals/ap_1", approve, func(r *http.Request) { r.Header["Origin"] = []string{"http://" + r.Host, "http://" + r.Host} }, 403, "Origin"},
		"two":                    {"POST", "/approvals/ap_1", approve + approve, nil, 400, "invalid_argument"},
		"no JSON":                {"POST", "/approvals/ap_1", `decision=approve`, nil, 400, "invalid_argument"},
		"a form":                 {"POST", "/approvals/ap_1", approve, func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, 415, "application/json"},
		"too large":              {"POST", "/approvals/ap_1", `{"decision":"approve","digest":"` + strings.Repeat("0", 2<<20) + `"}`, nil, 413, "limit"},
		"another method":         {"DELETE", "/approvals/ap_1", "", nil, 405, "POST"},
		"post to the list":       {"POST", "/approvals", approve, nil, 405, "GET"},
		"below one":              {"GET", "/approvals/ap_1/x", "", nil, 404, "Not found"},
		"a slash at the end":     {"GET", "/approvals/", "", nil, 404, "Not found"},
		"escaped":                {"GET", "/approvals/ap%5F1", "", nil, 404, "Not found"},
		"no bearer":              {"GET", "/approvals", "", func(r *http.Request) { r.Header.Del("Authorization") }, 401, "Authorization"},
		"a wrong bearer":         {"POST", "/approvals/ap_1", approve, func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }, 401, "not valid"},
		"without the scope":      {"POST", "/approvals/ap_1", approve, func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+goodToken) }, 403, "insufficient_scope"},
		"a page of another site": {"POST", "/approvals/ap_1", approve, func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }, 403, "Origin"},
		"rebinding":              {"GET", "/approvals", "", func(r *http.Request) { r.Host = "evil.example" }, 403, "Host"},
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
	c := wiretest.StartHTTP(t, newServer(newFixtures(), nil), server.HTTPOptions{Bearer: server.Authenticators{approving{}}}, goodToken+"-approver")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+c.Addr+"/approvals", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+c.Bearer)
	if answer := c.Do(r); answer.Status != http.StatusNotFound {
		t.Errorf("status %d", answer.Status)
	}
}
