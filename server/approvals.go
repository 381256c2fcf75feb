package server

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/internal/strictjson"
	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas/problems"
	"mcp-partner/tools"
)

// approvalsPath lists what waits for an approver; one is below it.
const approvalsPath = "/approvals"

// ApprovalsAPI is where callers with the scope access.ScopeApprove decide. Its
// errors are problems, also for those without the scope.
type ApprovalsAPI interface {
	PendingApprovals(ctx context.Context, p access.Principal) ([]tools.PendingApproval, error)
	PendingApproval(ctx context.Context, p access.Principal, id string) (tools.PendingApproval, error)
	DecideApproval(ctx context.Context, p access.Principal, id string, said guard.DecisionRequest) (tools.PendingApproval, error)
}

// approvalID takes the ID out of /approvals/ID; "" is the list. ok is false for
// every other path.
func approvalID(path string) (id string, ok bool) {
	if path == approvalsPath {
		return "", true
	}
	id, below := strings.CutPrefix(path, approvalsPath+"/")
	return id, below && id != "" && !strings.ContainsAny(id, "/%")
}

// serveApprovals is no part of MCP: what approves must not be a tool of the
// agent that asks. It stands behind the same gates as MCP does.
func (t *httpTransport) serveApprovals(w http.ResponseWriter, r *http.Request, id string) *refusal {
	if t.opts.Approvals == nil {
		return nothingHere()
	}
	if !t.approvers.take("", 1) {
		return overloaded()
	}
	admitted := &admission{places: t.approvers, bodies: t.decisions}
	defer admitted.leave()
	principal, refused := t.approver(r, id)
	if refused != nil {
		return refused
	}
	if !admitted.of(principal.Caller) {
		return overloaded()
	}
	if r.Method == http.MethodPost {
		return t.decide(w, r, admitted, principal, id)
	}
	if id == "" {
		list, err := t.opts.Approvals.PendingApprovals(r.Context(), principal)
		answerJSON(w, r, map[string][]tools.PendingApproval{"approvals": list}, err)
	} else {
		shown, err := t.opts.Approvals.PendingApproval(r.Context(), principal, id)
		answerJSON(w, r, shown, err)
	}
	return nil
}

// approver passes the gates and tells who is there.
func (t *httpTransport) approver(r *http.Request, id string) (access.Principal, *refusal) {
	if refused := t.checkLength(r); refused != nil {
		return access.Principal{}, refused
	}
	switch {
	case id == "" && r.Method != http.MethodGet:
		return access.Principal{}, refuse(http.StatusMethodNotAllowed, "Use GET for the list, and POST for one approval.").with("Allow", http.MethodGet)
	case r.Method == http.MethodPost:
		if refused := checkContentType(r); refused != nil {
			return access.Principal{}, refused
		}
	case r.Method != http.MethodGet:
		return access.Principal{}, refuse(http.StatusMethodNotAllowed, "Use GET to see an approval, and POST to decide.").with("Allow", "GET, POST")
	}
	principal, refused := t.identify(r)
	if refused == nil && t.canAskFor(principal) && !principal.Grant.Has(access.ScopeApprove) {
		refused = refuse(http.StatusForbidden, "The access token lacks the scope "+string(access.ScopeApprove)+". Sign in again and ask for it.").
			with("WWW-Authenticate", t.challenge(r, "insufficient_scope", "deciding needs a scope that the token lacks", t.neededScopes(access.ScopeApprove)))
	}
	return principal, refused
}

func (t *httpTransport) decide(w http.ResponseWriter, r *http.Request, a *admission, p access.Principal, id string) *refusal {
	body, refused := t.readBody(w, r, a)
	if refused != nil {
		return refused
	}
	said, err := readRuling(body)
	var shown tools.PendingApproval
	if err == nil { // what was decided is recorded also if the approver hangs up
		shown, err = t.opts.Approvals.DecideApproval(context.WithoutCancel(r.Context()), p, id, said)
	}
	answerJSON(w, r, shown, err)
	return nil
}

func readRuling(body []byte) (guard.DecisionRequest, error) {
	body = strictjson.WithoutBOM(body)
	if _, err := strictjson.Only(body, "decision", "digest", "reason"); err != nil {
		return guard.DecisionRequest{}, badRuling("The body must be one JSON object with only decision, digest and reason, each at most once.")
	}
	var said struct{ Decision, Digest, Reason string }
	_ = json.Unmarshal(body, &said) // a member that is no text counts as missing
	switch said.Decision {
	case "approve":
		return guard.DecisionRequest{Approved: true, Digest: said.Digest}, nil
	case "deny":
		if untrusted.Sanitize(said.Reason) == "" {
			return guard.DecisionRequest{}, badRuling("A denial needs a reason for the requester.")
		}
		return guard.DecisionRequest{Reason: said.Reason}, nil
	default:
		return guard.DecisionRequest{}, badRuling("decision must be approve or deny.")
	}
}

func badRuling(message string) error {
	return problems.New(problems.CodeInvalidArgument, message,
		problems.WithHint(`Send {"decision":"approve","digest":"..."} or {"decision":"deny","reason":"..."}.`))
}

// answerJSON writes a value, or the problem in its place.
func answerJSON(w http.ResponseWriter, r *http.Request, value any, err error) {
	status := http.StatusOK
	if err != nil {
		problem := problems.As(err)
		status, value = problemStatus(problem.Code), map[string]*problems.Problem{"problem": problem}
	}
	writeValue(w, r, status, value)
}

// problemStatus is the status of an answer outside MCP.
func problemStatus(code problems.Code) int {
	return cmp.Or(map[problems.Code]int{
		problems.CodeInvalidArgument: http.StatusBadRequest, problems.CodeTokenRefused: http.StatusUnauthorized,
		problems.CodeInsufficientScope: http.StatusForbidden, problems.CodeNotAllowed: http.StatusForbidden,
		problems.CodeApprovalUnknown: http.StatusNotFound,
		problems.CodeApprovalExpired: http.StatusConflict, problems.CodeApprovalMismatch: http.StatusConflict,
	}[code], http.StatusServiceUnavailable)
}
