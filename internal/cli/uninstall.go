package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"mcp-partner/internal/clientfile"
)

// newUninstall builds `uninstall`.
func newUninstall(f *Factory) *cobra.Command {
	options := &clientOptions{}
	command := &cobra.Command{
		Use:   "uninstall CLIENT",
		Short: "Take this server out of the configuration of an MCP client",
		Long: `Take the entry that install has written out of a client's configuration. The file
is copied beside itself first, and what stands in it besides is left as it is. The
state directory stays too: remove it yourself if nothing else uses it.`,
		Example:   "  mcp-partner uninstall claude-desktop\n  mcp-partner uninstall vscode --scope project",
		ValidArgs: clientfile.Names(),
		Args:      oneArgument("the client's name"),
		RunE: func(command *cobra.Command, args []string) error {
			if err := options.check(args[0]); err != nil {
				return err
			}
			return runUninstall(command.Context(), f, options)
		},
	}
	options.add(command.Flags())
	return command
}

func runUninstall(_ context.Context, f *Factory, o *clientOptions) error {
	file, err := o.file(f)
	if err != nil {
		return err
	}
	block, err := o.ours(file)
	if err != nil {
		return err
	}
	text, found, err := o.client.Remove(file.Text, o.name)
	if err != nil {
		return untouched(file.Path, err)
	}
	u := f.IO.ui()
	if !found {
		u.linef(plain, "%s has no server %s; nothing was changed.", o.client.Title, o.name)
		u.field("file", file.Path)
		return u.err
	}
	backup, err := file.Replace(text, time.Now())
	if err != nil {
		return untouched(file.Path, err)
	}
	u.linef(good, "%s no longer has the server %s.", o.client.Title, o.name)
	u.field("file", file.Path)
	u.field("backup", backup)
	u.changedLines(difference(string(block), ""))
	u.field("next", o.client.Restart)
	return u.err
}
