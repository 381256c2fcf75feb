package guard

import (
	"context"
	"slices"
	"time"

	"mcp-partner/guard/runs"
	"mcp-partner/schemas/problems"
)

// Progress is where one row of a run stands.
type Progress struct {
	Row   int        `json:"row"`
	Stage runs.Stage `json:"stage"`
	// Revision counts the changes; a change has to name the one before it.
	Revision int64 `json:"revision"`
	// Intent is the entry of a write whose outcome is not recorded yet, else 0.
	Intent int64 `json:"intent,omitempty"`
	// Step is the last one that was begun, At when.
	Step runs.Step `json:"step,omitempty"`
	At   time.Time `json:"at"`
	// Snapshot is what was linked before the last step, and after it once it is known.
	Snapshot LinkSnapshot `json:"seen,omitzero"`
	// Tries counts the attempts of the current half that changed nothing.
	Tries int `json:"tries,omitempty"`
	// Unseen says that an attempt was repeated of which nothing was to be seen,
	// and that a link which somebody had removed would have looked the same.
	Unseen bool `json:"unseen,omitempty"`
	// Result is a status or a problem code.
	Result string `json:"result,omitempty"`
	// ARMRequestID and CorrelationID are ARM's of the last write.
	ARMRequestID  string `json:"arm_request_id,omitempty"`
	CorrelationID string `json:"correlation_id,omitempty"`
}

// may reports whether a step comes next in a row that stands at a stage. A
// restoration needs an attempt to replace that changed nothing.
func (r PlanRow) may(at Progress, step runs.Step) bool {
	switch at.Stage {
	case runs.StagePlanned:
		return len(r.Steps) > 0 && step == r.Steps[0]
	case runs.StageRemoved:
		return slices.Contains(r.Steps, runs.StepReplace) && (step == runs.StepReplace || step == runs.StepRestore && at.Tries > 0)
	case runs.StageStranded:
		return slices.Contains(r.Steps, runs.StepReplace) && (step == runs.StepReplace || step == runs.StepRestore)
	default:
		return false
	}
}

// The refusals of a step of a run.
var (
	ErrAdvanced = problems.New(problems.CodeRunBusy, "Another process is executing this tenant of the run.")
	ErrBusy     = problems.New(problems.CodeRunBusy, "Another write to this link is in progress.")
)

// RunStore is what the guard needs to remember of plans and runs. As for
// Store, every method is safe for concurrent use by several processes.
type RunStore interface {
	// Plan returns the bytes that PutTicket or OpenRun stored under an ID.
	Plan(ctx context.Context, id string) (body []byte, ok bool, err error)
	// OpenRun adds a run with its events, all or nothing. Where the run has an
	// Approval that ticket is spent with it, and opened is false if that was
	// done already; else body is stored under the run's Plan.
	OpenRun(ctx context.Context, run runs.Run, body []byte, events ...Event) (opened bool, err error)
	// OpenedRun returns a run; ok is false if there is none.
	OpenedRun(ctx context.Context, id string) (run runs.Run, ok bool, err error)
	// OpenedRuns returns the runs that have not ended, oldest first, or the newest
	// limit of all.
	OpenedRuns(ctx context.Context, open bool, limit int) ([]runs.Run, error)
	// CloseRun marks a run as ended, with its event; a second call changes nothing.
	CloseRun(ctx context.Context, id string, at time.Time, event Event) error
	// Progress returns where the tenants of a run stand, by row. Rows that have
	// not begun are missing.
	Progress(ctx context.Context, run string) (map[int]Progress, error)
	// Advance replaces the progress of a row by the next revision, with its event,
	// all or nothing, and returns it. An intent is appended as Append does and
	// becomes the progress's Intent; one that does not complete anything waits for
	// other writes to the link. ErrAdvanced and ErrBusy say that it was not to be.
	Advance(ctx context.Context, run string, next Progress, event Event) (Progress, error)
}
