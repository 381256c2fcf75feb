package tools

import (
	"context"
	"time"

	"mcp-partner/access"
	"mcp-partner/schemas/problems"
)

// Observer is told what goes on in calls, for metrics and traces. It gets no
// arguments and no answers.
type Observer interface {
	// Begin is told that a call of a tool begins. The call runs under the context
	// that it returns; the function is told how the call ended.
	Begin(ctx context.Context, tool string) (context.Context, func(outcome string, code problems.Code, took time.Duration))
	// Step is told that a part of a call begins, such as "guard". The function is
	// told how that ended.
	Step(ctx context.Context, name string) (context.Context, func(error))
}

// nopObserver is the Observer of a service that has none.
type nopObserver struct{}

// Begin implements Observer.
func (nopObserver) Begin(ctx context.Context, _ string) (context.Context, func(string, problems.Code, time.Duration)) {
	return ctx, func(string, problems.Code, time.Duration) {}
}

// Step implements Observer.
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

type requestIDKey struct{}

// WithRequestID returns a context whose request has an ID of this server's
// making, by which log lines and traces of one request are found.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// RequestIDOf returns the ID of the request, or "".
func RequestIDOf(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// Notifier sends a notification on the stream of the request being answered,
// and on no other. The transport puts one into each request's context.
type Notifier interface {
	// Notify sends a JSON-RPC notification; params is marshalled to JSON. It
	// returns when the notification is ahead of the request's answer.
	Notify(method string, params any) error
}

type notifierKey struct{}

// WithNotifier returns a context whose request notifies through n.
func WithNotifier(ctx context.Context, n Notifier) context.Context {
	return context.WithValue(ctx, notifierKey{}, n)
}

// NotifierOf returns the request's notifier, or nil where it has none.
func NotifierOf(ctx context.Context) Notifier {
	n, _ := ctx.Value(notifierKey{}).(Notifier)
	return n
}

type principalKey struct{}

// WithPrincipal returns a context whose request was made by p. The transport
// sets it after it has checked who is calling.
func WithPrincipal(ctx context.Context, p access.Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// PrincipalOf returns who makes the request; the zero value where nobody was
// established, which no call path accepts.
func PrincipalOf(ctx context.Context) access.Principal {
	p, _ := ctx.Value(principalKey{}).(access.Principal)
	return p
}
