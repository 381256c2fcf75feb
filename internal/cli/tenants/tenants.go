// Package tenants has the commands of the directory of tenants.
package tenants

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mcp-partner/fleet"
	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/tenantimport"
	"mcp-partner/schemas"
	"mcp-partner/tenants"
)

// NewCmdTenants builds `tenants` with its subcommands.
func NewCmdTenants(deps *cmdutil.Deps) *cobra.Command {
	return cmdutil.Parent("tenants", "Manage the tenant directory",
		newCmdAdd(deps), newCmdList(deps), newCmdSet(deps), newCmdImport(deps),
		newCmdExport(deps), newCmdRemove(deps), newCmdConsentLinks(deps), newCmdDiscover(deps))
}

func dayOf(at string) string { return at[:min(len(at), len(time.DateOnly))] }

type listOptions struct {
	cmdutil.ListFlags
	labels cmdutil.List
}

func newCmdList(deps *cmdutil.Deps) *cobra.Command {
	options := &listOptions{}
	command := &cobra.Command{
		Use:               "list [GLOB]",
		Short:             "List the tenants",
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
		return fleet.Selection{Tenants: named, Labels: o.labels}.Each(app.Directory{Directory: a.Directory, Health: a.Health}.Counted(), do)
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
		string(t.ExpectedPartnerID), strings.Join(t.Labels, ", "), t.Owner, t.ExternalID, t.Note}
}

func newCmdExport(deps *cmdutil.Deps) *cobra.Command {
	var output cmdutil.OutputFlags
	command := &cobra.Command{
		Use:   "export",
		Short: "Export the directory as CSV, without secrets",
		RunE: deps.OnApp(func(_ context.Context, a *app.App, _ []string) error {
			text, err := exportCSV(a)
			if err != nil {
				return err
			}
			return output.WriteText(deps.IO, text)
		}),
	}
	output.Add(command.Flags(), "write to this `FILE` instead of standard output")
	return command
}

func exportCSV(a *app.App) ([]byte, error) {
	entries, err := a.Directory.List()
	if err != nil {
		return nil, err
	}
	rows := make([]tenantimport.Row, len(entries))
	for i, entry := range entries {
		// It would come back as several labels.
		if slices.ContainsFunc(entry.Labels, func(label string) bool { return strings.ContainsAny(label, tenantimport.ListSeparators) }) {
			return nil, exit.Refused("print the directory with mcp-partner tenants list --json", "a label of %s contains ; or |, which separate labels in CSV", entry.Name)
		}
		config, err := a.Directory.Credential(entry.Credentials[0].Name)
		if err != nil {
			return nil, err
		}
		rows[i] = tenantimport.RowOf(entry, config)
	}
	return tenantimport.EncodeColumns(tenantimport.Columns(), rows)
}

func newCmdRemove(deps *cmdutil.Deps) *cobra.Command {
	var keepLink bool
	command := &cobra.Command{
		Use:   "remove NAME",
		Short: "Remove a tenant that has no link from the directory",
		Args:  cmdutil.OneArgument("the tenant's name"),
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
	u.Field("archived", a.Files.File(tenants.DirectoryFile))
	return u.Err
}
