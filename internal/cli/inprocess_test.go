package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/contractverify"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/config"
	"mcp-partner/internal/exit"
)

// inputKey is where a script keeps the standard input of its next command line.
const inputKey = "input"

// script is what a script hands from one command to the next.
type script struct{ input []byte }

// inputCommand sets the standard input of the next command line: input FILE.
func inputCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: input FILE")
	}
	ts.Value(inputKey).(*script).input = []byte(ts.ReadFile(args[0]))
}

// runCommand runs a command line in this process, with the streams, variables
// and working directory of the script: [!] run ARGUMENTS. A test that needs
// signals, a terminal or the environment of a process starts mcp-partner itself,
// with exec.
func runCommand(ts *testscript.TestScript, neg bool, args []string) {
	state := ts.Value(inputKey).(*script)
	streams := &term.Streams{
		In: bytes.NewReader(state.input), Out: ts.Stdout(), Err: ts.Stderr(),
		Env:      func(name string) (string, bool) { return variable(ts, name) },
		Terminal: func() (term.Terminal, error) { return nil, errors.New("there is no terminal") },
	}
	state.input = nil
	streams.Environ = settingsOf(streams)
	code := Run(context.Background(), streams, absolutePaths(ts, args), contractverify.NewCmd)
	if (code != exit.CodeDone) != neg {
		ts.Fatalf("exit status %d", code)
	}
}

// variable looks a variable of a script up. Files are those of the script.
func variable(ts *testscript.TestScript, name string) (string, bool) {
	value := ts.Getenv(name)
	isPath := strings.HasSuffix(name, "_FILE") || strings.HasSuffix(name, "_DIR") || name == config.EnvName("config")
	if isPath && value != "" {
		value = ts.MkAbs(value)
	}
	return value, value != ""
}

// settingsOf lists the variables of a script that name settings.
func settingsOf(streams *term.Streams) []string {
	var environ []string
	for _, name := range cmdutil.AllFlags(NewRoot(cmdutil.NewDeps(&term.Streams{Out: io.Discard, Err: io.Discard})), func(*pflag.Flag) bool { return true }) {
		if value, ok := streams.Env(config.EnvName(name)); ok {
			environ = append(environ, config.EnvName(name)+"="+value)
		}
	}
	return environ
}

// absolutePaths makes the files that a command line names those of the script:
// all scripts share the working directory of this process.
func absolutePaths(ts *testscript.TestScript, args []string) []string {
	deps := cmdutil.NewDeps(&term.Streams{Out: io.Discard, Err: io.Discard})
	root := NewRoot(deps)
	root.AddCommand(contractverify.NewCmd(deps))
	command, _, err := root.Find(args)
	if err != nil {
		return args
	}
	args = slices.Clone(args)
	for i, arg := range args {
		switch name, value, joined := strings.Cut(arg, "="); {
		case strings.HasPrefix(arg, "-") && joined && takesPath(command, name) && value != "":
			args[i] = name + "=" + ts.MkAbs(value)
		case i > 0 && takesPath(command, args[i-1]) && arg != "" && arg != "-":
			args[i] = ts.MkAbs(arg)
		case i > 0 && args[i-1] == command.Name() && takesFile(command) && !strings.HasPrefix(arg, "-"):
			args[i] = ts.MkAbs(arg)
		}
	}
	return args
}

// takesPath reports whether the value of a flag is a file or a folder.
func takesPath(command *cobra.Command, written string) bool {
	name := strings.TrimLeft(written, "-")
	if len(name) == len(written) {
		return false
	}
	flag := command.Flags().Lookup(name)
	if flag == nil {
		flag = command.InheritedFlags().Lookup(name)
	}
	if flag == nil && len(name) == 1 {
		flag = command.Flags().ShorthandLookup(name)
	}
	if flag == nil {
		return false
	}
	value, _ := pflag.UnquoteUsage(flag)
	return value == "FILE" || value == "DIR"
}

// takesFile reports whether the argument of a command is a file.
func takesFile(command *cobra.Command) bool {
	return slices.Contains([]string{"import", "backup", "restore"}, command.Name())
}
