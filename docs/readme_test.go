package docs_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

// readme is the first page of the repository.
const readme = "../README.md"

const (
	tableBegin = "<!-- tools:begin -->\n"
	tableEnd   = "<!-- tools:end -->"
)

func TestReadmeToolTable(t *testing.T) {
	t.Parallel()
	text := read(t, readme)
	before, rest, begun := strings.Cut(text, tableBegin)
	_, after, ended := strings.Cut(rest, tableEnd)
	if !begun || !ended {
		t.Fatalf("%s has no %s and %s around its table of tools", readme, strings.TrimSpace(tableBegin), tableEnd)
	}
	same(t, readme, before+tableBegin+toolTable()+tableEnd+after)
}

// maxReadme bounds the first page, in bytes: beyond it nobody reads to the end.
const maxReadme = 9_000

// TestReadmeIsShortAndInOrder keeps what a new user needs first.
func TestReadmeIsShortAndInOrder(t *testing.T) {
	t.Parallel()
	text := read(t, readme)
	if len(text) >= maxReadme {
		t.Errorf("%s has %d bytes", readme, len(text))
	}
	var order []int
	for _, mark := range []string{
		"\n\nPartner Admin Link (PAL) tells Microsoft ", "](docs/session.svg)", "$ go run ", "$ go test ", "](docs/README.md)",
		"## Set up", "## Connect a client", "## Tools", "## Safety", "## Troubleshooting", "## License",
	} {
		order = append(order, strings.Index(text, mark))
	}
	if slices.Contains(order, -1) || !slices.IsSorted(order) {
		t.Errorf("%s lacks something, or has it in another order: %v", readme, order)
	}
}

var firstCell = regexp.MustCompile("(?m)^\\| ((?:`[a-z_]+`(?:, )?)+) \\|")

// TestTroubleshootingNamesCodesThatExist reads the table by message.
func TestTroubleshootingNamesCodesThatExist(t *testing.T) {
	t.Parallel()
	_, table, _ := strings.Cut(read(t, readme), "## Troubleshooting")
	cells := firstCell.FindAllStringSubmatch(table, -1)
	if len(cells) < 4 {
		t.Fatalf("%d rows name codes", len(cells))
	}
	known := []string{string(answers.StatusApprovalRequired)}
	for _, info := range problems.Codes() {
		known = append(known, string(info.Code))
	}
	for _, cell := range cells {
		for name := range strings.SplitSeq(cell[1], ", ") {
			if !slices.Contains(known, strings.Trim(name, "`")) {
				t.Errorf("%s explains %s, which no answer has", readme, name)
			}
		}
	}
}
