package tools

import (
	"context"
	"fmt"
	"strings"
	"time"

	"mcp-partner/access"
	"mcp-partner/fleet"
	"mcp-partner/internal/phrase"
	"mcp-partner/internal/untrusted"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

// sinceLast is how a caller names the last audit that asked the same.
const sinceLast = "last"

func (s *Service) changesPage(ctx context.Context, j *job, in *schemas.AuditPartnerLinksInput, report fleet.Report) Result {
	before, err := s.earlierAudit(ctx, j.call.Principal, in.Since, report.Run)
	if err != nil {
		return failure(err)
	}
	diff, err := s.deps.Fleet.Diff(ctx, before, report.Run)
	if err != nil {
		return failure(err)
	}
	changes, counts, next, err := diff.Page(ctx, in.Cursor, in.Limit)
	if err != nil {
		return failure(err)
	}
	rows, totals := xslices.Map(changes, changedRow), map[string]int{}
	var parts []string
	for _, kind := range answers.ChangeKinds() {
		if n := counts[kind]; n > 0 {
			totals[string(kind)] = n
			parts = append(parts, fmt.Sprintf("%d %s", n, phrase.Words(kind)))
		}
	}
	summary := "no change."
	if len(parts) > 0 {
		summary = strings.Join(parts, ", ") + "."
	}
	return done(answers.Envelope{
		Status: answers.StatusDone, Summary: fmt.Sprintf("Since the audit %s of %s: %s", before.ID, before.CreatedAt.UTC().Format(time.DateOnly), summary),
		RunID: report.Run.ID, Run: report.Info(), Totals: totals, Rows: rows, NextCursor: next,
	})
}

func (s *Service) earlierAudit(ctx context.Context, p access.Principal, since string, run fleet.Run) (before fleet.Run, err error) {
	if since != sinceLast {
		before, err = s.namedAudit(ctx, p, since)
	} else if found, ok, previous := s.deps.Fleet.Previous(ctx, run); previous == nil && !ok {
		err = problems.New(problems.CodeUnknownRun, "There is no earlier audit of this caller that asked the same, to compare with.",
			problems.WithHint("Call again with run_id %s and without since for the rows.", run.ID))
	} else {
		before, err = found, previous
	}
	if err == nil {
		err = s.stillGranted(ctx, p, before.ID)
	}
	return before, err
}

func (s *Service) namedAudit(ctx context.Context, p access.Principal, since string) (fleet.Run, error) {
	if strings.HasPrefix(since, "run_") {
		return s.deps.Fleet.Run(ctx, p.Caller, since)
	}
	found, err := s.deps.Fleet.Runs(ctx, fleet.RunFilter{Kind: fleet.RunKindAudit, Caller: p.Caller, Label: since, Limit: 1})
	switch {
	case err != nil:
		return fleet.Run{}, err
	case len(found) == 0:
		return fleet.Run{}, problems.New(problems.CodeUnknownRun, "No audit of this caller has the label "+untrusted.Shown(since)+".",
			problems.WithHint("since is the run ID or the label of an earlier audit, or last; a date is neither."))
	}
	return found[0], nil
}

// checkSince refuses an earlier audit that is not there before any tenant is read.
// The last one is looked for afterwards: without it the audit is the first of its kind.
func (s *Service) checkSince(ctx context.Context, p access.Principal, since string) error {
	if since == "" || since == sinceLast {
		return nil
	}
	_, err := s.namedAudit(ctx, p, since)
	return err
}

func changedRow(c fleet.Change) answers.AuditRow {
	row := shortRow(*c.Row(), &answers.AuditCommon{})
	row.Change = &answers.RowChange{Kind: c.Kind, Roles: c.Roles, Own: c.Own}
	if c.Before != nil {
		row.Change.State, row.Change.PartnerID = c.Before.State, c.Before.PartnerID
	}
	if c.Kind == answers.KindCredentialExpires {
		row.CredentialExpires = c.After.CredentialExpires
	}
	if known := c.Acknowledged; known != nil {
		row.Change.Acknowledged = untrusted.Sanitize(known.Note)
	}
	return row
}
