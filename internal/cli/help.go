package cli

import (
	"bytes"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/clientfile"
	"mcp-partner/internal/config"
)

// helpColumns is how wide a help text is at most.
const helpColumns = 80

// showHelpOn makes every help text of a root fit the terminal.
func showHelpOn(root *cobra.Command, streams *term.Streams) {
	width := helpColumns
	if streams.OutWidth > 0 {
		width = min(width, streams.OutWidth)
	}
	show := root.HelpFunc()
	root.SetHelpFunc(func(command *cobra.Command, args []string) {
		long, example := command.Long, command.Example
		command.Long, command.Example = term.Reflow(long, width), foldExamples(example, width)
		defer func() { command.Long, command.Example = long, example }()
		out := command.OutOrStdout()
		var text bytes.Buffer
		command.SetOut(&text)
		defer command.SetOut(out)
		show(command, args)
		// What pflag writes behind each boolean flag goes, and the columns stay; the
		// one optional value is written as it is typed.
		const noise = "[=true|false]"
		path := command.CommandPath()
		plain := strings.NewReplacer(
			noise, strings.Repeat(" ", len(noise)), " N[=10]", "[=N]   ",
			`Use "`+path+` [command] --help" for more information about a command.`, `Run "`+path+` COMMAND --help" for details.`,
		).Replace(wrapFlags(command, text.String(), width))
		_, _ = io.WriteString(out, term.WrapItems(plain, width)) // a help text is all that was asked for
	})
}

// wrapFlags breaks the lines about flags. Cobra does so with a template: beside one
// the linker keeps each method of each type, which are 5 MB.
func wrapFlags(command *cobra.Command, text string, width int) string {
	for _, flags := range []*pflag.FlagSet{command.LocalFlags(), command.InheritedFlags()} {
		text = strings.Replace(text, flags.FlagUsages(), flags.FlagUsagesWrapped(width), 1)
	}
	return text
}

// newHelp builds `help`, which refuses a command that there is not.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Show the help of a command",
		RunE: func(command *cobra.Command, args []string) error {
			about, rest, err := command.Root().Find(args)
			switch {
			case err != nil:
				return err
			case about.HasSubCommands() && len(rest) > 0:
				return cmdutil.NoArguments(about, rest)
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	}
}

// foldExamples continues long command lines on the next line, as a shell takes
// them.
func foldExamples(text string, width int) string {
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		for len(line) > width {
			at := strings.LastIndex(line[:width-1], " --")
			if at <= len("     ") {
				break
			}
			lines = append(lines, line[:at]+` \`)
			line = "     " + line[at:]
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// completeFlags says of each flag of each command what it takes. Only a shell
// that asks needs it.
func completeFlags(deps *cmdutil.Deps, command *cobra.Command) {
	command.NonInheritedFlags().VisitAll(func(flag *pflag.Flag) {
		complete := completerOf(deps, flag)
		if complete == nil {
			return
		}
		if err := command.RegisterFlagCompletionFunc(flag.Name, complete); err != nil {
			panic("cli: " + err.Error()) // no two commands share a flag
		}
	})
	for _, sub := range command.Commands() {
		completeFlags(deps, sub)
	}
}

// completerOf is nil for flags without a value and for files, which shells know
// themselves.
func completerOf(deps *cmdutil.Deps, flag *pflag.Flag) cmdutil.Completer {
	value, _ := pflag.UnquoteUsage(flag)
	switch {
	case flag.Value.Type() == "bool" || value == "FILE" || value == "DIR":
		return nil
	case flag.Name == "tenant":
		return cmdutil.CompleteOne(deps.TenantNames)
	case flag.Name == "tenants" && flag.Value.Type() != "int":
		return cmdutil.CompleteSeveral(deps.TenantNames)
	case flag.Name == "tool":
		return cmdutil.CompleteOne(cmdutil.ToolNames)
	case flag.Name == "tools":
		return cmdutil.CompleteSeveral(cmdutil.ToolNames)
	case flag.Name == "credential":
		return cmdutil.CompleteOne(deps.CredentialNames)
	case flag.Name == "client":
		return cmdutil.CompleteOne(func(*cobra.Command) []string { return clientfile.Names() })
	case config.ChoicesOf(flag) != nil:
		return cmdutil.CompleteOne(func(*cobra.Command) []string { return config.ChoicesOf(flag) })
	}
	return cobra.NoFileCompletions
}
