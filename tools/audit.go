package tools

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"mcp-partner/access"
	"mcp-partner/fleet"
	"mcp-partner/guard"
	"mcp-partner/internal/phrase"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

const (
	// auditAnswerWithin is when an audit answers with what it has; the run
	// continues.
	auditAnswerWithin = 35 * time.Second
	// progressEvery is how often a waiting client gets progress.
	progressEvery = time.Second
)

func (s *Service) auditPartnerLinks(ctx context.Context, j *job, in *schemas.AuditPartnerLinksInput) Result {
	if err := s.admit(ctx, j, schemas.Tenant{}, ""); err != nil {
		return failure(err)
	}
	if err := cmp.Or(checkAuditInput(in), s.checkSince(ctx, j.call.Principal, in.Since)); err != nil {
		return failure(err)
	}
	if j.call.PlanOnly {
		return s.planAudit(j, in)
	}
	if err := s.stillGranted(ctx, j.call.Principal, in.RunID); err != nil {
		return failure(err)
	}
	active, err := s.auditRun(ctx, j, in)
	if err != nil {
		return failure(err)
	}
	id := in.RunID
	if active != nil {
		id = active.ID()
		if err := s.attend(ctx, j, active); err != nil {
			return s.endedEarly(ctx, j, in, id, err)
		}
	}
	return s.auditPage(ctx, j, in, id)
}

// checkAuditInput refuses arguments that would be silently ignored together.
func checkAuditInput(in *schemas.AuditPartnerLinksInput) error {
	begins := len(in.Tenants)+len(in.Labels)+len(in.OwnPartnerIDs)+in.StaleAfterDays > 0 || in.ExpectedPartnerID != "" || in.IncludeRoles
	switch {
	case in.RunID != "" && begins:
		return problems.New(problems.CodeInvalidArgument, "run_id can be combined only with since, cursor and limit: a run keeps the arguments that it began with.")
	case in.Cursor != "" && in.RunID == "":
		return problems.New(problems.CodeInvalidArgument, "cursor needs run_id.")
	case in.ExpectedPartnerID != "" && len(in.OwnPartnerIDs) > 0:
		return problems.New(problems.CodeInvalidArgument, "Give expected_partner_id or own_partner_ids, not both.")
	}
	return checkSelection(in.Tenants, in.Labels)
}

// mostSelected bounds what a call names tenants and labels with, in bytes: runs
// and plans keep it, and a thousand GUIDs are half of it.
const mostSelected = 64 << 10

func checkSelection(lists ...[]string) error {
	size := 0
	for _, list := range lists {
		for _, text := range list {
			size += len(text)
		}
	}
	if size <= mostSelected {
		return nil
	}
	return problems.New(problems.CodeInvalidArgument, fmt.Sprintf("tenants and labels are longer than %d characters together: use globs, or several calls.", mostSelected))
}

func auditOf(in *schemas.AuditPartnerLinksInput) fleet.Audit {
	audit := fleet.Audit{Selection: fleet.Selection{Tenants: in.Tenants, Labels: in.Labels}, StaleAfterDays: in.StaleAfterDays, Roles: in.IncludeRoles}
	for _, id := range in.OwnPartnerIDs {
		audit.OwnIDs = append(audit.OwnIDs, string(id))
	}
	audit.ExpectedIDs = audit.OwnIDs
	if in.ExpectedPartnerID != "" {
		audit.ExpectedIDs = []string{string(in.ExpectedPartnerID)}
	}
	return audit
}

// auditRun starts a run, or resumes the named one. It returns nil if there is
// nothing to wait for: the run has ended, or a further page is requested.
func (s *Service) auditRun(ctx context.Context, j *job, in *schemas.AuditPartnerLinksInput) (*fleet.Active, error) {
	switch {
	case in.RunID == "":
		return s.StartAudit(ctx, j.call.Principal, "", auditOf(in))
	case in.Cursor != "":
		return nil, nil
	default:
		return s.ResumeAudit(ctx, j.call.Principal, in.RunID)
	}
}

// StartAudit begins an audit for a caller, inside its grant and the operator's
// bounds, or joins its own that asks the same. Its errors are problems.
func (s *Service) StartAudit(ctx context.Context, p access.Principal, label string, audit fleet.Audit) (*fleet.Active, error) {
	return s.StartAuditNamed(ctx, p, guard.NewRunID(), label, audit)
}

