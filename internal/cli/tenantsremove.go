package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"mcp-partner/guard"
	"mcp-partner/schemas"
	"mcp-partner/tenants"
)

type removeOptions struct {
	name     string
	keepLink bool
	keys     keyOptions
}

// newTenantsRemove builds `tenants remove`.
func newTenantsRemove(f *Factory) *cobra.Command {
	options := &removeOptions{}
	command := &cobra.Command{
		Use:   "remove NAME",
		Short: "Remove a tenant from the directory, once nothing is linked there",
		Long: `Remove a tenant from the directory. The link is read first: only the identity that
holds a link can remove it, so while there is one, or while it cannot be told, the
tenant stays unless --keep-link says otherwise. The entry is archived. Its
credential and the secret stay in the vault; other tenants may use them.`,
		Example: `  mcp-partner tenants remove contoso
  mcp-partner tenants remove contoso --keep-link`,
		Args: oneArgument("the tenant's name"),
		RunE: func(command *cobra.Command, args []string) error {
			options.name = args[0]
			return runTenantsRemove(command.Context(), f, options)
		},
		ValidArgsFunction: first(f.tenantNames),
	}
	command.Flags().BoolVar(&options.keepLink, "keep-link", false, "remove it without looking, and leave whatever is linked")
	options.keys.add(command.Flags())
	return command
}

func runTenantsRemove(ctx context.Context, f *Factory, o *removeOptions) error {
	h, err := f.openHouse(o.keys, nil)
	if err != nil {
		return err
	}
	defer h.Close()
	entry, err := h.directory.Resolve(o.name)
	if err != nil {
		return err
	}
	reason := ", with --keep-link: what was linked was not looked at"
	if !o.keepLink {
		reason = ": nothing was linked"
		if err := h.checkUnlinked(ctx, entry, "without its entry nobody could remove that link"); err != nil {
			return err
		}
	}
	if _, err := h.directory.Remove(ctx, entry.Name, strings.TrimLeft(reason, ",: ")); err != nil {
		return err
	}
	f.record(ctx, h, guard.KindDirectory, "The tenant %s (%s) was removed%s.", entry.Name, entry.TenantID, reason)
	u := f.IO.ui()
	u.linef(good, "Removed %s%s.", entry.Name, reason)
	u.field("archived", filepath.Join(f.StateDir, "archive.json"))
	return u.err
}

// checkUnlinked looks at the link of every credential of the entry. What would
// be lost is a part of the refusal.
func (h *house) checkUnlinked(ctx context.Context, entry tenants.Entry, lost string) error {
	for _, ref := range entry.Credentials {
		client, err := h.clients.Client(ctx, entry.Tenant(), ref.Name)
		if err != nil {
			return err
		}
		read := client.Link(ctx)
		switch {
		case read.Link.State.Absent():
		case read.Link.State == schemas.LinkLinked:
			return refused(
				fmt.Sprintf("mcp-partner call remove_partner --tenant %s --credential %s --partner-id %s --allow-writes, or give --keep-link", entry.Name, ref.Name, read.Link.PartnerID),
				"%s is still linked to partner ID %s, and %s", entry.Name, read.Link.PartnerID, lost)
		default:
			return undecided(entry.Name, read.Problem)
		}
	}
	return nil
}

func undecided(tenant string, problem *schemas.Problem) error {
	why, next := "", ""
	if problem != nil {
		why, next = " ("+strings.TrimSuffix(problem.Message, ".")+")", problem.Hint+" "
	}
	return refused(next+"Or give --keep-link.", "whether %s is still linked cannot be told%s, so it stays as it is", tenant, why)
}
