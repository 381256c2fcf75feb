package guard

import (
	"context"
	"crypto/sha256"
	"slices"
	"time"

	"mcp-partner/access"
)

// RunLife is how long tenants of an approved plan may begin.
const RunLife = 24 * time.Hour

// Run is an approved plan that is being carried out. It outlives the process.
type Run struct {
	// ID is what an agent sees; it refers to the run and opens nothing.
	ID string
	// Plan is the ID under which the store has the plan, Digest what it must be.
	Plan   string
	Digest [sha256.Size]byte
	Caller access.Caller
	Tool   string
	// Approval is the ticket that was spent, "" where the policy asked nobody.
	Approval string
	Approver string
	// Token is the invocation token with which it was opened, if any. Once that is
	// revoked no further tenant begins, whoever goes on. Once it has expired, one
	// does with the caller's next token.
	Token string
	// Ruling is who was asked: it covers rows that ask for no more.
	Ruling              access.Ruling
	OpenedAt, ExpiresAt time.Time
	// EndedAt is set once no tenant of the run may begin any more.
	EndedAt time.Time
}

// Ended reports whether no further tenant of the run may begin.
func (r Run) Ended(now time.Time) bool { return !r.EndedAt.IsZero() || !now.Before(r.ExpiresAt) }

// Stage is where a tenant of a run stands.
type Stage string

// The stages. StagePlanned is that of a row without Progress. The four that end
// in -ing have been begun and are not known to have ended. StageWritten still
// has to reach the directory; StageRemoved has no link.
const (
	StagePlanned   Stage = ""
	StageWriting   Stage = "writing"
	StageRemoving  Stage = "removing"
	StageRemoved   Stage = "removed"
	StageReplacing Stage = "replacing"
	StageRestoring Stage = "restoring"
	StageWritten   Stage = "written"
	StageDone      Stage = "done"
	StageFailed    Stage = "failed"
	StageSkipped   Stage = "skipped"
	StageRestored  Stage = "restored"
	StageStranded  Stage = "stranded"
)

// Final reports whether nothing more happens in the tenant by itself.
func (s Stage) Final() bool {
	return slices.Contains([]Stage{StageDone, StageFailed, StageSkipped, StageRestored, StageStranded}, s)
}

// Begun reports whether something was written that has to be completed or
// compensated, whatever has been frozen, expired or revoked since.
func (s Stage) Begun() bool { return s != StagePlanned && !s.Final() }

// Progress is where one row of a run stands.
type Progress struct {
	Row   int
	Stage Stage
	// Revision counts the changes; a change has to name the one before it.
	Revision int64
	// Intent is the entry of a write whose outcome is not recorded yet, else 0.
	Intent int64
	// Step is the last one that was begun, At when.
	Step Step
	At   time.Time
	// LinkSnapshot is what was linked before the last step, and after it once it is known.
	Snapshot LinkSnapshot
	// Tries counts the attempts of the current half that changed nothing.
	Tries int
	// Unseen says that an attempt was repeated of which nothing was to be seen,
	// and that a link which somebody had removed would have looked the same.
	Unseen bool
	// Result is a status or a problem code.
	Result string
	// ARMRequestID and CorrelationID are ARM's of the last write.
	ARMRequestID, CorrelationID string
}

// stageOf is where a tenant stands while a step is under way.
func stageOf(step Step) Stage {
	switch step {
	case StepRemove:
		return StageRemoving
	case StepReplace:
		return StageReplacing
	case StepRestore:
		return StageRestoring
	default:
		return StageWriting
	}
}

// may reports whether a step comes next in a row that stands at a stage. A
// restoration needs an attempt to replace that changed nothing.
func (r PlanRow) may(at Progress, step Step) bool {
	switch at.Stage {
	case StagePlanned:
		return len(r.Steps) > 0 && step == r.Steps[0]
	case StageRemoved:
		return slices.Contains(r.Steps, StepReplace) && (step == StepReplace || step == StepRestore && at.Tries > 0)
	case StageStranded:
		return slices.Contains(r.Steps, StepReplace) && (step == StepReplace || step == StepRestore)
	default:
		return false
	}
}

// RunStore is what the guard needs to remember of plans and runs. As for
// Store, every method is safe for concurrent use by several processes.
type RunStore interface {
	// Plan returns the bytes that PutTicket or OpenRun stored under an ID.
	Plan(ctx context.Context, id string) (body []byte, ok bool, err error)
	// OpenRun adds a run with its events, all or nothing. Where the run has an
	// Approval that ticket is spent with it, and opened is false if that was
	// done already; else body is stored under the run's Plan.
	OpenRun(ctx context.Context, run Run, body []byte, events ...Event) (opened bool, err error)
	// OpenedRun returns a run; ok is false if there is none.
	OpenedRun(ctx context.Context, id string) (run Run, ok bool, err error)
	// OpenedRuns returns the runs that have not ended, oldest first, or the newest
	// limit of all.
	OpenedRuns(ctx context.Context, open bool, limit int) ([]Run, error)
	// CloseRun marks a run as ended, with its event; a second call changes nothing.
	CloseRun(ctx context.Context, id string, at time.Time, event Event) error
	// Progress returns where the tenants of a run stand, by row. Rows that have
	// not begun are missing.
	Progress(ctx context.Context, run string) (map[int]Progress, error)
	// Advance replaces the progress of a row by the next revision, with its
	// events, all or nothing. Where the last event is an intent, it becomes the
	// progress's Intent. The gate is looked at in the same step.
	Advance(ctx context.Context, run string, next Progress, gate Gate, events ...Event) (Advanced, Progress, error)
}

// Gate is what may hold the first write of a tenant back. The zero value holds
// nothing back.
type Gate struct {
	// TenantID and ObjectID name the link that nobody else may be writing to.
	TenantID, ObjectID string
	// Rule may have made at most Count intents since Since; Count 0 is no limit.
	Rule  string
	Since time.Time
	Count int
}

// Advanced says what became of an Advance.
type Advanced int

// What can become of it. Unless it is AdvancedYes nothing was recorded.
const (
	AdvancedYes   Advanced = iota
	AdvancedStale          // somebody else has advanced the row
	AdvancedBusy           // another write to the link has no outcome yet
	AdvancedOver           // the rule's rate is used up
)
