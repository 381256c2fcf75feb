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
		"api-version":  {400, "InvalidApiVersionParameter", "The api-version is invalid.", "no longer accepts api-version", ""},
		"expired":      {401, "ExpiredAuthenticationToken", "The access token has expired.", "clock", ""},
		"no principal": {401, "InvalidAuthenticationToken", "The received access token is not valid: the claim 'oid' should be present.", "consent", "mcp-partner tenants consent-links"},
		"audience":     {401, "InvalidAuthenticationTokenAudience", "Wrong audience.", "audience", "mcp-partner doctor"},
		"bad request":  {400, "BadRequest", "Malformed.", "foreign_code", ""},
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
