package docs_test

import (
	"strings"
	"testing"

	"mcp-partner/schemas"
)

const errorsIntro = `# Errors

<!-- Generated from schemas/codes.go. To write it anew: go test ./docs -update -->

A call that was refused or failed carries a ` + "`problem`" + `. Branch on ` + "`problem.code`" + `: this page lists every code. Messages and hints are for
people and may be more precise than here.

- **Status**: *refused* means that the call was malformed, not allowed or not confirmed, and nothing was written. *failed* means that it did not
  work, or that the answer is not known.
- **Retry**: whether the same call may succeed later. ` + "`retry_after_seconds`" + ` is set if the service said how long to wait.
- ` + "`next_tool`" + ` names the tool to call next.
- ` + "`foreign_code` and `foreign_message`" + ` are untrusted text of ARM or Entra ID.
- ` + "`arm_request_id` and `correlation_id`" + ` are for Microsoft's support.

After ` + "`write_unconfirmed`, `write_not_applied` and `concurrent_change`" + ` a request was sent: read the link first.

`

func TestErrorsPage(t *testing.T) {
	t.Parallel()
	same(t, "errors.md", errorsPage())
}

func errorsPage() string {
	var b strings.Builder
	b.WriteString(errorsIntro)
	b.WriteString(head("Code", "What it means", "Status", "Retry", "What to do"))
	for _, info := range schemas.Codes() {
		b.WriteString(row(code(string(info.Code)), info.Meaning, statusOf(info), yesNo(info.Retryable), info.Hint))
	}
	return b.String()
}

func statusOf(info schemas.CodeInfo) string {
	if info.Refusal {
		return string(schemas.StatusRefused)
	}
	return string(schemas.StatusFailed)
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}
