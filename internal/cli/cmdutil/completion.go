package cmdutil

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mcp-partner/internal/app"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas"
)

// Completer is what cobra asks for the words that may stand at a place.
type Completer = func(command *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective)

// CompleteOne offers the names that begin as what was typed.
func CompleteOne(names func(*cobra.Command) []string) Completer {
	return func(command *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		return beginning(names(command), typed), cobra.ShellCompDirectiveNoFileComp
	}
}

// CompleteSeveral does the same behind the last comma.
func CompleteSeveral(names func(*cobra.Command) []string) Completer {
	return func(command *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		before := typed[:strings.LastIndexByte(typed, ',')+1]
		words := xslices.Map(beginning(names(command), typed[len(before):]), func(name string) string { return before + name })
		return words, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
}

// CompleteFirst offers names for the one argument of a command.
func CompleteFirst(names func(*cobra.Command) []string) Completer {
	return func(command *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return CompleteOne(names)(command, args, typed)
	}
}

func beginning(names []string, typed string) []string {
	found := xslices.Filter(names, func(name string) bool { return strings.HasPrefix(strings.ToLower(name), strings.ToLower(typed)) })
	slices.Sort(found)
	return found
}

func ToolNames(*cobra.Command) []string {
	return xslices.Map(schemas.Catalogue(), func(op schemas.Operation) string { return op.Name })
}

// TenantNames are those of the directory. Whatever is wrong with the directory,
// a completion is silent about it.
func (d *Deps) TenantNames(command *cobra.Command) (names []string) {
	d.look(command, func(a *app.App) {
		entries, _ := a.Directory.List()
		for _, entry := range entries {
			names = append(names, entry.Name)
		}
	})
	return names
}

func (d *Deps) CredentialNames(command *cobra.Command) (names []string) {
	d.look(command, func(a *app.App) {
		credentials, _ := a.Directory.Credentials()
		for _, config := range credentials {
			names = append(names, config.Name)
		}
	})
	return names
}

// look opens the state directory for a completion, if it can be opened.
func (d *Deps) look(command *cobra.Command, at func(*app.App)) {
	if d.Prepare(command, nil) != nil {
		return
	}
	a, err := d.Open(nil)
	if err != nil {
		return
	}
	defer a.Close()
	at(a)
}