// StartAuditNamed is StartAudit with an ID that no run has yet.
func (s *Service) StartAuditNamed(ctx context.Context, p access.Principal, id, label string, audit fleet.Audit) (*fleet.Active, error) {
	p = s.deps.Guard.Confine(p)
	access, err := s.auditAccess(ctx, p)
	if err != nil {
		return nil, err
	}
	if audit.OwnIDs == nil {
		audit.OwnIDs = s.deps.Guard.Bounds().PartnerIDs
	}
	active, err := s.deps.Fleet.Start(ctx, id, p.Caller, label, audit, access)
	return active, emptyFor(p, err)
}

// ResumeAudit resumes an audit of a caller, or follows it if it is in progress.
// For a finished one it returns nil.
func (s *Service) ResumeAudit(ctx context.Context, p access.Principal, id string) (*fleet.Active, error) {
	p = s.deps.Guard.Confine(p)
	if err := s.stillGranted(ctx, p, id); err != nil {
		return nil, err
	}
	access, err := s.auditAccess(ctx, p)
	if err != nil {
		return nil, err
	}
	return s.deps.Fleet.Resume(ctx, p.Caller, id, access)
}

// auditAccess is what a caller's audit may see and read.
func (s *Service) auditAccess(ctx context.Context, p access.Principal) (fleet.Access, error) {
	op, _ := schemas.Lookup(schemas.ToolAuditPartnerLinks)
	j := &job{call: Call{Principal: p}, op: op}
	if err := s.admit(ctx, j, schemas.Tenant{}, ""); err != nil {
		return fleet.Access{}, err
	}
	may := fleet.Access{
		Visible:    seenBy(p),
		Admit:      func(ctx context.Context, t schemas.Tenant) error { return s.admit(ctx, j, t, "") },
		AdmitRoles: func(ctx context.Context, t schemas.Tenant) error { return s.mayReadRoles(ctx, p, t) },
	}
	if p.Caller.Scheduled() {
		may.Usable = s.deps.Unattended
	}
	return may, nil
}

// attend waits for the run for as long as a call may take. A client that hangs
// up before it was told anything has no use for the run.
func (s *Service) attend(ctx context.Context, j *job, active *fleet.Active) error {
	leave := active.Attend()
	waiting, cancel := context.WithTimeout(ctx, auditAnswerWithin)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- active.Wait(waiting) }()
	err := s.followProgress(j, active, ended)
	gone := ctx.Err() != nil
	leave(!gone)
	switch {
	case gone:
		return problems.New(problems.CodeCancelled, "The call was canceled before there was an answer.")
	case errors.Is(err, context.DeadlineExceeded):
		return nil
	default:
		return err
	}
}

func (s *Service) followProgress(j *job, active *fleet.Active, ended <-chan error) error {
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	told := -1
	tell := func() {
		if answered, total := active.Progress(); answered != told {
			told = answered
			j.progress(answered, total, fmt.Sprintf("%d of %d identities answered", answered, total))
		}
	}
	tell()
	for {
		select {
		case err := <-ended:
			tell()
			return err
		case <-tick.C:
			tell()
		}
	}
}

// endedEarly answers for a run that ended before all had an answer: with what
// there is, and why.
func (s *Service) endedEarly(ctx context.Context, j *job, in *schemas.AuditPartnerLinksInput, id string, err error) Result {
	result := s.auditPage(context.WithoutCancel(ctx), j, in, id)
	problem := problemEnvelope(err)
	result.Envelope.Status, result.Envelope.Problem = problem.Status, problem.Problem
	result.Envelope.Summary = problem.Summary + " " + result.Envelope.Summary
	return result
}

func (s *Service) auditPage(ctx context.Context, j *job, in *schemas.AuditPartnerLinksInput, id string) Result {
	report, err := s.deps.Fleet.Report(ctx, j.call.Principal.Caller, id)
	if err != nil {
		return failure(err)
	}
	if in.Since != "" && report.Run.State == fleet.RunFinished {
		return s.changesPage(ctx, j, in, report)
	}
	rows, next, err := s.deps.Fleet.Page(ctx, id, in.Cursor, in.Limit)
	if err != nil {
		return failure(err)
	}
	common, rows := forAgents(rows)
	words := AuditNext{Resume: "call again with run_id RUN", OwnIDs: "pass own_partner_ids"}
	return done(answers.Envelope{
		Status: answers.StatusDone, Summary: AuditSentence(report, words), RunID: id, Run: report.Info(), Totals: report.Totals,
		Causes: report.Causes, Common: common, Rows: rows, NextCursor: next,
	})
}

