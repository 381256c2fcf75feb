package cli

import (
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mcp-partner/internal/cli/call"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/config"
)

// FlagInfo is what the documents say of a flag.
type FlagInfo struct {
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

// Flags lists the flags of every command, in the order of the help. Arguments of
// tools are left out: the tools have pages of their own.
func Flags() []FlagInfo {
	root := newRoot(cmdutil.NewDeps(&term.Streams{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard}))
	var all []FlagInfo
	root.PersistentFlags().VisitAll(func(flag *pflag.Flag) { all = append(all, flagInfo("", flag)) })
	for _, command := range root.Commands() {
		all = append(all, flagsOfCommand(command, root)...)
	}
	return all
}

func flagsOfCommand(command, root *cobra.Command) []FlagInfo {
	if command.Name() == "help" || command.Name() == "completion" {
		return nil
	}
	name := strings.TrimPrefix(command.CommandPath(), root.Name()+" ")
	var all []FlagInfo
	command.LocalFlags().VisitAll(func(flag *pflag.Flag) {
		_, argument := flag.Value.(*call.ArgumentFlag)
		if !argument && flag.Name != "help" && root.PersistentFlags().Lookup(flag.Name) == nil {
			all = append(all, flagInfo(name, flag))
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

func flagInfo(command string, flag *pflag.Flag) FlagInfo {
	value, usage := pflag.UnquoteUsage(flag)
	info := FlagInfo{Command: command, Name: flag.Name, Value: value, Usage: usage, Default: flag.DefValue, File: config.IsStanding(flag)}
	if first, _, found := strings.Cut(command, " "); found && first == "call" {
		info.Command = "call TOOL"
	}
	if !config.IsTyped(flag) {
		info.Variable = config.EnvName(flag.Name)
	}
	return info
}
