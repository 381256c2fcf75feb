package armclient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"mcp-partner/guard"
	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/partnerid"
	"mcp-partner/schemas/problems"
)

// Change is one write: what to do with which partner ID, and the link as it was
// read before. Before.State must be known: the outcome is decided by comparison
// with it.
type Change struct {
	// Method is PUT, PATCH or DELETE.
	Method    string
	PartnerID partnerid.ID
	Before    answers.Link
}

// Applied says whether a write took effect.
type Applied string

// The three answers. AppliedUnknown is the only one after which nothing may be
// concluded.
const (
	AppliedYes     Applied = "applied"
	AppliedNo      Applied = "not_applied"
	AppliedUnknown Applied = "unknown"
)

// Outcome is what became of a write.
//
// Applied may be AppliedYes together with a CodeConcurrentChange problem: the
// write happened, and somebody else wrote as well. Only AppliedYes without a
// problem means that After is what was asked for.
type Outcome struct {
	Applied Applied
	// After is the link read back; its state is unknown if nothing was sent.
	After   LinkRead
	Problem *problems.Problem
	// RequestID and CorrelationID are ARM's for the write, cleaned.
	RequestID, CorrelationID string
}

const (
	// readBackTime bounds all reads after a write together.
	readBackTime = 10 * time.Second
	// leastWriteTime is given to a write even if the caller has less left.
	leastWriteTime = 5 * time.Second
	// settleDefault is how long a write without an answer may still be at work.
	settleDefault = 3 * time.Second
)

// Apply sends a change once, reads the link back, and decides the outcome by
// state and version. From the moment the permit is spent it cannot be
// cancelled: the request goes on under its own deadline, 40 s, or less if ctx
// ends earlier, and so does the reading.
func (c *Client) Apply(ctx context.Context, permit guard.Permit, change Change) Outcome {
	if problem := c.refuse(ctx, change); problem != nil {
		return c.unsent(&record{}, problem)
	}
	w := c.send(ctx, permit, change)
	if !w.sent {
		return c.unsent(w.record, notSentAgain(w))
	}
	after := c.readBack(ctx, w, change)
	outcome := verdict(w, change, after)
	outcome.After = after
	outcome.RequestID, outcome.CorrelationID = untrusted.Sanitize(w.record.requestID), untrusted.Sanitize(w.record.correlationID)
	return outcome
}

func (c *Client) refuse(ctx context.Context, change Change) *problems.Problem {
	if err := ctx.Err(); err != nil {
		return problems.As(failed(ctx, err))
	}
	if !slices.Contains([]string{http.MethodPut, http.MethodPatch, http.MethodDelete}, change.Method) {
		return problems.New(problems.CodeInternal, "An unknown kind of write was requested; nothing was sent.")
	}
	switch change.Before.State {
	case answers.LinkLinked, answers.LinkNotLinked, answers.LinkDeleted:
		return nil
	default:
		return problems.New(problems.CodeInternal, "A write was requested while the link is unknown; nothing was sent.")
	}
}

// unsent is the outcome when the gate, the credential or refuse stopped it.
func (c *Client) unsent(r *record, problem *problems.Problem) Outcome {
	after := LinkRead{Identity: c.identity(r), TokenReadable: r.readable}
	after.fail(problem)
	return Outcome{Applied: AppliedNo, After: after, Problem: problem}
}

// written is what is known of a write before anything is read back.
type written struct {
	record *record
	sent   bool
	err    error // nil after a clean 200
}

// rejection returns the definite refusal of ARM, if it is one.
func (w written) rejection() *rejection {
	if answer, ok := errors.AsType[*rejection](w.err); ok && answer.definite() {
		return answer
	}
	return nil
}

// lost reports whether the write may still be at work: no answer of the
// provider arrived, or a gateway's that it got none.
func (w written) lost() bool {
	var answer *rejection
	if !errors.As(w.err, &answer) {
		return w.err != nil
	}
	return answer.status == http.StatusRequestTimeout || answer.status == http.StatusGatewayTimeout
}

func (c *Client) send(ctx context.Context, permit guard.Permit, change Change) written {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeForWrite(ctx))
	defer cancel()
	r, err := c.conn.write(ctx, permit, change.Method, change.PartnerID)
	return written{record: r, sent: r.wrote > 0 && !r.undelivered, err: err}
}

// timeForWrite leaves room for reading back before the caller's deadline.
func timeForWrite(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return writeTime
	}
	return min(writeTime, max(leastWriteTime, time.Until(deadline)-readBackTime))
}

// readBack reads the link under a context that the caller cannot end. After a
// lost answer that seems to have changed nothing it waits and reads again: the
// provider may still be at work.
func (c *Client) readBack(ctx context.Context, w written, change Change) LinkRead {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readBackTime)
	defer cancel()
	after := c.Link(ctx)
	if !w.lost() || !change.untouched(after.Link) || !pause(ctx, c.settle) {
		return after
	}
	return c.Link(ctx)
}

func pause(ctx context.Context, d time.Duration) bool {
	pausing, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	<-pausing.Done()
	return ctx.Err() == nil
}

// reached reports whether a link is in the state that the change aims at.
func (ch Change) reached(after answers.Link) bool {
	if ch.Method == http.MethodDelete {
		return after.State.Absent()
	}
	return after.State == answers.LinkLinked && after.PartnerID == ch.PartnerID
}

// untouched reports whether a link is as it was before, as far as can be seen.
func (ch Change) untouched(after answers.Link) bool {
	same := after.State == ch.Before.State || after.State.Absent() && ch.Before.State.Absent()
	if after.State == answers.LinkLinked {
		same = same && after.PartnerID == ch.Before.PartnerID
	}
	step, visible := ch.step(after)
	return same && (!visible || step == 0)
}