// AuditNext words what a reader of an audit can do next: call a tool again, or run a
// command.
type AuditNext struct {
	// Resume resumes a run; RUN is a placeholder for its ID. OwnIDs says which
	// partner IDs are the reader's.
	Resume, OwnIDs string
}

// AuditSentence says for a person what an audit found, in the program's words
// alone, such as: 30 tenants checked: 6 linked to 1234567, 7 to another partner.
func AuditSentence(r fleet.Report, next AuditNext) string {
	var b strings.Builder
	b.WriteString(checked(r) + " checked")
	if pending := r.Totals["pending"]; pending > 0 {
		fmt.Fprintf(&b, ", %d without an answer yet", pending)
	}
	separator := ": "
	for _, part := range auditWords(r.Audit()) {
		if n := r.Totals[part.total]; n > 0 {
			fmt.Fprintf(&b, "%s%d %s", separator, n, part.words)
			separator = ", "
		}
	}
	b.WriteString(". ")
	resume := strings.Replace(next.Resume, "RUN", r.Run.ID, 1)
	switch r.Run.State {
	case fleet.RunRunning:
		fmt.Fprintf(&b, "The run continues: %s. ", resume)
	case fleet.RunInterrupted, fleet.RunCancelled:
		fmt.Fprintf(&b, "The run was %s: %s to resume it. ", r.Run.State, resume)
	}
	if n := r.Audit().LeftOut; n > 0 {
		fmt.Fprintf(&b, "Left out, because a schedule signs no person in: %d. ", n)
	}
	if ownUnknown(r) {
		b.WriteString("Your own partner IDs are unknown: set partner-ids, or " + next.OwnIDs + ". ")
	}
	if r.Totals[string(answers.RowUnknown)] > 0 {
		b.WriteString("Unknown is not missing. ")
	}
	if r.Audit().Roles {
		return strings.TrimSpace(b.String() + rolesSentence(r.Totals))
	}
	return b.String() + notChecked
}

// ownUnknown reports whether links were found, and nobody said which partner IDs
// are the reader's own: what tenants expect may be anybody's.
func ownUnknown(r fleet.Report) bool {
	audit := r.Audit()
	linked := func(state answers.RowState) bool { return state.Linked() && r.Totals[string(state)] > 0 }
	return len(audit.OwnIDs) == 0 && len(audit.ExpectedIDs) == 0 && slices.ContainsFunc(answers.RowStates(), linked)
}

// checked counts in tenants, and in identities where a tenant has several.
func checked(r fleet.Report) string {
	tenants := r.Audit().TenantCount
	if tenants == 0 || tenants == r.Run.Rows {
		return phrase.Count(r.Run.Rows, "tenant")
	}
	return fmt.Sprintf("%d identities in %s", r.Run.Rows, phrase.Count(tenants, "tenant"))
}

