package tenants

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
)

func newCmdRemove(deps *cmdutil.Deps) *cobra.Command {
	var keepLink bool
	command := &cobra.Command{
		Use:   "remove NAME",
		Short: "Remove a tenant that has no link from the directory",
		Long: `Remove a tenant from the directory. The command reads the link first: only the
identity that holds a link can remove it, so a tenant with a link, or with an unknown
one, stays unless --keep-link is given. The entry is archived. Its credential and
secret stay in the vault, where other tenants may use them.`,
		Example: `  mcp-partner tenants remove contoso
  mcp-partner tenants remove contoso --keep-link`,
		Args: cmdutil.OneArgument("the tenant's name"),
		RunE: deps.OnApp(func(ctx context.Context, a *app.App, args []string) error {
			return runRemove(ctx, deps, a, args[0], keepLink)
		}),
		ValidArgsFunction: cmdutil.CompleteFirst(deps.TenantNames),
	}
	command.Flags().BoolVar(&keepLink, "keep-link", false, "remove it without reading the link, and leave the link as it is")
	deps.AddKeyFlags(command.Flags())
	return command
}

func runRemove(ctx context.Context, deps *cmdutil.Deps, a *app.App, name string, keepLink bool) error {
	entry, err := a.Directory.Resolve(name)
	if err != nil {
		return err
	}
	reason := ", with --keep-link: the link was not read"
	if !keepLink {
		reason = ": nothing was linked"
		if err := a.CheckUnlinked(ctx, entry, "only this identity can remove that link"); err != nil {
			return err
		}
	}
	if _, err := a.Directory.Remove(ctx, entry.Name, strings.TrimLeft(reason, ",: ")); err != nil {
		return err
	}
	deps.Record(ctx, a, guard.KindDirectory, "The tenant %s (%s) was removed%s.", entry.Name, entry.TenantID, reason)
	u := deps.IO.UI()
	u.Linef(term.Good, "Removed %s%s.", entry.Name, reason)
	u.Field("archived", a.Files.File("archive.json"))
	return u.Err
}
