package pec

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"mcp-partner/internal/auditreport"
	"mcp-partner/internal/cli/render"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/phrase"
	"mcp-partner/schemas/answers"
)

// proof writes an answer for somebody who was not there.
func (o *rolesOptions) proof(w io.Writer, e answers.Envelope) error {
	switch o.format {
	case "json":
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(e)
	case "markdown":
		return markdownProof(w, e)
	default:
		u := &term.UI{Out: w}
		render.WriteEnvelope(u, e)
		return u.Err
	}
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
