package tenants

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
)

type removeOptions struct {
	keepLink bool
	keys     app.KeyFiles
}

func newCmdRemove(deps *cmdutil.Deps) *cobra.Command {
	options := &removeOptions{}
	command := &cobra.Command{
		Use:   "remove NAME",
		Short: "Remove a tenant from the directory, once nothing is linked there",
		Long: `Remove a tenant from the directory. The link is read first: only the identity that
holds a link can remove it, so while there is one, or while it is unknown, the
tenant stays unless --keep-link says otherwise. The entry is archived. Its
credential and the secret stay in the vault; other tenants may use them.`,
		Example: `  mcp-partner tenants remove contoso
  mcp-partner tenants remove contoso --keep-link`,
		Args: cmdutil.OneArgument("the tenant's name"),
		RunE: deps.OnApp(&options.keys, func(ctx context.Context, a *app.App, args []string) error {
			return runRemove(ctx, deps, a, args[0], options)
		}),
		ValidArgsFunction: cmdutil.CompleteFirst(deps.TenantNames),
	}
	command.Flags().BoolVar(&options.keepLink, "keep-link", false, "remove it without looking, and leave whatever is linked")
	cmdutil.AddKeyFlags(&options.keys, command.Flags())
	return command
}

func runRemove(ctx context.Context, deps *cmdutil.Deps, a *app.App, name string, o *removeOptions) error {
	entry, err := a.Directory.Resolve(name)
	if err != nil {
		return err
	}
	reason := ", with --keep-link: what was linked was not looked at"
	if !o.keepLink {
		reason = ": nothing was linked"
		if err := a.CheckUnlinked(ctx, entry, "without its entry nobody could remove that link"); err != nil {
			return err
		}
	}
	if _, err := a.Directory.Remove(ctx, entry.Name, strings.TrimLeft(reason, ",: ")); err != nil {
		return err
	}
	deps.Record(ctx, a, guard.KindDirectory, "The tenant %s (%s) was removed%s.", entry.Name, entry.TenantID, reason)
	u := deps.IO.UI()
	u.Linef(term.Good, "Removed %s%s.", entry.Name, reason)
	u.Field("archived", filepath.Join(deps.StateDir, "archive.json"))
	return u.Err
}
