package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mcp-partner/schemas"
)

// completeArguments completes what the directory knows. Tools need nothing:
// they are commands.
func (f *Factory) completeArguments(command *cobra.Command, op schemas.Operation) {
	for _, name := range op.InputSchema().PropertyOrder {
		complete := cobra.NoFileCompletions
		if name == "tenant" {
			complete = f.completeTenantName
		}
		if err := command.RegisterFlagCompletionFunc(dashed(name), complete); err != nil {
			panic("cli: " + err.Error()) // the flag was made from the same schema
		}
	}
}

// completeTenantName offers the names of the directory. Whatever is wrong with
// the directory, a completion is silent about it.
func (f *Factory) completeTenantName(command *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	const nothingElse = cobra.ShellCompDirectiveNoFileComp
	if len(args) > 0 && command.ValidArgsFunction != nil || f.prepare(command, nil) != nil {
		return nil, nothingElse
	}
	h, err := f.openHouse(keyOptions{}, nil)
	if err != nil {
		return nil, nothingElse
	}
	defer h.Close()
	entries, err := h.directory.List()
	if err != nil {
		return nil, nothingElse
	}
	var names []string
	for _, entry := range entries {
		if strings.HasPrefix(strings.ToLower(entry.Name), strings.ToLower(typed)) {
			names = append(names, entry.Name)
		}
	}
	slices.Sort(names)
	return names, nothingElse
}
