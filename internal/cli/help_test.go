package cli

import (
	"bytes"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"mcp-partner/internal/cli/cmdutil"
)

// A help text takes 80 columns, and fewer where the terminal has fewer; a word that
// is longer than these stays whole.
func TestHelpFitsOnATerminal(t *testing.T) {
	t.Parallel()
	for columns, most := range map[int]int{0: 80, 60: 60, 120: 80} {
		t.Run(strconv.Itoa(columns), func(t *testing.T) {
			t.Parallel()
			checkHelpFits(t, columns, most)
		})
	}
}

func checkHelpFits(t *testing.T, columns, most int) {
	t.Helper()
	streams := testStreams(nil)
	streams.OutWidth = columns
	root := NewRoot(cmdutil.NewDeps(streams))
	var walk func(*cobra.Command)
	walk = func(command *cobra.Command) {
		if command.Name() == "completion" {
			return
		}
		var text bytes.Buffer
		command.SetOut(&text)
		if err := command.Help(); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(text.String()) {
			line = strings.TrimSuffix(line, "\n")
			if n := utf8.RuneCountInString(line); n > most && (most == helpColumns || len(strings.Fields(line)) > 1) {
				t.Errorf("%s --help has a line of %d columns: %s", command.CommandPath(), n, line)
			}
		}
		for _, sub := range command.Commands() {
			walk(sub)
		}
	}
	walk(root)
}

func TestEveryPartOfTheHelpIsAboutACommand(t *testing.T) {
	t.Parallel()
	root := NewRoot(cmdutil.NewDeps(testStreams(nil)))
	for part := range strings.SplitSeq("\n"+helpText, "\n== ") {
		path, _, _ := strings.Cut(part, "\n")
		if path == "" {
			continue
		}
		if command, _, err := root.Find(strings.Fields(path)[1:]); err != nil || command.CommandPath() != path {
			t.Errorf("help.txt has a part about %q: %v", path, err)
		}
	}
}
