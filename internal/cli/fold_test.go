package cli

import "testing"

func TestFoldedExampleMayStayWiderThanTheTerminal(t *testing.T) {
	t.Parallel()
	const long = "--public-url https://mcp-partner.example.com/with/long"
	if text := foldExamples("  mcp-partner serve "+long+" --x y", 40); text != "  mcp-partner serve \\\n      "+long+" --x y" {
		t.Error(text)
	}
}
