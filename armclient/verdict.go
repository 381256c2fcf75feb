package armclient

import (
	"cmp"
	"fmt"
	"net/http"

	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

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
