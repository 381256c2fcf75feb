package pec

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"mcp-partner/internal/app"
	"mcp-partner/internal/auditreport"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/phrase"
	"mcp-partner/internal/usage"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
)

type reconcileOptions struct {
	file, format string
	keep         bool
	output       cmdutil.OutputFlags
	table        cmdutil.TableFlags
	cmdutil.SessionFlags
}

func newCmdReconcile(deps *cmdutil.Deps) *cobra.Command {
	options := &reconcileOptions{}
	command := &cobra.Command{
		Use:   "reconcile FILE",
		Short: "Join billed usage with links and roles, and name what is missing",
		Args:  cmdutil.OneArgument("a file of billed usage"),
		RunE: func(command *cobra.Command, args []string) error {
			options.file = args[0]
			return runReconcile(command.Context(), deps, options)
		},
	}
	flags := command.Flags()
	cmdutil.AddChoice(flags, &options.format, "format", "`FORMAT` of the report", "table", "csv", "html", "json")
	options.output.Add(flags, "write to this `FILE`, which only you can read")
	options.table.Add(flags, "--format csv")
	flags.Lookup("all").Usage = "show every row of the table, also what is in order"
	flags.BoolVar(&options.keep, "keep", false, "keep the totals for agents to read")
	options.Simulate.Add(flags)
	options.Fleet.Add(flags)
	return command
}

func runReconcile(ctx context.Context, deps *cmdutil.Deps, o *reconcileOptions) error {
	if err := o.output.Check(); err != nil {
		return err
	}
	file, err := readUsage(ctx, deps, o.file)
	if err != nil {
		return err
	}
	session, err := deps.StartSession(ctx, &o.SessionFlags)
	if err != nil {
		return err
	}
	defer session.Close()
	deps.Unlock(ctx, session.App, schemas.ToolCheckPECRoles)
	facts, err := readFacts(ctx, deps, session, file, o.Fleet.Concurrency)
	if err != nil {
		return err
	}
	found := auditreport.NewReconciliation(file, facts, "mcp-partner "+app.BuildInfo().Version)
	if o.keep {
		if err := session.KeepReconciliation(found.Kept(time.Now())); err != nil {
			return err
		}
	}
	err = o.output.Write(deps.IO, func(w io.Writer) error { return o.write(deps, w, found) })
	if err == nil && o.output.Path != "" {
		deps.IO.Note("wrote " + o.output.Path + " (" + o.format + "): " + found.Summary)
	}
	return err
}

func readUsage(ctx context.Context, deps *cmdutil.Deps, path string) (usage.File, error) {
	in := deps.IO.In
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return usage.File{}, exit.Usage("check its path and permissions, or - for standard input", "%s cannot be opened", path)
		}
		defer func() { _ = file.Close() }() // it was read
		in = file
	}
	found, err := usage.Read(ctx, in)
	switch {
	case ctx.Err() != nil:
		return usage.File{}, ctx.Err()
	case err != nil:
		return usage.File{}, exit.Usage("correct the file, or export it again", "%s: %s", path, err)
	case len(found.Subscriptions) == 0:
		return usage.File{}, exit.Usage("export the usage of an Azure plan", "%s names no subscription in %s", path, phrase.Count(found.Lines, "line"))
	}
	return found, nil
}

// subscriptionsACall is how many subscriptions one call of the tool takes.
const subscriptionsACall = 100

// tenantsAtOnce bounds how many tenants are asked about at the same time: each
// asks about several subscriptions at once.
const tenantsAtOnce = 16

// readFacts reads links and roles of the tenants that the directory holds.
func readFacts(ctx context.Context, deps *cmdutil.Deps, session *app.Session, file usage.File, most int) (map[string]usage.Facts, error) {
	entries, err := session.Directory.List()
	if err != nil {
		return nil, err
	}
	wanted := map[string][]string{}
	for _, s := range file.Subscriptions {
		wanted[s.TenantID] = append(wanted[s.TenantID], s.SubscriptionID)
	}
	bar := deps.IO.ProgressBar()
	defer bar.Clear()
	var mu sync.Mutex
	facts := map[string]usage.Facts{}
	var group errgroup.Group
	group.SetLimit(min(most, tenantsAtOnce))
	for _, entry := range entries {
		ids := wanted[strings.ToLower(entry.TenantID)]
		if len(ids) == 0 {
			continue
		}
		group.Go(func() error {
			found := factsOf(ctx, session, entry.Tenant(), ids)
			mu.Lock()
			defer mu.Unlock()
			facts[strings.ToLower(entry.TenantID)] = found
			bar.Draw(len(facts), len(wanted))
			return nil
		})
	}
	_ = group.Wait() // each tenant has its own reason
	return facts, ctx.Err()
}

// factsOf asks about the subscriptions of one tenant, so many a call.
func factsOf(ctx context.Context, session *app.Session, tenant schemas.Tenant, ids []string) usage.Facts {
	facts := usage.Facts{Company: tenant.Company, Domain: tenant.Domain(), Tenant: tenant.Name, Roles: &answers.PECRoles{}}
	for some := range slices.Chunk(ids, subscriptionsACall) {
		e := callRoles(ctx, session, schemas.CheckPECRolesInput{
			Target: schemas.Target{Tenant: tenant.Name}, Subscriptions: some, Limit: subscriptionsACall,
		})
		if e.Link != nil {
			facts.Link = *e.Link
		}
		if e.PECRoles != nil {
			facts.Roles.Rows = append(facts.Roles.Rows, e.PECRoles.Rows...)
			facts.Roles.ListDate, facts.Roles.LinkRequestID = e.PECRoles.ListDate, e.PECRoles.LinkRequestID
		}
		if e.Problem != nil {
			facts.Reason = string(e.Problem.Code)
		}
	}
	return facts
}

func (o *reconcileOptions) write(deps *cmdutil.Deps, w io.Writer, found auditreport.Reconciliation) error {
	switch o.format {
	case "csv":
		return found.CSV(w)
	case "html":
		return found.HTML(w)
	case "json":
		return found.JSON(w)
	}
	u := o.table.UI(deps.IO)
	if o.output.Path != "" {
		u = &term.UI{Out: w}
	}
	u.Line(term.Plain, found.Summary)
	for _, t := range found.Totals {
		u.Field(fmt.Sprintf("%d", t.Subscriptions), fmt.Sprintf("%s: %s %s without credit, %s with", t.Action.Words(), t.WithoutCredit, t.Currency, t.WithCredit))
	}
	rows := func(yield func([]string, error) bool) {
		for _, r := range found.Rows {
			if r.Action == usage.InOrder && !o.table.All {
				continue
			}
			if !yield([]string{r.What, r.Company, r.Domain, cmp.Or(r.Tenant, r.TenantID), r.Subscription(), r.WithoutCredit, r.WithCredit, r.Currency, phrase.Words(r.Link), phrase.Words(r.Verdict), r.Why}, nil) {
				return
			}
		}
	}
	return errors.Join(u.LongTable([]string{"TO DO", "COMPANY", "DOMAIN", "TENANT", "SUBSCRIPTION", "WITHOUT CREDIT", "WITH CREDIT", "CURRENCY", "LINK", "ROLES", "WHY"}, rows), u.Err)
}
