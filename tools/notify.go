package tools

import "context"

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

type callerKey struct{}

// WithCaller returns a context whose request was made by caller. The
// transport sets it after it has checked who is calling.
func WithCaller(ctx context.Context, caller string) context.Context {
	return context.WithValue(ctx, callerKey{}, caller)
}

// CallerOf returns who makes the request; "" where nobody was established,
// which no call path accepts.
func CallerOf(ctx context.Context) string {
	caller, _ := ctx.Value(callerKey{}).(string)
	return caller
}
