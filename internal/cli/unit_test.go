package cli

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/config"
	"mcp-partner/internal/exit"
)

// TestEveryCommandHasHelpAndExample also checks that no flag appears twice.
func TestEveryCommandHasHelpAndExample(t *testing.T) {
	t.Parallel()
	var walk func(*cobra.Command)
	walk = func(command *cobra.Command) {
		if command.Name() == "completion" || command.Name() == "help" {
			return
		}
		if command.Short == "" || command.Example == "" || !strings.Contains(command.Example, "mcp-partner") {
			t.Errorf("%s has no short text or no example", command.CommandPath())
		}
		command.LocalFlags().VisitAll(func(flag *pflag.Flag) {
			if flag.Usage == "" {
				t.Errorf("%s --%s says nothing", command.CommandPath(), flag.Name)
			}
		})
		for _, sub := range command.Commands() {
			walk(sub)
		}
	}
	walk(NewRoot(cmdutil.NewDeps(testStreams(nil))))
}

// TestEveryFlagHasAVariable sets each flag of each command by its variable.
func TestEveryFlagHasAVariable(t *testing.T) {
	t.Parallel()
	samples := map[string]string{"bool": "true", "int": "3", "uint64": "3", "duration": "3s", "time": "2026-01-31", config.ListType: "a,b"}
	var walk func(*cobra.Command)
	walk = func(command *cobra.Command) {
		command.Flags().AddFlagSet(command.InheritedFlags())
		command.Flags().VisitAll(func(flag *pflag.Flag) {
			if config.IsTyped(flag) {
				return
			}
			sample := samples[flag.Value.Type()]
			if choices := config.ChoicesOf(flag); choices != nil {
				sample = choices[len(choices)-1]
			} else if sample == "" {
				sample = "text"
			}
			env := func(name string) (string, bool) { return sample, name == config.EnvName(flag.Name) }
			if err := config.Apply(command.Flags(), env, config.File{}); err != nil || !flag.Changed {
				t.Errorf("%s --%s is not set by %s: %v", command.CommandPath(), flag.Name, config.EnvName(flag.Name), err)
			}
		})
		for _, sub := range command.Commands() {
			walk(sub)
		}
	}
	walk(NewRoot(cmdutil.NewDeps(testStreams(nil))))
}

// TestNoFlagTakesASecret looks for flags whose value would be a secret. The
// path of a file, or the word to read standard input, is no secret.
func TestNoFlagTakesASecret(t *testing.T) {
	t.Parallel()
	for _, name := range cmdutil.AllFlags(NewRoot(cmdutil.NewDeps(testStreams(nil))), func(flag *pflag.Flag) bool { return flag.Value.Type() != "bool" }) {
		if config.Secretive(name) {
			t.Errorf("--%s looks as if it took a secret", name)
		}
	}
}

func testStreams(env map[string]string) *term.Streams {
	return &term.Streams{
		In: strings.NewReader(""), Out: new(bytes.Buffer), Err: new(bytes.Buffer),
		Env:      func(name string) (string, bool) { value, ok := env[name]; return value, ok },
		Terminal: func() (term.Terminal, error) { return nil, term.ErrNothingTyped },
	}
}

// gone is an output whose reader went away.
type gone struct{}

func (gone) Write([]byte) (int, error) {
	return 0, &os.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.EPIPE}
}

func TestClosedPipeIsSilent(t *testing.T) {
	t.Parallel()
	var errs bytes.Buffer
	streams := testStreams(map[string]string{"MCP_PARTNER_STATE_DIR": t.TempDir()})
	streams.Out, streams.Err = gone{}, &errs
	if code := Run(t.Context(), streams, []string{"tools"}); code != exit.CodeFailed || errs.Len() != 0 {
		t.Errorf("exit %d, said %q", code, errs.String())
	}
}

// TestPlaceholdersAreUpperCase holds help to one form: --label NAME, and
// not --label 2026-11.
func TestPlaceholdersAreUpperCase(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^[A-Z][A-Z-]*([:=][A-Z]+)?$`)
	var walk func(*cobra.Command)
	walk = func(command *cobra.Command) {
		command.LocalFlags().VisitAll(func(flag *pflag.Flag) {
			if placeholder, _ := pflag.UnquoteUsage(flag); flag.Value.Type() != "bool" && !form.MatchString(placeholder) {
				t.Errorf("%s --%s %s", command.CommandPath(), flag.Name, placeholder)
			}
		})
		for _, sub := range command.Commands() {
			walk(sub)
		}
	}
	walk(NewRoot(cmdutil.NewDeps(testStreams(nil))))
}
