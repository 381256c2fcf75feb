package client

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/clientfile"
)

// NewCmdUninstall builds `uninstall`.
func NewCmdUninstall(deps *cmdutil.Deps) *cobra.Command {
	options := &ClientOptions{}
	command := &cobra.Command{
		Use:   "uninstall CLIENT",
		Short: "Remove this server from the configuration of an MCP client",
		Long: `Remove the entry that install wrote from a client's configuration. The command backs
the file up first and keeps everything else in it. The state directory stays; remove
it yourself if nothing else uses it.`,
		Example:   "  mcp-partner uninstall claude-desktop\n  mcp-partner uninstall vscode --scope project",
		ValidArgs: clientfile.Names(),
		Args:      cmdutil.OneArgument("the client's name"),
		RunE: func(command *cobra.Command, args []string) error {
			if err := options.Check(args[0]); err != nil {
				return err
			}
			return runUninstall(command.Context(), deps, options)
		},
	}
	options.add(command.Flags())
	return command
}

func runUninstall(_ context.Context, deps *cmdutil.Deps, o *ClientOptions) error {
	file, err := o.file(deps)
	if err != nil {
		return err
	}
	block, err := o.ours(file)
	if err != nil {
		return err
	}
	text, found, err := o.client.Remove(file.Text, o.Name)
	if err != nil {
		return untouched(file.Path, err)
	}
	u := deps.IO.UI()
	if !found {
		u.Linef(term.Plain, "%s has no server %s; nothing was changed.", o.client.Title, o.Name)
		u.Field("file", file.Path)
		return u.Err
	}
	backup, err := file.Replace(text, time.Now())
	if err != nil {
		return untouched(file.Path, err)
	}
	deps.IO.ChangeMade()
	u = deps.IO.UI()
	u.Linef(term.Good, "%s no longer has the server %s.", o.client.Title, o.Name)
	u.Field("file", file.Path)
	u.Field("backup", backup)
	changedLines(u, difference(string(block), ""))
	return u.Err
}
