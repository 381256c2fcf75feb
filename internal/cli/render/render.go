// Package render shows answers of tools and rows of runs to a person at a
// terminal.
package render

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mcp-partner/internal/auditreport"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/phrase"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

// Show prints an envelope: exactly it with --json, else laid out for a reader.
func Show(s *term.Streams, envelope answers.Envelope, asJSON bool) error {
	if asJSON {
		return s.PrintJSON(envelope)
	}
	u := s.UI()
	WriteEnvelope(u, envelope)
	return u.Err
}

func WriteEnvelope(u *term.UI, e answers.Envelope) {
	if e.Problem != nil {
		e.Summary = AsFlags(e.Summary)
	}
	u.Line(StatusStyle(e.Status), e.Summary)
	writeIdentity(u, e.Identity)
	writeLink(u, "link", e.Link)
	writeLink(u, "before", e.Before)
	writeLink(u, "after", e.After)
	writeRoles(u, e.PECRoles)
	writeTables(u, e)
	writeAudit(u, e)
	writeOutOfScope(u, e.OutOfScope, e.Summary)
	writeMatches(u, e.Matches)
	writePlan(u, e.Plan)
	WriteChanges(u, e.Changes)
	u.Field("run", e.RunID)
	if e.NextCursor != "" {
		u.Field("next page", "--cursor "+e.NextCursor)
	}
	writeApproval(u, e.Approval)
	writeProblem(u, e.Problem)
}

// StatusStyle colors a status by what it means to a person.
func StatusStyle(status answers.Status) term.Style {
	return cmp.Or(map[answers.Status]term.Style{
		answers.StatusDone: term.Good, answers.StatusUnchanged: term.Good, answers.StatusFailed: term.Bad,
	}[status], term.Warn)
}

func writeIdentity(u *term.UI, id *answers.Identity) {
	if id == nil {
		return
	}
	u.Field("tenant", fmt.Sprintf("%s (%s, %s cloud)", id.Tenant, id.TenantID, id.Cloud))
	u.Field("identity", id.ObjectID)
	u.Field("credential", id.Credential)
}

func writeLink(u *term.UI, label string, link *answers.Link) {
	if link == nil {
		return
	}
	s := map[answers.LinkState]term.Style{answers.LinkLinked: term.Good, answers.LinkUnknown: term.Bad}[link.State]
	if link.AuditState == answers.RowLinkedOther || link.AuditState == answers.RowLinkedOwn {
		s = term.Warn
	}
	u.StyledField(label, cmp.Or(s, term.Warn), LinkText(link))
	if link.UpdatedTime != "" {
		u.Field("", "last written "+link.UpdatedTime)
	}
	if link.ExpectedPartnerID != "" {
		u.Field("", "expected "+link.ExpectedPartnerID)
	}
	if link.Matches != nil {
		u.Field("asked ID", map[bool]string{true: "is the one linked", false: "is not the one linked"}[*link.Matches])
	}
}

