package server

import (
	"context"
	"crypto/rand"

	"mcp-partner/guard"
	"mcp-partner/tools"
)

const (
	// requestIDHeader tells a client the ID by which its request is found in the
	// log. One that a client sends is not looked at: it could be anything.
	requestIDHeader = "X-Request-Id"
	requestIDLength = 16
)

// facts puts what is known of a request into its context: who makes it, an ID
// of its own, and the trace that it is part of.
func (s *Server) facts(ctx context.Context, p guard.Principal, m *message, header func(string) string) context.Context {
	ctx = tools.WithRequestID(tools.WithPrincipal(ctx, p), rand.Text()[:requestIDLength])
	if s.remote == nil {
		return ctx
	}
	return s.remote(ctx, m.metaText, header)
}

// metaText is a field of the message's _meta, if it is a text.
func (m *message) metaText(name string) string {
	text, _ := m.meta.GetMetaField(name).(string)
	return text
}
