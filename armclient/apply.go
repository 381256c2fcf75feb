package armclient

import (
	"context"
	"errors"
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

// refuse stops what must not be begun.
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
