package tenants

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mcp-partner/fleet"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/naming"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/tenants"
)

func kindsAndEnds(status []answers.CredentialView) (kinds, ends string) {
	var k, e []string
	for _, one := range status {
		k = append(k, one.Kind)
		switch {
		case one.ExpiresAt != "":
			e = append(e, dayOf(one.ExpiresAt))
		case one.Expiry == string(tenants.ExpiryUnknown):
			e = append(e, "unknown")
		default:
			e = append(e, "-")
		}
	}
	return strings.Join(k, " "), strings.Join(e, " ")
}

// dayOf is the date of an RFC 3339 time.
func dayOf(at string) string { return at[:min(len(at), len(time.DateOnly))] }

func lastOf(status []answers.CredentialView) (worked, failed string) {
	var w, f []string
	for _, one := range status {
		if one.LastSuccess != "" {
			w = append(w, dayOf(one.LastSuccess))
		}
		if one.LastFailure > one.LastSuccess { // RFC 3339 in UTC sorts as text
			f = append(f, dayOf(one.LastFailure)+" "+string(one.LastProblem))
		}
	}
	return strings.Join(w, " "), strings.Join(f, " ")
}

type listOptions struct {
	cmdutil.ListFlags
	labels cmdutil.List
}

func newCmdList(deps *cmdutil.Deps) *cobra.Command {
	options := &listOptions{}
	command := &cobra.Command{
		Use:   "list [GLOB]",
		Short: "List the tenants",
		Long:  "List the tenants of the directory, or those whose name, domain or tenant ID fits. No secret is shown.",
		Example: `  mcp-partner tenants list
  mcp-partner tenants list 'contoso-*' --labels gold
  mcp-partner tenants list --json`,
		Args:              cmdutil.AtMostOneArgument("a name or a glob"),
		ValidArgsFunction: cmdutil.CompleteFirst(deps.TenantNames),
		RunE: deps.OnApp(func(_ context.Context, a *app.App, args []string) error {
			return runList(deps, a, options, args)
		}),
	}
	command.Flags().Var(&options.labels, "labels", "only tenants with all of these `LABELS`")
	options.Add(command.Flags(), "tenants")
	return command
}

func runList(deps *cmdutil.Deps, a *app.App, o *listOptions, named []string) error {
	entries, err := a.Directory.List()
	if err != nil {
		return err
	}
	tenants, err := tenantsJSON(a, entries)
	if err != nil {
		return err
	}
	if len(entries) > 0 {
		if tenants, err = selected(tenants, fleet.Selection{Tenants: named, Labels: o.labels}); err != nil {
			return err
		}
	}
	if o.JSON {
		return deps.IO.PrintJSON(map[string][]tenantJSON{"tenants": tenants})
	}
	u := o.UI(deps.IO)
	if len(entries) == 0 {
		u.Line(term.Warn, "There are no tenants yet.")
		u.Field("next", "mcp-partner setup")
		return u.Err
	}
	tenantTable(u, tenants)
	return u.Err
}

func selected(all []tenantJSON, s fleet.Selection) ([]tenantJSON, error) {
	views, byName := make([]schemas.Tenant, len(all)), make(map[string]tenantJSON, len(all))
	for i, t := range all {
		views[i], byName[t.Name] = t.Tenant, t
	}
	chosen, err := s.Of(views)
	found := make([]tenantJSON, len(chosen))
	for i, t := range chosen {
		found[i] = byName[t.Name]
	}
	return found, err
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
	views := map[string]answers.CredentialView{}
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
		rows[i] = []string{t.Company, strings.Join(t.Domains, " "), t.Name, t.TenantID, t.Cloud, strings.Join(t.Credentials, " "), kinds, ends, worked, failed, strings.Join(pins, " "),
			t.ExpectedPartnerID, strings.Join(t.Labels, ", "), t.Owner, t.ExternalID, t.Note}
	}
	u.Table([]string{"COMPANY", "DOMAINS", "NAME", "TENANT ID", "CLOUD", "CREDENTIALS", "KIND", "ENDS", "LAST WORKED", "LAST FAILED", "OBJECT ID", "EXPECTED", "LABELS", "OWNER", "EXTERNAL ID", "NOTE"}, rows)
}
