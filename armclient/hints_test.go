package armclient

import (
	"fmt"
	"strings"
	"testing"

	"mcp-partner/schemas/problems"
)

// A read gets no advice about a write, and a 401 none about the audience where
// ARM says that the token has expired.
func TestHintFollowsARMError(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status        int
		code, message string
		says, command string
	}{
		"api-version": {
			status: 400, code: "InvalidApiVersionParameter", message: "The api-version is invalid.", says: "no longer accepts api-version",
		},
		"expired": {status: 401, code: "ExpiredAuthenticationToken", message: "The access token has expired.", says: "clock"},
		"no principal": {
			status: 401, code: "InvalidAuthenticationToken",
			message: "The received access token is not valid: the claim 'oid' should be present.", says: "consent",
			command: "mcp-partner tenants consent-links",
		},
		"audience": {
			status: 401, code: "InvalidAuthenticationTokenAudience", message: "Wrong audience.", says: "audience",
			command: "mcp-partner doctor",
		},
		"bad request": {status: 400, code: "BadRequest", message: "Malformed.", says: "foreign_code"},
	} {
		said := parseARMError(fmt.Appendf(nil, `{"error":{"code":%q,"message":%q}}`, test.code, test.message))
		problem := problems.New(codeOfStatus(test.status), "x")
		if step := nextStepOf(problem.Code, said); step != nil {
			step(problem)
		}
		if !strings.Contains(problem.Hint, test.says) || problem.Command != test.command || strings.Contains(problem.Hint, "MPN") {
			t.Errorf("%s: hint %q, command %q", name, problem.Hint, problem.Command)
		}
	}
}