func rolesSentence(totals map[string]int) string {
	var parts []string
	for _, class := range answers.PECClasses() {
		if n := totals[class]; n > 0 {
			title := answers.PECClassTitle(class)
			parts = append(parts, fmt.Sprintf("%d %s", n, strings.ToLower(title[:1])+title[1:]))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "Roles for partner earned credit: " + strings.Join(parts, "; ") + "."
}

// mayReadRoles asks whether a caller was given check_pec_roles, and whether the
// operator allows it in a tenant, or at all for the zero Tenant.
func (s *Service) mayReadRoles(ctx context.Context, p access.Principal, tenant schemas.Tenant) error {
	op, _ := schemas.Lookup(schemas.ToolCheckPECRoles)
	if err := p.Grant.Check(op); err != nil {
		return err
	}
	return s.admit(ctx, &job{call: Call{Principal: p}, op: op}, tenant, "")
}

func identities(n int) string {
	if n == 1 {
		return "1 identity in a tenant"
	}
	return fmt.Sprintf("%d identities in tenants", n)
}

type auditWord struct{ total, words string }

func auditWords(audit fleet.Audit) []auditWord {
	expected := cmp.Or(audit.SoleExpected, "the expected partner ID")
	return []auditWord{
		{string(answers.RowLinkedExpected), "linked to " + expected}, {string(answers.RowLinked), "linked"},
		{string(answers.RowLinkedOwn), "linked to another of your own IDs"}, {string(answers.RowLinkedOther), otherWords(audit)},
		{string(answers.RowNotLinked), "not linked"}, {string(answers.RowDeleted), "with a deleted link"},
		{string(answers.RowUnknown), "unknown"}, {"stale", "stale among the links"},
	}
}

// otherWords says another partner only where the partner's own IDs are known.
func otherWords(audit fleet.Audit) string {
	if len(audit.OwnIDs) == 0 {
		return "linked to another ID than expected"
	}
	return "linked to another partner"
}

func (s *Service) planAudit(j *job, in *schemas.AuditPartnerLinksInput) Result {
	targets, err := s.targets(j.call.Principal, auditOf(in).Selection)
	if err != nil {
		return failure(err)
	}
	targets = fleet.OnePerIdentity(targets)
	paths := []string{schemas.PathPartners}
	if in.IncludeRoles {
		paths = append(paths, schemas.PathSubscriptions, schemas.PathRoleAssignments)
	}
	counts, plan := map[string]int{}, []answers.PlannedRequest{}
	for _, t := range targets {
		for _, path := range paths {
			url := target{tenant: t.Tenant}.url(path, "")
			if counts[url] == 0 {
				plan = append(plan, answers.PlannedRequest{Method: "GET", URL: url, Effect: answers.EffectRead})
			}
			counts[url]++
		}
	}
	for i := range plan {
		plan[i].When = "once for each of " + identities(counts[plan[i].URL])
	}
	return done(answers.Envelope{
		Status: answers.StatusDone, Plan: plan,
		Summary: fmt.Sprintf("A plan for %s over %s; nothing was sent.", j.op.Name, identities(len(targets))),
	})
}

// forAgents makes rows short: it keeps what an agent decides by, states common
// values once, and leaves the reasons of unknown rows to the causes. IDs,
// versions and times of reading are in check_partner_link and in reports.
func forAgents(rows []answers.AuditRow) (*answers.AuditCommon, []answers.AuditRow) {
	if len(rows) == 0 {
		return nil, rows
	}
	common := &answers.AuditCommon{
		Credential: rows[0].Credential, Cloud: rows[0].Cloud, ExpectedPartnerID: rows[0].ExpectedPartnerID,
		Owner: rows[0].Owner, Labels: rows[0].Labels,
	}
	for _, row := range rows[1:] {
		for _, text := range sharedTexts(common, &row) {
			if *text.common != *text.own {
				*text.common = ""
			}
		}
		if !slices.Equal(common.Labels, row.Labels) {
			common.Labels = nil
		}
	}
	return common, xslices.Map(rows, func(row answers.AuditRow) answers.AuditRow { return shortRow(row, common) })
}

type sharedText struct{ common, own *string }

// sharedTexts are the texts that are said once where all rows have the same.
func sharedTexts(common *answers.AuditCommon, row *answers.AuditRow) []sharedText {
	return []sharedText{
		{&common.Credential, &row.Credential}, {&common.Cloud, &row.Cloud},
		{&common.ExpectedPartnerID, &row.ExpectedPartnerID}, {&common.Owner, &row.Owner},
	}
}

// shortRow is a row without what is common to all, and without what only a
// report needs.
func shortRow(row answers.AuditRow, common *answers.AuditCommon) answers.AuditRow {
	short := answers.AuditRow{
		Company: row.Company, Domain: row.Domain, Tenant: row.Tenant, State: row.State, Stale: row.Stale,
		PartnerID: row.PartnerID, PartnerName: row.PartnerName, UpdatedTime: toTheSecond(row.UpdatedTime), ExternalID: row.ExternalID, PECRoles: row.PECRoles,
		Credential: row.Credential, Cloud: row.Cloud, ExpectedPartnerID: row.ExpectedPartnerID, Owner: row.Owner,
	}
	for _, text := range sharedTexts(common, &short) {
		if *text.common != "" {
			*text.own = ""
		}
	}
	if row.Problem != nil {
		short.Reason = row.Problem.Code
	}
	if common.Labels == nil {
		short.Labels = row.Labels
	}
	return short
}

// toTheSecond cuts the fraction off a time in RFC 3339 in UTC.
func toTheSecond(at string) string {
	second, fraction, found := strings.Cut(at, ".")
	if !found || !strings.HasSuffix(fraction, "Z") {
		return at
	}
	return second + "Z"
}
