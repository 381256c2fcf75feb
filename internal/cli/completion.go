package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mcp-partner/internal/clientfile"
	"mcp-partner/schemas"
)

// completer is what cobra asks for the words that may stand at a place.
type completer = func(command *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective)

// completing reports whether a shell asks for completions.
func completing(args []string) bool {
	return len(args) > 0 && (args[0] == cobra.ShellCompRequestCmd || args[0] == cobra.ShellCompNoDescRequestCmd)
}

// completeFlags says of each flag of each command what it takes. Only a shell
// that asks needs it.
func (f *Factory) completeFlags(command *cobra.Command) {
	command.NonInheritedFlags().VisitAll(func(flag *pflag.Flag) {
		complete := f.completerOf(flag)
		if complete == nil {
			return
		}
		if err := command.RegisterFlagCompletionFunc(flag.Name, complete); err != nil {
			panic("cli: " + err.Error()) // no two commands share a flag
		}
	})
	for _, sub := range command.Commands() {
		f.completeFlags(sub)
	}
}

// completerOf is nil for flags without a value and for files, which shells know
// themselves.
func (f *Factory) completerOf(flag *pflag.Flag) completer {
	value, _ := pflag.UnquoteUsage(flag)
	switch {
	case flag.Value.Type() == "bool" || value == "FILE" || value == "DIR":
		return nil
	case flag.Name == "tenant":
		return one(f.tenantNames)
	case flag.Name == "tenants" && flag.Value.Type() != "int":
		return several(f.tenantNames)
	case flag.Name == "tool":
		return one(toolNames)
	case flag.Name == "tools":
		return several(toolNames)
	case flag.Name == "credential":
		return one(f.credentialNames)
	case flag.Name == "client":
		return one(func(*cobra.Command) []string { return clientfile.Names() })
	case strings.Contains(value, " or "):
		choices := strings.Split(strings.ReplaceAll(value, " or ", ", "), ", ")
		return one(func(*cobra.Command) []string { return choices })
	}
	return cobra.NoFileCompletions
}

// one offers the names that begin as what was typed.
func one(names func(*cobra.Command) []string) completer {
	return func(command *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		return beginning(names(command), typed), cobra.ShellCompDirectiveNoFileComp
	}
}

// several does the same behind the last comma.
func several(names func(*cobra.Command) []string) completer {
	return func(command *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		before := typed[:strings.LastIndexByte(typed, ',')+1]
		var words []string
		for _, name := range beginning(names(command), typed[len(before):]) {
			words = append(words, before+name)
		}
		return words, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
}

// first offers names for the one argument of a command.
func first(names func(*cobra.Command) []string) completer {
	return func(command *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return one(names)(command, args, typed)
	}
}

func beginning(names []string, typed string) []string {
	var found []string
	for _, name := range names {
		if strings.HasPrefix(strings.ToLower(name), strings.ToLower(typed)) {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	return found
}

func toolNames(*cobra.Command) []string {
	var names []string
	for _, op := range schemas.Catalogue() {
		names = append(names, op.Name)
	}
	return names
}

// tenantNames are those of the directory. Whatever is wrong with the directory,
// a completion is silent about it.
func (f *Factory) tenantNames(command *cobra.Command) (names []string) {
	f.look(command, func(h *house) {
		entries, _ := h.directory.List()
		for _, entry := range entries {
			names = append(names, entry.Name)
		}
	})
	return names
}

func (f *Factory) credentialNames(command *cobra.Command) (names []string) {
	f.look(command, func(h *house) {
		credentials, _ := h.directory.Credentials()
		for _, config := range credentials {
			names = append(names, config.Name)
		}
	})
	return names
}

// look opens the state directory for a completion, if it can be opened.
func (f *Factory) look(command *cobra.Command, at func(*house)) {
	if f.prepare(command, nil) != nil {
		return
	}
	h, err := f.openHouse(keyOptions{}, nil)
	if err != nil {
		return
	}
	defer h.Close()
	at(h)
}
