package docs_test

import (
	"slices"
	"strings"
	"testing"

	"mcp-partner/internal/cli"
)

const (
	flagsBegin = "<!-- flags:begin -->\n"
	flagsEnd   = "<!-- flags:end -->"
)

// TestFlagsPage holds the table at the end of configuration.md to the flags
// themselves.
func TestFlagsPage(t *testing.T) {
	t.Parallel()
	text := read(t, "configuration.md")
	before, rest, begun := strings.Cut(text, flagsBegin)
	_, after, ended := strings.Cut(rest, flagsEnd)
	if !begun || !ended {
		t.Fatalf("configuration.md has no %s and %s around its table of flags", strings.TrimSpace(flagsBegin), flagsEnd)
	}
	same(t, "configuration.md", before+flagsBegin+flagTable()+flagsEnd+after)
}

// flagTable has a row for each flag that means the same in all its commands.
func flagTable() string {
	type meaning struct{ name, value, usage, standard, variable, file string }
	commands := map[meaning][]string{}
	var order []meaning
	for _, flag := range cli.Flags() {
		m := meaning{flag.Name, flag.Value, flag.Usage, flag.Default, "yes", yesNo(flag.File)}
		if flag.Variable == "" {
			m.variable = "typed"
		}
		if commands[m] == nil {
			order = append(order, m)
		}
		commands[m] = append(commands[m], flag.Command)
	}
	slices.SortStableFunc(order, func(a, b meaning) int { return strings.Compare(a.name, b.name) })
	var b strings.Builder
	b.WriteString(head("Flag", "Commands", "Default", "Variable", "File", "What it does"))
	for _, m := range order {
		b.WriteString(row(code("--"+m.name), where(commands[m]), standard(m.standard), m.variable, m.file, m.usage))
	}
	return b.String()
}

func where(commands []string) string {
	if slices.Contains(commands, "") {
		return "all"
	}
	var names []string
	for _, command := range commands {
		names = append(names, code(command))
	}
	return strings.Join(names, ", ")
}

func standard(text string) string {
	if text == "" || text == "[]" || text == "false" {
		return ""
	}
	return code(text)
}
