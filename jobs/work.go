package jobs

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"mcp-partner/fleet"
	"mcp-partner/guard"
	"mcp-partner/jobs/schedules"
	"mcp-partner/schemas/problems"
)

// Audits runs the audits of schedules. Its errors are problems, or Ended.
type Audits interface {
	// Allowed refuses with Ended where the schedule may run no more.
	Allowed(ctx context.Context, s schedules.Schedule) error
	// Start begins the audit of a slot, or finds it begun, and does not wait.
	Start(ctx context.Context, s schedules.Schedule, due time.Time) (run string, err error)
	// Run returns a run, and resumes it where the process that worked on it is gone.
	Run(ctx context.Context, s schedules.Schedule, run string) (fleet.Run, error)
	// Compare looks for changes in a run that has finished, and alerts.
	Compare(ctx context.Context, run fleet.Run) error
}

// Ended says why a schedule may run no more.
type Ended struct{ Reason string }

// Error implements error.
func (e Ended) Error() string { return e.Reason }

// Work is what is done by itself. Deliver may be nil.
type Work struct {
	Schedules schedules.Store
	Audits    Audits
	// Entry makes the entry of the record about a schedule.
	Entry func(kind guard.EventKind, detail string) guard.Event
	// Deliver delivers what waits in the outbox. Upkeep checks what processes that are
	// gone have left, and pushes heads of the record out.
	Deliver, Upkeep func(ctx context.Context) error
	Now             func() time.Time
	Log             *slog.Logger
}

// errBusy is that the last audit of a schedule has not ended.
var errBusy = errors.New("the last audit of the schedule has not ended")

// due is a slot that is to be audited.
type due struct {
	Schedule string    `json:"schedule"`
	Made     time.Time `json:"made"`
	Due      time.Time `json:"due"`
}

// tick puts the slots that are due into the queue, and stops the schedules that may
// run no more. What fails for one schedule is tried again in a minute.
func (w *Work) tick(ctx context.Context, insert func(context.Context, due) error) error {
	all, err := w.Schedules.Schedules(ctx)
	if err != nil {
		return err
	}
	var failures []error
	for _, s := range all {
		if s.Stopped != "" || w.stopped(ctx, s, w.Audits.Allowed(ctx, s)) {
			continue
		}
		if slot, ok := s.Due(w.Now()); ok {
			failures = append(failures, insert(ctx, due{s.Name, s.CreatedAt.UTC(), slot.UTC()}))
		}
	}
	return errors.Join(failures...)
}

// stopped stops a schedule if that is what an error says.
func (w *Work) stopped(ctx context.Context, s schedules.Schedule, err error) bool {
	var ended Ended
	if !errors.As(err, &ended) {
		return false
	}
	stopped, err := w.Schedules.ChangeSchedule(ctx, s, func(s *schedules.Schedule) bool {
		first := s.Stopped == ""
		s.Stopped = ended.Reason
		return first
	}, w.Entry(guard.KindSchedule, "stopped "+s.Name+": "+ended.Reason))
	if err != nil {
		w.Log.WarnContext(ctx, "a schedule could not be stopped", "schedule", s.Name, "problem", problems.As(err).Code)
	} else if stopped {
		w.Log.WarnContext(ctx, "a schedule was stopped", "schedule", s.Name, "reason", ended.Reason)
	}
	return true
}

// audit begins the audit of a slot, unless that was done. The last audit of the
// schedule is ended first, so that its changes are compared.
func (w *Work) audit(ctx context.Context, d due) error {
	s, ok, err := schedules.Schedule{Name: d.Schedule, CreatedAt: d.Made}.Running(ctx, w.Schedules)
	if err != nil || !ok || !d.Due.After(s.Last.Due) {
		return err
	}
	if settled, err := w.settle(ctx, s); err != nil || !settled {
		return errors.Join(err, errBusy)
	}
	slot := schedules.Slot{Due: d.Due}
	slot.Run, err = w.Audits.Start(ctx, s, d.Due)
	switch {
	case err == nil:
		w.Log.InfoContext(ctx, "a scheduled audit began", "schedule", s.Name, "due", d.Due.UTC().Format(time.RFC3339), "run", slot.Run)
	case w.stopped(ctx, s, err):
		return nil
	case passing(err):
		return err
	default:
		slot.Problem = problems.As(err).Message
		w.Log.WarnContext(ctx, "a scheduled audit could not begin", "schedule", s.Name, "problem", problems.As(err).Code)
	}
	_, err = w.Schedules.ChangeSchedule(ctx, s, func(s *schedules.Schedule) bool {
		s.Last = slot
		return true
	})
	return err
}

// passing reports whether what keeps an audit from beginning may be over in a minute,
// as a freeze is after it was lifted. Then the slot runs late.
func passing(err error) bool {
	switch problems.As(err).Code {
	case problems.CodeFrozen, problems.CodeVaultUnavailable, problems.CodeCancelled, problems.CodeTimeout, problems.CodeRunInProgress, problems.CodeInternal:
		return true
	}
	return problems.As(err).Retryable
}

// watch resumes the audits of processes that are gone, and compares those that have
// finished.
func (w *Work) watch(ctx context.Context) error {
	all, err := w.Schedules.Schedules(ctx)
	failures := []error{err}
	for _, s := range all {
		_, err := w.settle(ctx, s)
		failures = append(failures, err)
	}
	return errors.Join(failures...)
}

// settle reports whether the last audit of a schedule has ended and was compared.
func (w *Work) settle(ctx context.Context, s schedules.Schedule) (bool, error) {
	id := s.Last.Run
	if id == "" || id == s.Compared {
		return true, nil
	}
	run, err := w.Audits.Run(ctx, s, id)
	switch {
	case err != nil && !w.stopped(ctx, s, err) && passing(err):
		return false, err
	case err != nil:
		// It was removed, or may not be resumed: nothing more comes of it.
		w.Log.WarnContext(ctx, "a scheduled audit cannot be continued", "schedule", s.Name, "run", id, "problem", problems.As(err).Code)
	case run.State == fleet.RunRunning || run.State == fleet.RunInterrupted:
		return false, nil
	case run.State == fleet.RunFinished:
		if err := w.Audits.Compare(ctx, run); err != nil {
			return false, err
		}
	}
	return w.Schedules.ChangeSchedule(ctx, s, func(s *schedules.Schedule) bool {
		s.Compared = id
		return s.Last.Run == id
	})
}
