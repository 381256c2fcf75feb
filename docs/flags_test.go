package docs_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"mcp-partner/internal/cli"
)

const (
	flagsBegin = "<!-- flags:begin -->\n"
	flagsEnd   = "<!-- flags:end -->"
)

// TestFlagsPage holds the lists at the end of configuration.md to the flags
// themselves.
func TestFlagsPage(t *testing.T) {
	t.Parallel()
	text := read(t, "configuration.md")
	before, rest, begun := strings.Cut(text, flagsBegin)
	_, after, ended := strings.Cut(rest, flagsEnd)
	if !begun || !ended {
		t.Fatalf("configuration.md has no %s and %s around its lists of flags", strings.TrimSpace(flagsBegin), flagsEnd)
	}
	same(t, "configuration.md", before+flagsBegin+flagLists()+flagsEnd+after)
}

// source is where the value of a flag may come from beside the command line.
type source int

const (
	fromFile source = iota // a variable or config.yaml
	fromVariable
	fromNowhere
)

func sourceOf(flag cli.FlagInfo) source {
	switch {
	case flag.File:
		return fromFile
	case flag.Variable != "":
		return fromVariable
	}
	return fromNowhere
}

// flagRow is one flag of one source, in all commands that have it. usages has
// its help in each of them.
type flagRow struct {
	name             string
	commands, usages []string
}

func flagLists() string {
	titles := map[source]string{
		fromFile:     "Command line, variable or `config.yaml`",
		fromVariable: "Command line or variable",
		fromNowhere:  "Command line only",
	}
	var b strings.Builder
	for _, from := range []source{fromFile, fromVariable, fromNowhere} {
		fmt.Fprintf(&b, "### %s\n\n", titles[from])
		for _, r := range flagRows(from) {
			fmt.Fprintf(&b, "- %s (%s): %s\n", code("--"+r.name), where(r.commands), usage(r.usages))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func flagRows(from source) []*flagRow {
	byName := map[string]*flagRow{}
	var rows []*flagRow
	for _, flag := range cli.Flags() {
		if sourceOf(flag) != from {
			continue
		}
		r := byName[flag.Name]
		if r == nil {
			r = &flagRow{name: flag.Name}
			byName[flag.Name], rows = r, append(rows, r)
		}
		r.commands = append(r.commands, flag.Command)
		r.usages = append(r.usages, withDefault(flag))
	}
	slices.SortFunc(rows, func(a, b *flagRow) int { return strings.Compare(a.name, b.name) })
	return rows
}

// withDefault is the help of a flag with its default, where the help does not
// say it.
func withDefault(flag cli.FlagInfo) string {
	if slices.Contains([]string{"", "[]", "false", "0"}, flag.Default) || strings.Contains(flag.Usage, "default") {
		return flag.Usage
	}
	return flag.Usage + " (default " + flag.Default + ")"
}

// where names two commands at most: help lists them all.
func where(commands []string) string {
	if slices.Contains(commands, "") {
		return "all"
	}
	if len(commands) > 3 {
		return where(commands[:2]) + fmt.Sprintf(" and %d more", len(commands)-2)
	}
	var names []string
	for _, command := range commands {
		names = append(names, code(command))
	}
	return strings.Join(names, ", ")
}

// usage joins two meanings of a flag. Of more it takes the most frequent.
func usage(texts []string) string {
	count := map[string]int{}
	var distinct []string
	for _, text := range texts {
		if count[text]++; count[text] == 1 {
			distinct = append(distinct, text)
		}
	}
	if len(distinct) > 2 {
		slices.SortStableFunc(distinct, func(a, b string) int { return count[b] - count[a] })
		distinct = distinct[:1]
	}
	return strings.Join(distinct, "; or ")
}
