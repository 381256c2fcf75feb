package docs_test

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mcp-partner/internal/cli"
	"mcp-partner/internal/cli/call"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/config"
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
func settings() []flagInfo {
	var all []flagInfo
	for _, flag := range allFlags() {
		known := func(other flagInfo) bool { return other.Name == flag.Name }
		if flag.File && !slices.ContainsFunc(all, known) {
			all = append(all, flag)
		}
	}
	slices.SortFunc(all, func(a, b flagInfo) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// byCommand has a line for each command with the flags that are no settings.
// Commands with the same flags share a line.
func byCommand() []string {
	flags := map[string][]string{}
	for _, flag := range allFlags() {
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
func withDefault(flag flagInfo) string {
	if slices.Contains([]string{"", "[]", "false", "0"}, flag.Default) || strings.Contains(flag.Usage, "default") {
		return flag.Usage
	}
	return flag.Usage + " (default " + flag.Default + ")"
}

// flagInfo is what the documents say of a flag.
type flagInfo struct {
	// Command is the command without the program's name; "" for all commands.
	Command string
	Name    string
	// Value is how the value is called in --help; "" for a switch.
	Value, Usage, Default string
	// Variable is the environment variable; "" for a flag that has to be typed.
	Variable string
	// File is true where the config file may have it.
	File bool
}

// allFlags lists the flags of every command, in the order of the help. Arguments of
// tools are left out: the tools have pages of their own.
func allFlags() []flagInfo {
	root := cli.NewRoot(cmdutil.NewDeps(&term.Streams{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard}))
	var all []flagInfo
	root.PersistentFlags().VisitAll(func(flag *pflag.Flag) { all = append(all, flagInfoOf("", flag)) })
	for _, command := range root.Commands() {
		all = append(all, flagsOfCommand(command, root)...)
	}
	return all
}

func flagsOfCommand(command, root *cobra.Command) []flagInfo {
	if command.Name() == "help" || command.Name() == "completion" {
		return nil
	}
	name := strings.TrimPrefix(command.CommandPath(), root.Name()+" ")
	var all []flagInfo
	command.LocalFlags().VisitAll(func(flag *pflag.Flag) {
		_, argument := flag.Value.(*call.ArgumentFlag)
		if !argument && flag.Name != "help" && root.PersistentFlags().Lookup(flag.Name) == nil {
			all = append(all, flagInfoOf(name, flag))
		}
	})
	if name == "call" {
		return append(all, flagsOfCommand(command.Commands()[0], root)...) // all tools have the same
	}
	for _, sub := range command.Commands() {
		all = append(all, flagsOfCommand(sub, root)...)
	}
	return all
}

func flagInfoOf(command string, flag *pflag.Flag) flagInfo {
	value, usage := pflag.UnquoteUsage(flag)
	info := flagInfo{Command: command, Name: flag.Name, Value: value, Usage: usage, Default: flag.DefValue, File: config.IsStanding(flag)}
	if first, _, found := strings.Cut(command, " "); found && first == "call" {
		info.Command = "call TOOL"
	}
	if !config.IsTyped(flag) {
		info.Variable = config.EnvName(flag.Name)
	}
	return info
}
