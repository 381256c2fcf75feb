package cli

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"mcp-partner/internal/cli/cmdutil"
)

// helpWidth is how many columns a help text may take.
const helpWidth = 80

func TestHelpFitsOnATerminal(t *testing.T) {
	t.Parallel()
	root := NewRoot(cmdutil.NewDeps(testStreams(nil)))
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
			if n := utf8.RuneCountInString(line); n > helpWidth {
				t.Errorf("%s --help has a line of %d columns: %s", command.CommandPath(), n, line)
			}
		}
		for _, sub := range command.Commands() {
			walk(sub)
		}
	}
	walk(root)
}
