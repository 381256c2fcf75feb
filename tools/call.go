package tools

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/internal/untrusted"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

const (
	// readWithin bounds a reading call, so that every call answers within the
	// 45 seconds after which clients give up.
	readWithin = 40 * time.Second
	// planWithin bounds what a writing call reads before it asks anybody.
	planWithin = 15 * time.Second
	// writeWithin bounds a write with its confirming read. A PUT was seen to
	// take about 15 seconds.
	writeWithin = 28 * time.Second
)

// job is one call on its way.
type job struct {
	call Call
	op   schemas.Operation
	// since is when the call began, or when the person whom it asked answered:
	// from then on its answer is waited for.
	since time.Time
}

// Call answers one call of a tool. It never returns an error: the envelope
// holds every failure.
func (s *Service) Call(ctx context.Context, call Call) Result {
	began := s.deps.Now()
	ctx, ended := s.deps.Observer.Begin(ctx, call.Tool)
	result := s.answer(ctx, call)
	took := s.deps.Now().Sub(began)
	outcome, code := outcomeOf(result)
	ended(outcome, code, took)
	s.log(ctx, call, result, took)
	return result
}

func (s *Service) answer(ctx context.Context, call Call) Result {
	if call.Principal.Caller == "" {
		return failure(problems.New(problems.CodeInternal, "The call has no caller, so nothing was done."))
	}
	op, ok := schemas.Lookup(call.Tool)
	if !ok {
		return failure(unknownTool(call.Tool))
	}
	call.Principal = s.deps.Guard.Confine(call.Principal)
	if err := call.Principal.Grant.Check(op); err != nil {
		if op.Effect.Writes() { // refused before its arguments are looked at, and recorded
			s.deps.Guard.Refused(ctx, guard.Intent{Caller: call.Principal.Caller, Tool: op.Name}, problems.As(err).Code)
		}
		return failure(err)
	}
	if err := s.deps.Guard.Use(ctx, call.Principal); err != nil {
		return failure(err)
	}
	arguments, err := op.Decode(call.Arguments)
	if err != nil {
		return failure(err)
	}
	j := &job{call: call, op: op}
	if !op.Effect.Writes() && !call.PlanOnly {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, readWithin)
		defer cancel()
	}
	result := s.handlers[op.Name](ctx, j, arguments.Input)
	result.Envelope.Ignored = arguments.Ignored
	result.Envelope.Problem = s.switchedOff(call, result.Envelope.Problem)
	return result
}

// switchedOff says to the person at the machine how writes are switched on. Who
// calls over HTTP has to ask the operator.
func (s *Service) switchedOff(call Call, problem *problems.Problem) *problems.Problem {
	if problem == nil || problem.Code != problems.CodeWritesDisabled || call.Principal.Caller != StdioCaller {
		return problem
	}
	own := *problem
	own.Hint, own.Command = "Tell the user that writes are off on this server, and how to turn them on.", s.allowWrites()
	return &own
}

func unknownTool(name string) error {
	names := xslices.Map(schemas.Catalogue(), func(op schemas.Operation) string { return op.Name })
	message := fmt.Sprintf("There is no tool %q.", untrusted.Sanitize(name))
	if near := schemas.Nearest(name, names); near != "" {
		message = fmt.Sprintf("There is no tool %q: did you mean %s?", untrusted.Sanitize(name), near)
	}
	return problems.New(problems.CodeUnknownTool, message, problems.WithNextTool(schemas.ToolFindPartnerTool))
}

// ask puts the guard's question to the person behind a call; later means that the
// answer comes with another call. Nobody confirms by a channel that breaks.
func (j *job) ask(ctx context.Context, asked guard.Asked) (answer guard.Answer, later bool) {
	answer, err := j.call.Confirmer.Ask(ctx, asked.Question, asked.Seal)
	j.since = time.Now()
	if err != nil {
		answer = guard.Answer{Action: guard.ActionCancel}
	}
	return answer, errors.Is(err, ErrLater)
}

func (j *job) progress(step, total int, message string) {
	if j.call.Progress != nil {
		j.call.Progress(step, total, message)
	}
}

func done(envelope answers.Envelope) Result { return Result{Envelope: envelope} }

