// Package pec holds the commands about partner earned credit.
package pec

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"mcp-partner/internal/app"
	"mcp-partner/internal/auditreport"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/render"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/phrase"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/tools"
)

// NewCmdPEC builds `pec`.
func NewCmdPEC(deps *cmdutil.Deps) *cobra.Command {
	return deps.Parent("pec", "Check roles for partner earned credit, and reconcile usage", newCmdRoles(deps), newCmdReconcile(deps))
}

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
		Args:  cmdutil.AtMostOneArgument("the name of a tenant"),
		RunE: func(command *cobra.Command, args []string) error {
			options.tenant = strings.Join(args, "")
			return runRoles(command.Context(), deps, options)
		},
		ValidArgsFunction: cmdutil.CompleteOne(deps.TenantNames),
	}
	flags := command.Flags()
	flags.StringVar(&options.credential, "credential", "", "credential `NAME` (default: the tenant's first)")
	flags.Var(&options.subscriptions, "subscriptions", "only these subscription `IDS`, separated by commas")
	cmdutil.AddChoice(flags, &options.format, "format", "`FORMAT` of the answer", "table", "markdown", "json")
	options.output.Add(flags, "write to this `FILE`, which only you can read")
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
	deps.Unlock(ctx, session.App, schemas.ToolCheckPECRoles)
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

// proof writes an answer for somebody who was not there.
func (o *rolesOptions) proof(w io.Writer, e answers.Envelope) error {
	switch o.format {
	case "json":
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(e)
	case "markdown":
		return markdownProof(w, e)
	}
	u := &term.UI{Out: w}
	render.WriteEnvelope(u, e)
	return u.Err
}

func markdownProof(w io.Writer, e answers.Envelope) error {
	out, md := bufio.NewWriter(w), auditreport.EscapeMarkdown
	fmt.Fprintf(out, "# Roles for partner earned credit\n\n%s\n\n", md(e.Summary))
	if id := e.Identity; id != nil {
		fmt.Fprintf(out, "- Tenant: %s (`%s`)\n- Identity: `%s`\n", md(id.Tenant), id.TenantID, id.ObjectID)
	}
	if e.Link != nil {
		fmt.Fprintf(out, "- Link: %s\n", md(render.LinkText(e.Link)))
	}
	if e.PECRoles != nil {
		fmt.Fprintf(out, "- ARM request ID of the link: %s\n", requestID(e.PECRoles.LinkRequestID))
		writeRoles(out, e.PECRoles, md)
	}
	return out.Flush()
}

func writeRoles(out io.Writer, r *answers.PECRoles, md func(string) string) {
	fmt.Fprintf(out, "- List of eligible roles: %s\n- Not checked: %s\n\n", md(r.ListDate), md(strings.Join(r.NotChecked, "; ")))
	if len(r.Rows) == 0 {
		return
	}
	fmt.Fprint(out, "| Subscription | ID | Verdict | Rests on | Role | Scope | Group | Since | Until | ARM request ID |\n|"+strings.Repeat("---|", 10)+"\n")
	for _, row := range r.Rows {
		roles := row.Roles
		if len(roles) == 0 {
			roles = []answers.PECRole{{}}
		}
		for _, role := range roles {
			fmt.Fprintf(out, "| %s |\n", strings.Join([]string{
				md(row.Name), row.SubscriptionID, md(verdictWords(row)), md(row.Why), md(role.Role), md(role.Scope), md(role.Group), md(role.Since), md(role.Until), requestID(row.RequestID),
			}, " | "))
		}
	}
}

// requestID writes an ID, whose form armclient has checked.
func requestID(id string) string {
	if id == "" {
		return "none"
	}
	return "`" + id + "`"
}

func verdictWords(row answers.PECSubscription) string {
	text := phrase.Words(row.Verdict)
	if row.Partial {
		text += ", only below the subscription"
	}
	return text
}
