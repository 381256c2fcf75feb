package pec

import (
	"context"
	"encoding/json"
	"io"

	"github.com/spf13/cobra"

	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/render"
	"mcp-partner/internal/exit"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/tools"
)

type rolesOptions struct {
	tenant, credential, format string
	subscriptions              cmdutil.List
	output                     cmdutil.OutputFlags
	cmdutil.SessionFlags
}

func newCmdRoles(deps *cmdutil.Deps) *cobra.Command {
	options := &rolesOptions{}
	command := &cobra.Command{
		Use:   "roles [NAME]",
		Short: "Check in which subscriptions an identity has an eligible role",
		Long: `Check in which subscriptions of a tenant an identity has an Azure role that is
eligible for partner earned credit. NAME is optional if the directory has one
tenant.

--format markdown and --format json write a proof for a partner manager: identity,
link, roles, the date of the list and ARM's request IDs.`,
		Example: `  mcp-partner pec roles contoso
  mcp-partner pec roles contoso --format markdown --output proof.md`,
		Args: cmdutil.AtMostOneArgument("the name of a tenant"),
		RunE: func(command *cobra.Command, args []string) error {
			if err := options.Simulate.Check(command.Flags()); err != nil {
				return err
			}
			if len(args) == 1 {
				options.tenant = args[0]
			}
			return runRoles(command.Context(), deps, options)
		},
		ValidArgsFunction: cmdutil.CompleteOne(deps.TenantNames),
	}
	flags := command.Flags()
	flags.StringVar(&options.credential, "credential", "", "credential `NAME` (default: the tenant's first)")
	flags.Var(&options.subscriptions, "subscriptions", "only these subscription `IDS`, separated by commas")
	cmdutil.AddChoice(flags, &options.format, "format", "`FORMAT` of the answer", "table", "markdown", "json")
	options.output.Add(flags, "write to this `FILE`, which only you can read")
	deps.AddKeyFlags(flags)
	options.Simulate.Add(flags)
	return command
}

func runRoles(ctx context.Context, deps *cmdutil.Deps, o *rolesOptions) error {
	if err := o.output.Check(); err != nil {
		return err
	}
	session, err := deps.StartSession(ctx, &o.SessionFlags)
	if err != nil {
		return err
	}
	defer session.Close()
	op, _ := schemas.Lookup(schemas.ToolCheckPECRoles)
	deps.Unlock(ctx, session.App, op)
	envelope := allRoles(ctx, session, schemas.CheckPECRolesInput{
		Target: schemas.Target{Tenant: o.tenant, Credential: o.credential}, Subscriptions: o.subscriptions,
	})
	if err := o.show(deps, render.AdaptHints(envelope)); err != nil {
		return err
	}
	return exit.Silent(exit.CodeOf(envelope.Status))
}

// allRoles makes the calls of all pages, and returns the first answer with the
// rows of all.
func allRoles(ctx context.Context, session *app.Session, in schemas.CheckPECRolesInput) answers.Envelope {
	in.Limit = 100
	whole := callRoles(ctx, session, in)
	for next := whole.NextCursor; next != ""; {
		in.Cursor = next
		page := callRoles(ctx, session, in)
		if page.PECRoles == nil || page.Problem != nil {
			return page
		}
		for _, row := range page.PECRoles.Rows {
			whole.PECRoles.Rows = append(whole.PECRoles.Rows, row)
			whole.PECRoles.Verdicts.Add(row.Verdict, row.Partial)
		}
		next = page.NextCursor
	}
	if whole.NextCursor != "" {
		whole.NextCursor = ""
		whole.Summary = tools.RolesSentence(whole, session.Guard.Bounds().PartnerIDs)
	}
	return whole
}

func callRoles(ctx context.Context, session *app.Session, in schemas.CheckPECRolesInput) answers.Envelope {
	arguments, _ := json.Marshal(in) // texts and numbers: it cannot fail
	return session.Service.Call(ctx, tools.Call{
		Tool: schemas.ToolCheckPECRoles, Arguments: arguments, Principal: app.Trusted(app.TerminalCaller), Confirmer: tools.NoConfirmer{},
	}).Envelope
}

// show writes the answer where it was asked for.
func (o *rolesOptions) show(deps *cmdutil.Deps, e answers.Envelope) error {
	if o.output.Path == "" && o.format != "markdown" {
		return render.Show(deps.IO, e, o.format == "json")
	}
	return o.output.Write(deps.IO, func(w io.Writer) error { return o.proof(w, e) })
}