func failure(err error) Result { return done(problemEnvelope(err)) }

// problemEnvelope makes an envelope whose status follows from the problem.
func problemEnvelope(err error) answers.Envelope {
	problem := problems.As(err)
	status := answers.StatusFailed
	if problem.Refusal() {
		status = answers.StatusRefused
	}
	return answers.Envelope{Status: status, Summary: problem.Message, Problem: problem}
}

// log writes one line for a call. Arguments never go into it: the attributes
// are a closed list.
func (s *Service) log(ctx context.Context, call Call, result Result, took time.Duration) {
	outcome, code := outcomeOf(result)
	attributes := []slog.Attr{
		slog.String("caller", string(call.Principal.Caller)), slog.String("tool", untrusted.Sanitize(call.Tool)),
		slog.String("outcome", outcome), slog.Duration("duration", took),
	}
	if identity := result.Envelope.Identity; identity != nil {
		attributes = append(attributes, slog.String("tenant", identity.Tenant))
	}
	if code != "" {
		attributes = append(attributes, slog.String("problem", string(code)))
	}
	s.deps.Logger.LogAttrs(ctx, slog.LevelInfo, "call", attributes...)
}

// Authorize returns nil if a principal may use a tool of this server, and else
// the problem with which a call of it is refused. It looks at nothing but tool,
// grant and bounds, so that a list of tools depends on authorization alone.
func (s *Service) Authorize(p access.Principal, tool string) error {
	op, ok := schemas.Lookup(tool)
	if !ok {
		return unknownTool(tool)
	}
	return s.deps.Guard.Confine(p).Grant.Check(op)
}

// stillGranted refuses a run that reaches out of what its caller has now.
func (s *Service) stillGranted(ctx context.Context, p access.Principal, run string) error {
	if sees := p.Grant.Sees(); run != "" && sees != nil {
		return s.deps.Fleet.Within(ctx, run, sees)
	}
	return nil
}

// Observer receives the events of calls, for metrics and traces. It gets no
// arguments and no answers.
type Observer interface {
	// Begin is called when a call of a tool begins. The call runs under the context
	// that it returns; the returned function gets the outcome.
	Begin(ctx context.Context, tool string) (context.Context, func(outcome string, code problems.Code, took time.Duration))
	// Step is called when a part of a call begins, such as "guard". The returned
	// function gets its error.
	Step(ctx context.Context, name string) (context.Context, func(error))
}

type nopObserver struct{}

func (nopObserver) Begin(ctx context.Context, _ string) (context.Context, func(string, problems.Code, time.Duration)) {
	return ctx, func(string, problems.Code, time.Duration) {}
}

func (nopObserver) Step(ctx context.Context, _ string) (context.Context, func(error)) {
	return ctx, func(error) {}
}

// stepGuard is the part of a call in which the guard decides.
const stepGuard = "guard"

// outcomeOf is how a call ended, in one word: the envelope's status, or that a
// question went out in its place.
func outcomeOf(result Result) (outcome string, code problems.Code) {
	if result.Elicitation != nil {
		return "asked", ""
	}
	if problem := result.Envelope.Problem; problem != nil {
		code = problem.Code
	}
	return string(result.Envelope.Status), code
}

// Notifier sends a notification on the stream of the request being answered,
// and on no other. The transport puts one into each request's context.
type Notifier interface {
	// Notify sends a JSON-RPC notification; params is marshalled to JSON. It
	// returns when the notification is ahead of the request's answer.
	Notify(method string, params any) error
}

// Request is what a transport knows of the request that a context is for.
type Request struct {
	// ID is of this server's making; log lines and traces are found by it.
	ID string
	// Principal is the authenticated caller; no call path accepts the zero value.
	Principal access.Principal
	// Notifier notifies on the request's stream; nil where it has none.
	Notifier Notifier
}

type requestKey struct{}

// WithRequest returns the context of a request. The transport makes it after it
// has checked who is calling.
func WithRequest(ctx context.Context, r Request) context.Context {
	return context.WithValue(ctx, requestKey{}, r)
}

// RequestOf returns the request of a context, or the zero value.
func RequestOf(ctx context.Context) Request {
	r, _ := ctx.Value(requestKey{}).(Request)
	return r
}
