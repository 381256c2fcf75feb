package docs_test

import (
	"fmt"
	"maps"
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

// flagLists are the settings with their help, then the other flags by command.
func flagLists() string {
	var b strings.Builder
	b.WriteString("### Settings: command line, variable or `config.yaml`\n\n")
	for _, setting := range settings() {
		fmt.Fprintf(&b, "- %s: %s\n", code("--"+setting.Name), withDefault(setting))
	}
	b.WriteString("\n### Other flags by command\n\nA flag marked `*` has no variable: it is typed.\n\n")
	for _, line := range byCommand() {
		b.WriteString(line + "\n")
	}
	b.WriteString("\n")
	return b.String()
}

// settings are the flags that config.yaml may have, each once.
func settings() []cli.FlagInfo {
	var all []cli.FlagInfo
	for _, flag := range cli.Flags() {
		known := func(other cli.FlagInfo) bool { return other.Name == flag.Name }
		if flag.File && !slices.ContainsFunc(all, known) {
			all = append(all, flag)
		}
	}
	slices.SortFunc(all, func(a, b cli.FlagInfo) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// byCommand has a line for each command with the flags that are no settings.
// Commands with the same flags share a line.
func byCommand() []string {
	flags := map[string][]string{}
	for _, flag := range cli.Flags() {
		if flag.File {
			continue
		}
		name := code("--" + flag.Name)
		if flag.Variable == "" {
			name += "*"
		}
		flags[flag.Command] = append(flags[flag.Command], name)
	}
	commands := map[string][]string{}
	for _, command := range slices.Sorted(maps.Keys(flags)) {
		list := strings.Join(flags[command], " ")
		commands[list] = append(commands[list], commandName(command))
	}
	var lines []string
	for list, names := range commands {
		lines = append(lines, "- "+strings.Join(names, ", ")+": "+list)
	}
	slices.Sort(lines)
	return lines
}

func commandName(command string) string {
	if command == "" {
		return "every command"
	}
	return code(command)
}

// withDefault is the help of a flag with its default, where the help does not
// say it.
func withDefault(flag cli.FlagInfo) string {
	if slices.Contains([]string{"", "[]", "false", "0"}, flag.Default) || strings.Contains(flag.Usage, "default") {
		return flag.Usage
	}
	return flag.Usage + " (default " + flag.Default + ")"
}
