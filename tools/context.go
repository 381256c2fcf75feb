package tools

import (
	"context"
	"time"

	"mcp-partner/access"
	"mcp-partner/schemas/problems"
)

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
