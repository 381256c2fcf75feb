package docs_test

import (
	"strings"
	"testing"

	"mcp-partner/schemas/problems"
)

const errorsIntro = `# Errors

<!-- Generated from schemas/problems/codes.jsonl. To write it anew: go test ./docs -update -->

A call that was refused or failed carries a ` + "`problem`" + `. Branch on ` + "`problem.code`" + `: this page lists every code, what it means and *what to
do*. Messages and hints in an answer may be more precise.

- A *refused* call was malformed, not allowed or not confirmed, and nothing was written. A *failed* one did not work, or its answer is unknown.
- *retry*: the same call may succeed later, after ` + "`retry_after_seconds`" + ` if the service said so.
- ` + "`next_tool`" + ` names the tool to call next, ` + "`command`" + ` what a person runs in a shell for the next step.
- ` + "`foreign_code` and `foreign_message`" + ` are untrusted text of ARM or Entra ID; ` + "`arm_request_id` and `correlation_id`" + ` are for Microsoft's
  support.

After ` + "`write_unconfirmed`, `write_not_applied` and `concurrent_change`" + ` a request was sent: read the link first.

`

func TestErrorsPage(t *testing.T) {
	t.Parallel()
	same(t, "errors.md", errorsPage())
}

func errorsPage() string {
	var b strings.Builder
	b.WriteString(errorsIntro)
	for _, refusal := range []bool{true, false} {
		b.WriteString(map[bool]string{true: "## Refused\n\n", false: "\n## Failed\n\n"}[refusal])
		for _, info := range problems.Codes() {
			if info.Refusal == refusal {
				b.WriteString("- " + code(string(info.Code)) + retry(info) + ": " + info.Meaning + " *" + info.Hint + "*" + command(info) + "\n")
			}
		}
	}
	return b.String()
}

func command(info problems.Info) string {
	if info.Command == "" {
		return ""
	}
	return " " + code(info.Command)
}

func retry(info problems.Info) string {
	if info.Retryable {
		return " (retry)"
	}
	return ""
}
