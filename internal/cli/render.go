package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"mcp-partner/schemas"
)

// show prints an envelope: exactly it with --json, else laid out for a reader.
func (s *Streams) show(envelope schemas.Envelope, asJSON bool) error {
	if asJSON {
		return s.printJSON(envelope)
	}
	u := s.ui()
	u.envelope(envelope)
	return u.err
}

func (u *ui) envelope(e schemas.Envelope) {
	u.line(statusStyle(e.Status), e.Summary)
	u.identity(e.Identity)
	u.link("link", e.Link)
	u.link("before", e.Before)
	u.link("after", e.After)
	u.tenants(e.Tenants)
	u.operations(e.Operations)
	u.audit(e)
	u.matches(e.Matches)
	u.outOfScope(e.OutOfScope, e.Summary)
	u.plan(e.Plan)
	u.changes(e.Changes)
	u.field("run", e.RunID)
	if e.NextCursor != "" {
		u.field("next page", "--cursor "+e.NextCursor)
	}
	u.approval(e.Approval)
	u.problem(e.Problem)
}

func statusStyle(status schemas.Status) style {
	switch status {
	case schemas.StatusDone, schemas.StatusUnchanged:
		return good
	case schemas.StatusFailed:
		return bad
	default:
		return warn
	}
}

func (u *ui) identity(id *schemas.Identity) {
	if id == nil {
		return
	}
	u.field("tenant", fmt.Sprintf("%s (%s, %s cloud)", id.Tenant, id.TenantID, id.Cloud))
	u.field("identity", id.ObjectID)
	u.field("credential", id.Credential)
}

func (u *ui) link(label string, link *schemas.Link) {
	if link == nil {
		return
	}
	s := map[schemas.LinkState]style{schemas.LinkLinked: good, schemas.LinkUnknown: bad}[link.State]
	u.styledField(label, cmp.Or(s, warn), linkText(link))
	if link.UpdatedTime != "" {
		u.field("", "last written "+link.UpdatedTime)
	}
	if link.ExpectedPartnerID != "" {
		u.field("", "expected "+link.ExpectedPartnerID)
	}
	if link.Matches != nil {
		u.field("asked ID", map[bool]string{true: "is the one linked", false: "is not the one linked"}[*link.Matches])
	}
}

// linkText words a link on one line. The name is foreign text, in quotes.
func linkText(link *schemas.Link) string {
	parts := []string{strings.ReplaceAll(string(link.State), "_", " ")}
	if link.PartnerID != "" {
		parts = append(parts, link.PartnerID)
	}
	if link.PartnerName != "" {
		parts = append(parts, fmt.Sprintf("%q", link.PartnerName))
	}
	if link.Version != nil {
		parts = append(parts, fmt.Sprintf("version %d", *link.Version))
	}
	if link.Reason != "" {
		parts = append(parts, "("+string(link.Reason)+")")
	}
	return strings.Join(parts, " ")
}

func (u *ui) tenants(tenants []schemas.TenantRow) {
	if len(tenants) == 0 {
		return
	}
	u.blank()
	rows := make([][]string, len(tenants))
	for i, t := range tenants {
		known := ""
		if !t.InDirectory {
			known = "not in the directory"
		}
		rows[i] = []string{t.Name, t.TenantID, strings.Join(t.Domains, " "), t.DisplayName, t.Cloud, strings.Join(t.Credentials, " "),
			t.ExpectedPartnerID, strings.Join(t.Labels, ", "), t.Owner, t.ExternalID, t.Category, known}
	}
	u.table([]string{"NAME", "TENANT ID", "DOMAINS", "DISPLAY NAME", "CLOUD", "CREDENTIALS", "EXPECTED", "LABELS", "OWNER", "EXTERNAL ID", "CATEGORY", ""}, rows)
}

func (u *ui) operations(operations []schemas.ProviderOperation) {
	if len(operations) == 0 {
		return
	}
	u.blank()
	rows := make([][]string, len(operations))
	for i, o := range operations {
		rows[i] = []string{o.Name, o.Operation, o.Description}
	}
	u.table([]string{"NAME", "OPERATION", "DESCRIPTION"}, rows)
}

func (u *ui) matches(matches []schemas.Match) {
	for _, m := range matches {
		u.blank()
		u.linef(bold, "%s  %.2f  %s", m.Tool, m.Score, m.Effect)
		u.field("why", m.Why)
		if op, ok := schemas.Lookup(m.Tool); ok {
			u.field("call", "mcp-partner call "+m.Tool+flagsOf(op, m.Arguments))
		}
	}
}

// outOfScope says why nothing fits, unless the summary has said so already.
func (u *ui) outOfScope(scope *schemas.Scope, summary string) {
	if scope == nil || scope.Out == nil {
		return
	}
	out := scope.Out
	if !strings.Contains(summary, out.Reason) {
		u.blank()
		u.line(warn, out.Reason)
	}
	for _, instead := range out.UseInstead {
		u.field("instead", instead.Name+": "+instead.WhatFor)
	}
}

func (u *ui) plan(plan []schemas.PlannedRequest) {
	if len(plan) == 0 {
		return
	}
	u.blank()
	rows := make([][]string, len(plan))
	for i, p := range plan {
		rows[i] = []string{p.Method, p.URL, string(p.Effect), p.When}
	}
	u.table([]string{"METHOD", "URL", "EFFECT", "WHEN"}, rows)
}

func (u *ui) approval(a *schemas.Approval) {
	if a == nil {
		return
	}
	u.field("approval", fmt.Sprintf("%s, %s until %s", a.ID, a.State, a.ExpiresAt))
	u.field("how", a.How)
}

func (u *ui) problem(p *schemas.Problem) {
	if p == nil {
		return
	}
	u.styledField("problem", bad, string(p.Code))
	u.field("next", p.Hint)
	u.field("run", p.Command)
	if p.RetryAfterSeconds > 0 {
		u.field("wait", count(p.RetryAfterSeconds, "second"))
	}
	if said := strings.TrimSpace(p.ForeignCode + " " + quoted(p.Foreign)); said != "" {
		u.field("they said", said)
	}
	u.field("request ID", p.ARMRequestID)
	u.field("correlation", p.CorrelationID)
}

func quoted(text string) string {
	if text == "" {
		return ""
	}
	return fmt.Sprintf("%q", text)
}

// toolTable lists tools as a reader wants them.
func (u *ui) toolTable(operations []schemas.Operation) {
	rows := make([][]string, len(operations))
	for i, op := range operations {
		var arguments []string
		schema := op.InputSchema()
		for _, name := range schema.PropertyOrder {
			if slices.Contains(schema.Required, name) {
				name += "*"
			}
			arguments = append(arguments, name)
		}
		rows[i] = []string{op.Name, string(op.Effect), strings.Join(arguments, " "), op.Summary}
	}
	u.table([]string{"TOOL", "EFFECT", "ARGUMENTS (* REQUIRED)", "WHAT IT DOES"}, rows)
}
