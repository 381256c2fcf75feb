package tenants

import (
	"cmp"
	"context"
	"iter"
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

func dayOf(at string) string { return at[:min(len(at), len(time.DateOnly))] }

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
	count, err := a.Directory.Len()
	if err != nil {
		return err
	}
	list := func(do func(schemas.Tenant)) error {
		if count == 0 {
			return nil
		}
		return fleet.Selection{Tenants: named, Labels: o.labels}.Each(described(a), do)
	}
	if o.JSON {
		// What fits no tenant is refused before anything is shown.
		if err := list(func(schemas.Tenant) {}); err != nil {
			return err
		}
		return deps.IO.PrintJSONList("tenants", func(print func(any)) error { return list(func(t schemas.Tenant) { print(t) }) })
	}
	u := o.UI(deps.IO)
	if count == 0 {
		u.Line(term.Warn, "There are no tenants yet.")
		u.Field("next", "mcp-partner setup")
		return u.Err
	}
	var rows [][]string
	if err := list(func(t schemas.Tenant) { rows = append(rows, cellsOf(t)) }); err != nil {
		return err
	}
	u.Table([]string{"COMPANY", "DOMAINS", "NAME", "TENANT ID", "CLOUD", "CREDENTIALS", "KIND", "ENDS", "LAST WORKED", "LAST FAILED", "OBJECT ID", "EXPECTED", "LABELS", "OWNER", "EXTERNAL ID", "NOTE"}, rows)
	return u.Err
}

// described goes through the tenants with all that may be told of them.
func described(a *app.App) iter.Seq2[schemas.Tenant, error] {
	return func(yield func(schemas.Tenant, error) bool) {
		status, err := a.Directory.Status(a.Health)
		if err != nil {
			yield(schemas.Tenant{}, err)
			return
		}
		views := map[string]answers.CredentialView{}
		for _, one := range status {
			views[naming.Fold(one.Name)] = one.View()
		}
		for entry, err := range a.Directory.Each() {
			if !yield(app.WithStatus(entry.Tenant(), views), err) {
				return
			}
		}
	}
}

func cellsOf(t schemas.Tenant) []string {
	var pins []string
	for _, name := range t.Credentials {
		if pin := t.ObjectIDs[name]; pin != "" {
			pins = append(pins, pin)
		}
	}
	var kinds, ends, worked, failed []string
	for _, one := range t.CredentialStatus {
		kinds = append(kinds, one.Kind)
		end := cmp.Or(dayOf(one.ExpiresAt), "-")
		if one.ExpiresAt == "" && one.Expiry == string(tenants.ExpiryUnknown) {
			end = "unknown"
		}
		ends = append(ends, end)
		if one.LastSuccess != "" {
			worked = append(worked, dayOf(one.LastSuccess))
		}
		if one.LastFailure > one.LastSuccess { // RFC 3339 in UTC sorts as text
			failed = append(failed, dayOf(one.LastFailure)+" "+string(one.LastProblem))
		}
	}
	joined := func(words []string) string { return strings.Join(words, " ") }
	return []string{t.Company, joined(t.Domains), t.Name, t.TenantID, t.Cloud, joined(t.Credentials), joined(kinds), joined(ends), joined(worked), joined(failed), joined(pins),
		t.ExpectedPartnerID, strings.Join(t.Labels, ", "), t.Owner, t.ExternalID, t.Note}
}