// step is by how much the version rose; visible only if both are there.
func (ch Change) step(after answers.Link) (by int64, visible bool) {
	if ch.Before.Version == nil || after.Version == nil {
		return 0, false
	}
	return *after.Version - *ch.Before.Version, true
}

// verdict decides the outcome of a write. The version rises by one with every
// write, so one step is this write alone, and anything else includes a write by
// others.
func verdict(w written, ch Change, after LinkRead) Outcome {
	step, visible := ch.step(after.Link)
	switch {
	case after.Link.State == answers.LinkUnknown:
		return unconfirmed(w, after)
	case w.rejection() != nil && ch.untouched(after.Link):
		return Outcome{Applied: AppliedNo, Problem: turnedDown(w, "read back, the link has not changed", hintAsBefore)}
	case w.rejection() == nil && ch.reached(after.Link) && oneStep(step, visible, ch, w, after.Link):
		return Outcome{Applied: AppliedYes}
	case w.err != nil && ch.untouched(after.Link):
		return Outcome{Applied: AppliedNo, Problem: notApplied(w)}
	default:
		return concurrent(w, step, visible)
	}
}

// oneStep reports whether exactly one write lies between before and after. If a
// version cannot be seen, a state that differs has to do; a state that does not
// differ needs the clean answer.
func oneStep(step int64, visible bool, ch Change, w written, after answers.Link) bool {
	if visible {
		return step == 1
	}
	return w.err == nil || !ch.untouched(after)
}

// unconfirmed: nothing could be read back. A definite refusal stands on its own.
func unconfirmed(w written, after LinkRead) Outcome {
	if w.rejection() != nil {
		return Outcome{Applied: AppliedNo, Problem: turnedDown(w, "the link could not be read back: "+string(after.Link.Reason), hintUnread)}
	}
	return Outcome{Applied: AppliedUnknown, Problem: w.problem(problems.CodeWriteUnconfirmed,
		"The write was sent "+w.answered()+", and the link could not be read back: "+string(after.Link.Reason)+".")}
}

// The hints after a write that was turned down. The usual ones of the codes say
// that nothing is known of the link.
const (
	hintAsBefore = "Nothing was changed."
	hintUnread   = "Nothing was changed by this write. Check the link before anything else."
)

// turnedDown words a definite answer to a write. A code that would make it a
// refusal, which means that nothing was sent, or that says nothing, gives way
// to write_not_applied; ARM's own code stays beside it.
func turnedDown(w written, found, hint string) *problems.Problem {
	answer := w.rejection()
	own := answer.problem
	code := own.Code
	if own.Refusal() || code == problems.CodeUnexpectedResponse {
		code = problems.CodeWriteNotApplied
	}
	p := w.problem(code, fmt.Sprintf("The write was sent and rejected with %d%s; %s.", answer.status, meaning(code), found))
	p.Hint = hint + nextStep(code)
	return p
}

func meaning(code problems.Code) string {
	return map[problems.Code]string{
		problems.CodeForeignPrincipal:    ": this identity has no account in this tenant",
		problems.CodeProviderUnavailable: ": ARM does not know the provider for this request at this endpoint",
	}[code]
}

func nextStep(code problems.Code) string {
	return cmp.Or(map[problems.Code]string{
		problems.CodeProviderUnavailable: " If it stays, check the cloud of the directory entry.",
		problems.CodeForbidden:           " Check what the identity may do in that tenant.",
		problems.CodeUnauthorized:        " Check the cloud and audience of the directory entry.",
		problems.CodeForeignPrincipal:    " Use a user or service principal of that tenant.",
		problems.CodeBadRequest:          " Use the MPN ID of a location account.",
	}[code], " Make a new plan before writing again.")
}

// notSentAgain: a write that a claims challenge sent back, and that was then
// stopped before it left once more. A refusal would say that nothing was sent.
func notSentAgain(w written) *problems.Problem {
	own := problems.As(w.err)
	if !w.record.challenged || !own.Refusal() {
		return own
	}
	return w.problem(problems.CodeWriteNotApplied,
		"The write was sent, and ARM asked for a new token without executing it; it was not sent again ("+string(own.Code)+").")
}

// notApplied: a throttled write keeps its own problem, which says how long to
// wait; of the others the cause is only mentioned, because "nothing is known"
// would no longer be true.
func notApplied(w written) *problems.Problem {
	own := problems.As(w.err)
	if own.Code == problems.CodeThrottled {
		return own
	}
	return w.problem(problems.CodeWriteNotApplied, "The write was sent "+w.answered()+"; read back, the link has not changed.")
}

// concurrent: what is read back is neither what was there nor what this write
// alone would have made of it.
func concurrent(w written, step int64, visible bool) Outcome {
	applied := AppliedUnknown
	switch {
	case w.rejection() != nil:
		applied = AppliedNo
	case w.err == nil && visible && step > 1:
		applied = AppliedYes
	}
	return Outcome{Applied: applied, Problem: w.problem(problems.CodeConcurrentChange,
		"The write was sent "+w.answered()+", but the link that was read back shows that someone else wrote too.")}
}

// answered says how the write was answered, in our own words.
func (w written) answered() string {
	if w.err == nil {
		return "and accepted"
	}
	return "and not confirmed (" + string(problems.As(w.err).Code) + ")"
}

// problem carries the write's own untrusted text and IDs over.
func (w written) problem(code problems.Code, message string) *problems.Problem {
	p := problems.New(code, message, problems.WithRequestIDs(w.record.requestID, w.record.correlationID))
	if w.err != nil {
		own := problems.As(w.err)
		p.Foreign, p.ForeignCode, p.RetryAfterSeconds = own.Foreign, own.ForeignCode, own.RetryAfterSeconds
	}
	return p
}
