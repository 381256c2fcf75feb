package tenants

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/naming"
	"mcp-partner/schemas"
	"mcp-partner/tenants"
)

// kindsAndEnds are two cells of a table.
func kindsAndEnds(status []schemas.CredentialView) (kinds, ends string) {
	var k, e []string
	for _, one := range status {
		k = append(k, one.Kind)
		switch {
		case one.ExpiresAt != "":
			e = append(e, one.ExpiresAt[:len(time.DateOnly)])
		case one.Expiry == string(tenants.ExpiryUnknown):
			e = append(e, "unknown")
		default:
			e = append(e, "-")
		}
	}
	return strings.Join(k, " "), strings.Join(e, " ")
}

// lastOf says when credentials last worked, and when and why they last failed.
func lastOf(status []schemas.CredentialView) (worked, failed string) {
	var w, f []string
	for _, one := range status {
		if one.LastSuccess != "" {
			w = append(w, one.LastSuccess)
		}
		if one.LastFailure != "" {
			f = append(f, one.LastFailure+" "+string(one.LastProblem))
		}
	}
	return strings.Join(w, " "), strings.Join(f, " ")
}

// newCmdList builds `tenants list`.
func newCmdList(deps *cmdutil.Deps) *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use:     "list",
		Short:   "List the tenants",
		Long:    "List the tenants of the directory. With --json: {\"tenants\":[...]}, all of them, without secrets.",
		Example: "  mcp-partner tenants list\n  mcp-partner tenants list --json",
		Args:    cmdutil.NoArguments,
		RunE:    func(command *cobra.Command, _ []string) error { return runList(command.Context(), deps, asJSON) },
	}
	command.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return command
}

func runList(_ context.Context, deps *cmdutil.Deps, asJSON bool) error {
	a, err := deps.Open(app.KeyFiles{}, nil)
	if err != nil {
		return err
	}
	defer a.Close()
	entries, err := a.Directory.List()
	if err != nil {
		return err
	}
	tenants, err := tenantsJSON(a, entries)
	if err != nil {
		return err
	}
	if asJSON {
		return deps.IO.PrintJSON(map[string][]tenantJSON{"tenants": tenants})
	}
	u := deps.IO.UI()
	if len(entries) == 0 {
		u.Line(term.Warn, "There are no tenants yet.")
		u.Field("next", "mcp-partner setup")
		return u.Err
	}
	tenantTable(u, tenants)
	return u.Err
}

// tenantJSON is a tenant for a program: what the tools see of it, and where its
// credential is sent.
type tenantJSON struct {
	schemas.Tenant
	Authority string `json:"authority"`
}

func tenantsJSON(a *app.App, entries []tenants.Entry) ([]tenantJSON, error) {
	status, err := a.Directory.Status(a.Health)
	if err != nil {
		return nil, err
	}
	views := map[string]schemas.CredentialView{}
	for _, one := range status {
		views[naming.Fold(one.Name)] = one.View()
	}
	listed := make([]tenantJSON, len(entries))
	for i, entry := range entries {
		listed[i] = tenantJSON{app.WithStatus(entry.Tenant(), views), entry.Cloud.Authority}
	}
	return listed, nil
}

func tenantTable(u *term.UI, tenants []tenantJSON) {
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
		rows[i] = []string{t.Name, t.Company, strings.Join(t.Domains, " "), t.TenantID, t.Cloud, strings.Join(t.Credentials, " "), kinds, ends, worked, failed, strings.Join(pins, " "),
			t.ExpectedPartnerID, strings.Join(t.Labels, ", "), t.Owner, t.ExternalID, t.Note}
	}
	u.Table([]string{"NAME", "COMPANY", "DOMAINS", "TENANT ID", "CLOUD", "CREDENTIALS", "KIND", "ENDS", "LAST WORKED", "LAST FAILED", "OBJECT ID", "EXPECTED", "LABELS", "OWNER", "EXTERNAL ID", "NOTE"}, rows)
}
