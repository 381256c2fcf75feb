package tools

import (
	"context"

	"mcp-partner/guard"
)

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
func WithPrincipal(ctx context.Context, p guard.Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// PrincipalOf returns who makes the request; the zero value where nobody was
// established, which no call path accepts.
func PrincipalOf(ctx context.Context) guard.Principal {
	p, _ := ctx.Value(principalKey{}).(guard.Principal)
	return p
}
