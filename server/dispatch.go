package server

import (
	"context"
	"crypto/rand"
	"encoding/json"

	"mcp-partner/tools"

	"github.com/mark3labs/mcp-go/mcp"
)

// handle runs a call through mcp-go and returns its response, with every
// notification that mcp-go took for it written already. A panic becomes an
// error response.
func (c *stdioConn) handle(k *call, place *slot) (line []byte) {
	s := c.sessionFor(k, place)
	defer func() {
		if value := recover(); value != nil {
			line = c.server.panicked(k.ctx, k.message.method, value).withID(k.message.id).encode()
		}
	}()
	defer s.flush()
	x := &exchange{message: k.message, session: s}
	ctx := withExchange(k.ctx, x)
	if k.message.method == string(mcp.MethodSubscriptionsListen) {
		return c.listen(k, x)
	}
	return encodeResponse(x, c.server.mcp.HandleMessage(c.server.mcp.WithContext(ctx, s), k.message.raw))
}

// listen makes the stream reachable for broadcasts while it is open.
func (c *stdioConn) listen(k *call, x *exchange) []byte {
	l := &listener{x.session}
	l.id, l.tag = c.id+"/"+k.key, k.message.id
	if err := c.server.mcp.RegisterSession(k.ctx, l); err != nil {
		return internalError(k.message.method).withID(k.message.id).encode()
	}
	defer c.server.mcp.UnregisterSession(k.ctx, l.id)
	ctx := c.server.mcp.WithContext(withExchange(k.ctx, x), l)
	return encodeResponse(x, c.server.mcp.HandleMessage(ctx, k.message.raw))
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

// encodeResponse puts the request's own ID and our words into what mcp-go
// answered.
func encodeResponse(x *exchange, response mcp.JSONRPCMessage) []byte {
	id := x.message.id
	switch r := response.(type) {
	case nil:
		if x.message.kind == kindNotification {
			return nil
		}
	case mcp.JSONRPCError:
		err := x.err
		if err == nil {
			err = &rpcError{code: r.Error.Code, text: r.Error.Message, data: r.Error.Data}
		}
		return err.withID(id).encode()
	case mcp.JSONRPCResponse:
		r.ID = mcp.NewRequestId(id)
		if line, err := json.Marshal(r); err == nil {
			return line
		}
	}
	return internalError(x.message.method).withID(id).encode()
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
