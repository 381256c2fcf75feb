package server

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"

	"mcp-partner/tools"

	"github.com/mark3labs/mcp-go/mcp"
)

// handle runs a message through mcp-go on behalf of a client. It returns the
// response, or the error in its place, and nothing for a notification. Every
// notification that mcp-go took for the client is out by then.
func (s *Server) handle(ctx context.Context, m *message, client *session) (line []byte, failure *rpcError) {
	defer func() {
		if value := recover(); value != nil {
			line, failure = nil, s.panicked(ctx, m.method, value).withID(m.id)
		}
	}()
	defer client.flush()
	x := &exchange{message: m}
	ctx = s.mcp.WithContext(context.WithValue(ctx, exchangeKey{}, x), client)
	if m.isListen() { // the stream can be reached by broadcasts while it is open
		l := &listener{client}
		l.id, l.tag = tools.RequestOf(ctx).ID, m.id
		if err := s.mcp.RegisterSession(ctx, l); err != nil {
			return nil, internalError(m.method).withID(m.id)
		}
		defer s.mcp.UnregisterSession(ctx, l.id)
		ctx = s.mcp.WithContext(ctx, l)
	}
	return x.outcome(s.mcp.HandleMessage(ctx, m.raw))
}

// sessionFor gives older revisions the connection's state, and 2026-07-28 a
// fresh one: a server must not infer there from earlier requests.
func (c *stdioConn) sessionFor(k *call, place *slot) *session {
	s := &session{id: c.id, peer: c.peer, level: c.level, emit: k.Notify}
	if k.message.modern() {
		s.peer, s.level = &peer{}, callerLevel{cache: newLevelCache()}
		return s
	}
	s.ask = place.whileAsking(c.asks.ask)
	return s
}

// outcome puts the request's own ID and our words into what mcp-go answered.
func (x *exchange) outcome(response mcp.JSONRPCMessage) ([]byte, *rpcError) {
	id := x.message.id
	switch r := response.(type) {
	case nil:
		if x.message.kind == kindNotification {
			return nil, nil
		}
	case mcp.JSONRPCError:
		err := cmp.Or(x.err, &rpcError{code: r.Error.Code, text: r.Error.Message, data: r.Error.Data})
		return nil, err.withID(id)
	case mcp.JSONRPCResponse:
		r.ID = mcp.NewRequestId(id)
		if line, err := json.Marshal(r); err == nil {
			return line, nil
		}
	}
	return nil, internalError(x.message.method).withID(id)
}

const (
	// requestIDHeader tells a client the ID by which its request is found in the
	// log. One that a client sends is not looked at: it could be anything.
	requestIDHeader = "X-Request-Id"
	requestIDLength = 16
)

// facts puts what is known of a request into its context: who makes it, an ID
// of its own, and the trace that it is part of.
func (s *Server) facts(ctx context.Context, r tools.Request, m *message, header func(string) string) context.Context {
	r.ID = rand.Text()[:requestIDLength]
	ctx = tools.WithRequest(ctx, r)
	if s.remote == nil {
		return ctx
	}
	return s.remote(ctx, m.metaText, header)
}

func (m *message) metaText(name string) string {
	text, _ := m.meta.GetMetaField(name).(string)
	return text
}
