// Package runs says what a run over many tenants is, and through which steps and
// stages each of its tenants goes.
package runs

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"mcp-partner/access"
)

// Digest is a SHA-256. Its text is hexadecimal.
type Digest [sha256.Size]byte

// String returns its text.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// MarshalText implements encoding.TextMarshaler.
func (d Digest) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, d[:]), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Digest) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(d)) {
		return hex.ErrLength
	}
	_, err := hex.Decode(d[:], text)
	return err
}

// Scan implements sql.Scanner. What is no digest is the zero one, which nothing has.
func (d *Digest) Scan(column any) error {
	*d = Digest{}
	if b, _ := column.([]byte); len(b) == len(d) {
		copy(d[:], b)
	}
	return nil
}

// Life is how long tenants of an approved plan may begin.
const Life = 24 * time.Hour

// Run is an approved plan that is being carried out. It outlives the process.
type Run struct {
	// ID is what an agent sees; it refers to the run and opens nothing.
	ID string `json:"id"`
	// Plan is the ID under which the store has the plan, Digest what it must be.
	Plan   string        `json:"plan"`
	Digest Digest        `json:"digest"`
	Caller access.Caller `json:"caller"`
	Tool   string        `json:"tool"`
	// Approval is the ticket that was spent, "" if the policy required no
	// confirmation.
	Approval string `json:"approval,omitempty"`
	Approver string `json:"approver,omitempty"`
	// Token is the invocation token that opened the run, if any. After it is
	// revoked no further tenant begins. After it expired, one begins with the
	// caller's next token.
	Token string `json:"token,omitempty"`
	// Ruling is who was asked: it covers rows that ask for no more.
	Ruling    access.Ruling `json:"ruling"`
	OpenedAt  time.Time     `json:"opened"`
	ExpiresAt time.Time     `json:"expires"`
	// EndedAt is set once no tenant of the run may begin any more.
	EndedAt time.Time `json:"ended,omitzero"`
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

// Step is one write of a plan: one request, one permit.
type Step string

// The steps. StepRestore is in no row: it restores the old link after
// StepReplace failed for good.
const (
	StepCreate  Step = "create"  // PUT where nothing is linked
	StepUpdate  Step = "update"  // PATCH
	StepRemove  Step = "remove"  // DELETE, the first half of a replacement
	StepReplace Step = "replace" // PUT, the second half
	StepRestore Step = "restore" // PUT of the ID that was removed
)

// Stage is where a tenant stands while the step is under way.
func (s Step) Stage() Stage {
	return cmp.Or(map[Step]Stage{StepRemove: StageRemoving, StepReplace: StageReplacing, StepRestore: StageRestoring}[s], StageWriting)
}
