package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"mcp-partner/internal/naming"
	"mcp-partner/schemas"
	"mcp-partner/tenants"
)

// newTenantsList builds `tenants list`.
func newTenantsList(f *Factory) *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use:     "list",
		Short:   "List the tenants",
		Long:    "List the tenants of the directory. With --json: {\"tenants\":[...]}, all of them, without secrets.",
		Example: "  mcp-partner tenants list\n  mcp-partner tenants list --json",
		Args:    noArguments,
		RunE:    func(command *cobra.Command, _ []string) error { return runTenantsList(command.Context(), f, asJSON) },
	}
	command.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return command
}

func runTenantsList(_ context.Context, f *Factory, asJSON bool) error {
	h, err := f.openHouse(keyOptions{}, nil)
	if err != nil {
		return err
	}
	defer h.Close()
	entries, err := h.directory.List()
	if err != nil {
		return err
	}
	tenants, err := h.tenantsJSON(entries)
	if err != nil {
		return err
	}
	if asJSON {
		return f.IO.printJSON(map[string][]tenantJSON{"tenants": tenants})
	}
	u := f.IO.ui()
	if len(entries) == 0 {
		u.line(warn, "There are no tenants yet.")
		u.field("next", "mcp-partner setup")
		return u.err
	}
	u.tenantTable(tenants)
	return u.err
}

// tenantJSON is a tenant for a program: what the tools see of it, and where its
// credential is sent.
type tenantJSON struct {
	schemas.Tenant
	Authority string `json:"authority"`
}

func (h *house) tenantsJSON(entries []tenants.Entry) ([]tenantJSON, error) {
	status, err := h.directory.Status(h.health)
	if err != nil {
		return nil, err
	}
	views := map[string]schemas.CredentialView{}
	for _, one := range status {
		views[naming.Fold(one.Name)] = one.View()
	}
	listed := make([]tenantJSON, len(entries))
	for i, entry := range entries {
		listed[i] = tenantJSON{withStatus(entry.Tenant(), views), entry.Cloud.Authority}
	}
	return listed, nil
}

func (u *ui) tenantTable(tenants []tenantJSON) {
	rows := make([][]string, len(tenants))
	for i, t := range tenants {
		var pins []string
		for _, name := range t.Credentials {
			if pin := t.ObjectIDs[name]; pin != "" {
				pins = append(pins, pin)
			}
		}
		kinds, ends := kindsAndEnds(t.CredentialStatus)
		worked, failed := lastOf(t.CredentialStatus)
		rows[i] = []string{t.Name, t.TenantID, strings.Join(t.Domains, " "), t.Cloud, strings.Join(t.Credentials, " "), kinds, ends, worked, failed, strings.Join(pins, " "),
			t.ExpectedPartnerID, strings.Join(t.Labels, ", "), t.Owner, t.ExternalID, t.Note}
	}
	u.table([]string{"NAME", "TENANT ID", "DOMAINS", "CLOUD", "CREDENTIALS", "KIND", "ENDS", "LAST WORKED", "LAST FAILED", "OBJECT ID", "EXPECTED", "LABELS", "OWNER", "EXTERNAL ID", "NOTE"}, rows)
}
