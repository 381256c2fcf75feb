package tools

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"mcp-partner/fleet"
	"mcp-partner/guard"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

// earlier answers about a run that was opened before, and resumes it if
// requested.
func (s *Service) earlier(ctx context.Context, j *job, w batchRequest) Result {
	run, progress, err := s.deps.Guard.RunOf(ctx, w.ref.RunID, j.call.Principal)
	if err == nil && run.Tool != j.op.Name {
		err = problems.New(problems.CodeUnknownRun, "This tool has no run with that ID.", problems.WithNextTool(run.Tool))
	}
	if err != nil {
		return s.refusedBatch(ctx, j, w, err)
	}
	if w.ref.Resume && !j.call.PlanOnly {
		return s.execute(ctx, j, w, run, w.many.First)
	}
	return s.standing(w, run, progress)
}

// execute starts a run and answers when it rests, or before the client gives
// up: then it goes on. A patient caller is a process that ends when it is
// interrupted, so what has begun is completed before.
func (s *Service) execute(ctx context.Context, j *job, w batchRequest, run guard.OpenRun, first int) Result {
	active := s.writer.Start(ctx, run, fleet.Continue, first, j.paced("Writing, then reading back"))
	var timeout <-chan time.Time
	if !j.call.Patient {
		within := answerWithin - time.Since(j.since)
		if j.call.Brief {
			within = 0
		}
		timer := time.NewTimer(within)
		defer timer.Stop()
		timeout = timer.C
	}
	select {
	case <-active.Done():
	case <-timeout:
	case <-ctx.Done(): // the client is gone; the run goes on
		if j.call.Patient {
			s.Close()
			<-active.Done()
		}
	}
	// The call was allowed when it began, and learns what it wrote even if its access
	// was withdrawn meanwhile.
	run, progress, err := s.deps.Guard.LoadRun(context.WithoutCancel(ctx), run.ID, j.call.Principal.Caller)
	if err != nil {
		return failure(err)
	}
	result := s.standing(w, run, progress, active)
	if ctx.Err() != nil && j.call.Patient {
		interrupted(&result.Envelope)
	}
	if err := active.Err(); err != nil && result.Envelope.Problem == nil {
		return s.refusedBatch(ctx, j, w, err)
	}
	return result
}

// interrupted says of a run that was ended by hand that it is not over.
func interrupted(envelope *answers.Envelope) {
	if envelope.Problem == nil && envelope.Totals[string(answers.ChangeWaiting)] > 0 {
		envelope.Problem = problems.New(problems.CodeRunIncomplete, "The run was interrupted. "+envelope.Summary)
		envelope.Status, envelope.Summary = answers.StatusFailed, envelope.Problem.Message
	}
}

func (s *Service) standing(w batchRequest, run guard.OpenRun, progress map[int]guard.Progress, actives ...*fleet.Execution) Result {
	id, at := run.ID, rests
	if active, working := s.writer.Working(id); working {
		actives, at = append(actives, active), worksHere
	} else if len(actives) == 0 && s.underWay(progress) {
		at = worksElsewhere
	}
	notes := map[int]problems.Code{}
	for _, a := range actives {
		maps.Copy(notes, a.Notes())
	}
	rows := fleet.Changes(run.Plan, progress, notes)
	envelope := s.page(w, rows)
	envelope.RunID = id
	s.judge(&envelope, rows, at, run.Ended(s.deps.Now()))
	return Result{Envelope: envelope}
}

// work says who is at work in a run.
type work int

const (
	rests work = iota
	worksHere
	// worksElsewhere says that it may be another process, or was until just now.
	worksElsewhere
)

// underWay reports whether another process may be at work in a run: a tenant has
// begun, and no longer ago than a write can take.
func (s *Service) underWay(progress map[int]guard.Progress) bool {
	settled := cmp.Or(s.deps.Settled, fleet.Settled)
	for _, at := range progress {
		if at.Stage.Begun() && s.deps.Now().Sub(at.At) < settled {
			return true
		}
	}
	return false
}

// judge sets how a run ended, or that it has not.
func (s *Service) judge(envelope *answers.Envelope, rows []answers.ChangeRow, at work, ended bool) {
	envelope.Status = answers.StatusDone
	totals := fleet.Totals(rows)
	count := func(states ...answers.ChangeState) (n int) {
		for _, state := range states {
			n += totals[string(state)]
		}
		return n
	}
	waiting := count(answers.ChangeWaiting, answers.ChangePlanned)
	switch {
	case count(answers.ChangeStranded) > 0:
		envelope.Problem = problems.New(problems.CodeStranded, envelope.Summary)
	case at == worksElsewhere:
		envelope.Summary += fmt.Sprintf(" Another process may be executing it; call again with run_id %s.", envelope.RunID)
	case at == worksHere:
		envelope.Summary = fmt.Sprintf("The run continues; call again with run_id %s. So far: %s", envelope.RunID, envelope.Summary)
	case count(answers.ChangeUnfinished, answers.ChangeFailed, answers.ChangeRestored, answers.ChangeSkipped) > 0:
		envelope.Problem = problems.New(problems.CodeRunIncomplete, envelope.Summary)
	case waiting > 0 && ended:
		envelope.Problem = problems.New(problems.CodeApprovalExpired, "The approval of the run expired before every tenant had begun. "+envelope.Summary)
	case slices.ContainsFunc(rows, func(r answers.ChangeRow) bool { return r.State == answers.ChangeWaiting && r.Problem != "" }):
		envelope.Problem = problems.New(problems.CodeRunIncomplete, envelope.Summary)
	case waiting > 0:
		envelope.Summary = fmt.Sprintf("Not begun yet: %d; to continue, call again with run_id %s and resume. %s", waiting, envelope.RunID, envelope.Summary)
	case count(answers.ChangeDone) == 0:
		envelope.Status = answers.StatusUnchanged
	}
	if envelope.Problem != nil {
		envelope.Status = problemEnvelope(envelope.Problem).Status
		envelope.Summary = envelope.Problem.Message
	}
}

// page cuts one page out of the rows, those that need a person first. While a
// run goes on its rows move between pages.
func (s *Service) page(w batchRequest, rows []answers.ChangeRow) answers.Envelope {
	envelope := answers.Envelope{Totals: fleet.Totals(rows), Summary: fleet.Headline(rows)}
	fleet.SortChanges(rows)
	from := min(w.from(), len(rows))
	limit := cmp.Or(w.ref.Limit, defaultPage)
	if w.whole {
		limit = len(rows)
	}
	envelope.Changes = rows[from:min(from+limit, len(rows))]
	if from+limit < len(rows) {
		envelope.NextCursor = strconv.Itoa(from + limit)
	}
	return envelope
}

// paced tells a waiting client how far a run is, about once a second and at the
// end.
func (j *job) paced(message string) func(done, total int) {
	var mu sync.Mutex
	var told time.Time
	most := 0
	return func(done, total int) {
		mu.Lock()
		defer mu.Unlock()
		if now := time.Now(); done > most && (done == total || now.Sub(told) >= progressEvery) {
			told, most = now, done
			j.progress(done, total, message)
		}
	}
}