// LinkText words a link on one line. The name is untrusted text, in quotes.
func LinkText(link *answers.Link) string {
	state := string(link.State)
	if link.AuditState == answers.RowLinkedOther || link.AuditState == answers.RowLinkedOwn {
		state = string(link.AuditState)
	}
	parts := []string{phrase.Words(state)}
	if link.PartnerID != "" {
		parts = append(parts, string(link.PartnerID))
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

// writeTables writes the rows that the catalogue has columns for.
func writeTables(u *term.UI, e answers.Envelope) {
	for _, op := range schemas.Catalogue() {
		if op.Table == nil {
			continue
		}
		if rows := op.Table.Rows(e); len(rows) > 0 {
			u.Blank()
			u.Table(op.Table.Columns, rows)
		}
	}
}

func writeMatches(u *term.UI, matches []answers.Match) {
	for _, m := range matches {
		u.Blank()
		u.Linef(term.Bold, "%s  %s  %s confidence", m.Tool, m.Effect, m.Confidence)
		u.Field("why", m.Why)
		if op, ok := schemas.Lookup(m.Tool); ok {
			u.Field("call", "mcp-partner call "+m.Tool+FlagsOf(op, m.Arguments))
		}
	}
}

// writeOutOfScope says why it is likely that nothing fits, unless the summary has said so already.
func writeOutOfScope(u *term.UI, scope *answers.Scope, summary string) {
	if scope == nil || scope.Out == nil {
		return
	}
	out := scope.Out
	if !strings.Contains(summary, out.Reason) {
		u.Blank()
		u.Line(term.Warn, out.Reason)
	}
	for _, instead := range out.UseInstead {
		u.Field("instead", instead.Name+": "+instead.WhatFor)
	}
}

func writePlan(u *term.UI, plan []answers.PlannedRequest) {
	if len(plan) == 0 {
		return
	}
	u.Blank()
	rows := xslices.Map(plan, func(p answers.PlannedRequest) []string { return []string{p.Method, p.URL, string(p.Effect), p.When} })
	u.Table([]string{"METHOD", "URL", "EFFECT", "WHEN"}, rows)
}

func writeApproval(u *term.UI, a *answers.Approval) {
	if a == nil {
		return
	}
	u.Field("approval", fmt.Sprintf("%s, %s until %s", a.ID, a.State, a.ExpiresAt))
	u.Field("how", a.How)
}

func writeProblem(u *term.UI, p *problems.Problem) {
	if p == nil {
		return
	}
	u.StyledField("problem", term.Bad, string(p.Code))
	u.Field("next", AsFlags(p.Hint))
	u.Field("run", p.Command)
	if p.RetryAfterSeconds > 0 {
		u.Field("wait", phrase.Count(p.RetryAfterSeconds, "second"))
	}
	if said := strings.TrimSpace(p.ForeignCode + " " + phrase.Quote(p.Foreign)); said != "" {
		u.Field("they said", said)
	}
	u.Field("request ID", p.ARMRequestID)
	u.Field("correlation", p.CorrelationID)
}

// WriteTools lists tools as a reader wants them.
func WriteTools(u *term.UI, operations []schemas.Operation) {
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
	u.Table([]string{"TOOL", "EFFECT", "ARGUMENTS (* REQUIRED)", "WHAT IT DOES"}, rows)
}

// AdaptHints rewrites the next step for a person at the terminal, who can do
// right here what an agent is advised about a server and a tenant in general.
func AdaptHints(e answers.Envelope) answers.Envelope {
	if e.Problem == nil {
		return e
	}
	problem := AdaptProblem(*e.Problem)
	if problem.Code == problems.CodeWritesDisabled {
		e.Summary = problem.Message
	}
	if e.Problem = &problem; e.Identity != nil {
		e.Problem = problem.For(e.Identity.Tenant)
	}
	return e
}

// AdaptProblem words a refusal of writes for somebody who can add the flag.
func AdaptProblem(problem problems.Problem) problems.Problem {
	if problem.Code == problems.CodeWritesDisabled {
		problem.Message = "Writes are off without --allow-writes."
		problem.Hint = "Add --allow-writes. A person is asked before the write."
	}
	problem.Hint = phrase.ForPerson(problem.Hint)
	return problem
}

func writeRoles(u *term.UI, r *answers.PECRoles) {
	if r == nil {
		return
	}
	u.Field("list", r.ListDate)
	u.Field("not checked", strings.Join(r.NotChecked, "; "))
	rows := make([][]string, len(r.Rows))
	for i, row := range r.Rows {
		verdict := phrase.Words(row.Verdict)
		if row.Partial {
			verdict += " (in part)"
		}
		rows[i] = []string{verdict, phrase.Quote(row.Name), row.SubscriptionID, row.Why, row.Fix}
	}
	if len(rows) > 0 {
		u.Table([]string{"ROLE", "SUBSCRIPTION", "ID", "RESTS ON", "NEXT"}, rows)
	}
}

// LinkWord is a link in one word: the ID, or why there is none.
func LinkWord(link *answers.Link) string {
	switch {
	case link == nil:
		return ""
	case link.State == answers.LinkLinked:
		return string(link.PartnerID)
	default:
		return string(link.State)
	}
}

// commands names commands where the reason of a row, which agents read too, names
// tools.
var commands = strings.NewReplacer(
	"; "+schemas.ToolTransitionPartner+" ", "; mcp-partner transition ",
	"; "+schemas.ToolEnsurePartnerLinks+" ", "; mcp-partner ensure ",
)

// WriteChanges writes the rows of a plan or a run as a table.
func WriteChanges(u *term.UI, rows []answers.ChangeRow) {
	if len(rows) == 0 {
		return
	}
	u.Blank()
	cells := make([][]string, len(rows))
	for i, r := range rows {
		name := ""
		if r.Before != nil {
			name = phrase.Quote(r.Before.PartnerName)
		}
		cells[i] = []string{phrase.Words(r.State), r.Company, r.Domain, r.Tenant, r.Credential, phrase.Words(LinkWord(r.Before)), name, r.PartnerID, phrase.Words(LinkWord(r.After)),
			strings.Join(r.Steps, ", "), string(r.Problem), r.PECRoles.EligibleIn(), strings.TrimSpace(r.Warning + " " + commands.Replace(r.Why))}
	}
	u.Table([]string{"STATE", "COMPANY", "DOMAIN", "TENANT", "CREDENTIAL", "BEFORE", "PARTNER NAME", "NEW ID", "NOW", "STEPS", "PROBLEM", "ELIGIBLE ROLE IN", "NOTE"}, cells)
}

func writeAudit(u *term.UI, e answers.Envelope) {
	if e.Run != nil {
		WriteRun(u, e.Run)
	}
	WriteCauses(u, e.Causes)
	_ = WriteAuditRows(u, xslices.Rows(e.Rows)) // they are at hand
}

func WriteRun(u *term.UI, run *answers.RunInfo) {
	u.Field("run", strings.TrimSpace(run.ID+" "+run.Label))
	u.Field("state", fmt.Sprintf("%s, %d of %d answered", run.State, run.Answered, run.Rows))
}

func WriteCauses(u *term.UI, causes []answers.AuditCause) {
	for _, c := range causes {
		u.Blank()
		u.Linef(term.Bad, "%s unknown: %s", phrase.Count(c.Rows, "row"), c.Code)
		u.Field("credential", c.Credential)
		u.Field("example", c.Example+": "+c.Message)
		u.Field("next", c.Hint)
		u.Field("run", c.Command)
	}
}

// WriteAuditRows writes a table of rows. Untrusted texts are quoted.
func WriteAuditRows(u *term.UI, rows auditreport.Rows) error {
	return u.LongTable([]string{"STATE", "COMPANY", "DOMAIN", "TENANT", "PARTNER ID", "PARTNER", "EXPECTED", "WHY UNKNOWN", "ELIGIBLE ROLE IN", "LAST WRITTEN", "CREDENTIAL", "LABELS", "OWNER", "EXTERNAL ID", "REQUEST ID"},
		func(yield func([]string, error) bool) {
			for r, err := range rows {
				day, _, _ := strings.Cut(r.UpdatedTime, "T")
				cells := []string{StateWords(r), r.Company, r.Domain, r.Tenant, r.PartnerID, phrase.Quote(r.PartnerName), r.ExpectedPartnerID, problemCode(r.Problem), r.PECRoles.EligibleIn(),
					day, r.Credential, strings.Join(r.Labels, ", "), r.Owner, r.ExternalID, r.Problem.RequestID()}
				if !yield(cells, err) {
					return
				}
			}
		})
}

func StateWords(r answers.AuditRow) string {
	text := phrase.Words(r.State)
	if r.Stale {
		text += ", stale"
	}
	return text
}

func problemCode(p *problems.Problem) string {
	if p == nil {
		return ""
	}
	return string(p.Code)
}

// WriteTotals writes counts, those that need attention first.
func WriteTotals(u *term.UI, totals map[string]int) {
	words := []string{"stale", "pending"}
	for _, state := range slices.Backward(answers.RowStates()) {
		words = slices.Insert(words, 0, string(state))
	}
	for _, word := range words {
		n := totals[word]
		if n == 0 {
			continue
		}
		style := cmp.Or(map[string]term.Style{string(answers.RowLinkedExpected): term.Good, string(answers.RowLinked): term.Plain, string(answers.RowUnknown): term.Bad}[word], term.Warn)
		u.Write("  " + strings.Repeat(" ", max(0, 7-len(strconv.Itoa(n)))) + u.Paint(style, strconv.Itoa(n)) + "  " + u.Paint(term.Plain, phrase.Words(word)) + "\n")
	}
}

func Dashed(name string) string { return strings.ReplaceAll(name, "_", "-") }

// AsFlags words a message about arguments for somebody who types flags. An
// argument is its first word, or one with an underscore, which no English word has.
func AsFlags(text string) string {
	words := strings.Split(text, " ")
	for i, word := range words {
		bare := strings.TrimRight(word, ".,:;")
		name, item, _ := strings.Cut(strings.TrimSuffix(bare, "]"), "[")
		if !isArgument(name) || i > 0 && !strings.Contains(name, "_") {
			continue
		}
		words[i] = "--" + Dashed(name) + word[len(bare):]
		if n, err := strconv.Atoi(item); err == nil {
			words[i] = fmt.Sprintf("Item %d of --%s", n+1, Dashed(name))
		}
	}
	return strings.Join(words, " ")
}

func isArgument(name string) bool {
	return slices.ContainsFunc(schemas.Catalogue(), func(op schemas.Operation) bool {
		return slices.Contains(op.InputSchema().PropertyOrder, name)
	})
}

// FlagsOf writes arguments as the flags of a call.
func FlagsOf(op schemas.Operation, arguments map[string]any) string {
	var b strings.Builder
	for _, name := range op.InputSchema().PropertyOrder {
		switch value := arguments[name].(type) {
		case nil:
		case bool:
			b.WriteString(" --" + Dashed(name))
		case string:
			b.WriteString(" --" + Dashed(name) + " " + phrase.ShellWord(value))
		case []any:
			items := xslices.Map(value, func(item any) string { return fmt.Sprint(item) })
			b.WriteString(" --" + Dashed(name) + " " + phrase.ShellWord(strings.Join(items, ",")))
		case []string:
			b.WriteString(" --" + Dashed(name) + " " + phrase.ShellWord(strings.Join(value, ",")))
		default:
			text, _ := json.Marshal(value) // it came out of JSON
			b.WriteString(" --" + Dashed(name) + " " + string(text))
		}
	}
	return b.String()
}
