package tools

import (
	"strings"
	"testing"

	"mcp-partner/guard"
)

func TestQuestionsEscapeUntrustedText(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"Contoso Ltd. (EU)":            "Contoso Ltd. (EU)",
		"**approved** `x`":             "\\*\\*approved\\*\\* \\`x\\`",
		"[click](https://evil.test)":   "\\[click\\](https\\://evil.test)",
		"<b>ok</b> &lt; www.evil.test": "\\<b\\>ok\\</b\\> \\&lt; www\\.evil.test",
	} {
		message := form(guard.Question{Text: "Link?", Facts: []guard.Fact{{Label: "Reason given by the caller", Value: value}}}).Message
		if got := strings.TrimPrefix(message, "Link?\nReason given by the caller: "); got != want {
			t.Errorf("%q is shown as %q, want %q", value, got, want)
		}
	}
}
