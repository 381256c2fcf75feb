package docs_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mcp-partner/internal/cli"
	"mcp-partner/internal/cli/term"
	"mcp-partner/schemas"
)

var (
	longFlag   = regexp.MustCompile(`--([a-z][a-z-]+)`)
	flagLine   = regexp.MustCompile(`(?m)^ +(?:-\w, )?--([a-z][a-z-]+)`)
	subcommand = regexp.MustCompile(`(?m)^  ([a-z_-]+) +\S`)
)

// TestEveryFlagIsDocumented compares the flags that the help of all commands
// shows with those that configuration.md names, in both directions. The
// arguments of tools are documented in tools.md.
func TestEveryFlagIsDocumented(t *testing.T) {
	t.Parallel()
	page := read(t, "configuration.md")
	documented := map[string]bool{}
	for _, match := range longFlag.FindAllStringSubmatch(page, -1) {
		documented[match[1]] = true
	}
	known := map[string]string{}
	collectFlags(t, known)
	arguments := toolArguments()
	for flag, command := range known {
		if !documented[flag] && !arguments[flag] {
			t.Errorf("configuration.md does not name --%s of mcp-partner %s", flag, command)
		}
	}
	for flag := range documented {
		if _, ok := known[flag]; !ok {
			t.Errorf("configuration.md names --%s, which no command has", flag)
		}
	}
}

// toolArguments are the arguments of all tools, spelled as flags.
func toolArguments() map[string]bool {
	flags := map[string]bool{}
	for _, op := range schemas.Catalogue() {
		for _, name := range op.InputSchema().PropertyOrder {
			flags[strings.ReplaceAll(name, "_", "-")] = true
		}
	}
	return flags
}

// collectFlags goes through a command and its subcommands. Those that cobra
// makes for shells are not ours to document.
func collectFlags(t *testing.T, into map[string]string, command ...string) {
	text := helpOf(t, command)
	_, flags, _ := strings.Cut(text, "\nFlags:\n")
	for _, match := range flagLine.FindAllStringSubmatch(flags, -1) {
		into[match[1]] = strings.Join(command, " ")
	}
	_, list, _ := strings.Cut(text, "\nExamples:\n")
	_, list, _ = strings.Cut(list, "\n\n")
	list, _, _ = strings.Cut(list, "\nFlags:\n")
	for _, match := range subcommand.FindAllStringSubmatch(list, -1) {
		if name := match[1]; name != "completion" && name != "help" {
			collectFlags(t, into, append(append([]string{}, command...), name)...)
		}
	}
}

func helpOf(t *testing.T, command []string) string {
	t.Helper()
	out, exit := run(append(append([]string{}, command...), "--help")...)
	if exit != 0 {
		t.Fatalf("mcp-partner %s --help ended with %d: %s", strings.Join(command, " "), exit, out)
	}
	return out
}

// run runs a command line without an environment and a terminal.
func run(args ...string) (output string, exit int) {
	var out bytes.Buffer
	streams := &term.Streams{
		In: strings.NewReader(""), Out: &out, Err: &out,
		Env:      func(string) (string, bool) { return "", false },
		Terminal: func() (term.Terminal, error) { return nil, errors.New("there is none") },
	}
	exit = cli.Run(context.Background(), streams, args)
	return out.String(), exit
}

var yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// TestConfigExampleIsAccepted hands the page's config.yaml to the program.
func TestConfigExampleIsAccepted(t *testing.T) {
	t.Parallel()
	blocks := yamlBlock.FindAllStringSubmatch(read(t, "configuration.md"), -1)
	if len(blocks) == 0 {
		t.Fatal("configuration.md has no example of config.yaml")
	}
	for _, block := range blocks {
		path := filepath.Join(t.TempDir(), "config.yaml")
		if err := os.WriteFile(path, []byte(block[1]), 0o600); err != nil {
			t.Fatal(err)
		}
		out, exit := run("tools", "--config", path, "--state-dir", t.TempDir())
		if exit != 0 {
			t.Errorf("the program does not take the example: %s", out)
		}
	}
}
