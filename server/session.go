package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"

	"mcp-partner/tools"
)

// backlog is how many notifications sent through mcp-go's own API may wait.
const backlog = 64

// peer is what is known of a client: for older revisions as long as the
// connection lasts, since 2026-07-28 for one request.
type peer struct {
	mu          sync.Mutex
	initialized bool
	info        mcp.Implementation
	can         mcp.ClientCapabilities
	version     string
}

// get reads a field of a peer, which several requests share.
func get[T any](p *peer, field *T) T {
	p.mu.Lock()
	defer p.mu.Unlock()
	return *field
}

func set[T any](p *peer, field *T, value T) {
	p.mu.Lock()
	defer p.mu.Unlock()
	*field = value
}

// asker puts a question to the client over a channel that goes both ways.
type asker func(context.Context, mcp.ElicitationRequest) (*mcp.ElicitationResult, error)

// session is what mcp-go sees as the client while it handles one request. It
// routes notifications sent through mcp-go's own API to that request alone.
type session struct {
	id    string
	peer  *peer
	level callerLevel
	ask   asker // nil where the client cannot be asked
	emit  func(method string, params any) error
	// tag is set on what a subscriptions/listen stream delivers.
	tag any

	mu     sync.Mutex
	filter mcp.SubscriptionFilter
	notes  chan mcp.JSONRPCNotification
	stop   chan struct{}
	pumps  sync.WaitGroup
}

// compile-time proof of what mcp-go looks for by type assertion
var (
	_ mcpserver.SessionWithLogging            = (*session)(nil)
	_ mcpserver.SessionWithClientInfo         = (*session)(nil)
	_ mcpserver.SessionWithElicitation        = (*session)(nil)
	_ mcpserver.SessionWithProtocolVersion    = (*session)(nil)
	_ mcpserver.SessionWithSubscriptionFilter = (*listener)(nil)
	_ tools.InBandSession                     = (*session)(nil)
)

func (s *session) SessionID() string { return s.id }

func (s *session) Initialize() { set(s.peer, &s.peer.initialized, true) }

func (s *session) Initialized() bool { return get(s.peer, &s.peer.initialized) }

func (s *session) SetLogLevel(level mcp.LoggingLevel) { s.level.set(level) }

// GetLogLevel returns "" to let nothing through.
func (s *session) GetLogLevel() mcp.LoggingLevel { return s.level.get() }

func (s *session) GetClientInfo() mcp.Implementation { return get(s.peer, &s.peer.info) }

func (s *session) SetClientInfo(info mcp.Implementation) { set(s.peer, &s.peer.info, info) }

func (s *session) GetClientCapabilities() mcp.ClientCapabilities { return get(s.peer, &s.peer.can) }

func (s *session) SetClientCapabilities(can mcp.ClientCapabilities) { set(s.peer, &s.peer.can, can) }

func (s *session) ProtocolVersion() string { return get(s.peer, &s.peer.version) }

// SetProtocolVersion is how mcp-go reports what initialize agreed on.
func (s *session) SetProtocolVersion(version string) { set(s.peer, &s.peer.version, version) }

// RequestElicitation asks only clients that declared they can be asked in that
// mode.
func (s *session) RequestElicitation(ctx context.Context, r mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	can := s.GetClientCapabilities().Elicitation
	if s.ask == nil || can == nil || r.Params.Mode == mcp.ElicitationModeURL && can.URL == nil {
		return nil, mcpserver.ErrElicitationNotSupported
	}
	return s.ask(ctx, r)
}

// AsksInBand implements tools.InBandSession: only over stdio, and only for
// revisions that have requests from the server, is there a way to ask.
func (s *session) AsksInBand() bool { return s.ask != nil }

// NotificationChannel implements mcpserver.ClientSession. mcp-go asks for it
// when it has something to send, and only then is there a goroutine.
func (s *session) NotificationChannel() chan<- mcp.JSONRPCNotification {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.notes == nil {
		notes, stop := make(chan mcp.JSONRPCNotification, backlog), make(chan struct{})
		s.notes, s.stop = notes, stop
		s.pumps.Go(func() { s.pump(notes, stop) })
	}
	return s.notes
}

func (s *session) pump(notes <-chan mcp.JSONRPCNotification, stop <-chan struct{}) {
	for {
		select {
		case n := <-notes:
			s.pass(n)
		case <-stop:
			for len(notes) > 0 { // nobody else takes from it
				s.pass(<-notes)
			}
			return
		}
	}
}

func (s *session) pass(n mcp.JSONRPCNotification) {
	if s.tag != nil {
		meta := map[string]any{mcp.MetaKeySubscriptionID: s.tag}
		maps.Copy(meta, n.Params.Meta)
		n.Params.Meta = meta
	}
	_ = s.emit(n.Method, n.Params) // a client that is gone is noticed by the transport
}

// flush delivers what mcp-go has taken so far. It is called once, when the
// handler has returned and before its answer goes out.
func (s *session) flush() {
	s.mu.Lock()
	stop := s.stop
	s.mu.Unlock()
	if stop != nil {
		close(stop)
		s.pumps.Wait()
	}
}

// listener is the session of a subscriptions/listen request: it gets the kinds
// of notification it asked for, and nothing else.
type listener struct{ *session }

func (l *listener) SetSubscriptionFilter(filter mcp.SubscriptionFilter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.filter = filter
}

func (l *listener) SubscriptionFilter() (mcp.SubscriptionFilter, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.filter, true
}

// errAnswered is returned to a handler that notifies after its request has
// been answered: there is no stream left that the notification belongs to.
var errAnswered = errors.New("the request has been answered; its notifications can no longer be sent")

// encodeNotification returns a notification as JSON without a line end, or nil
// where it is a log message the client did not ask for.
func encodeNotification(method string, params any, asked mcp.LoggingLevel) ([]byte, error) {
	body, err := json.Marshal(params)
	if err != nil {
		return nil, fmt.Errorf("notification %s: %w", method, err)
	}
	if method == string(mcp.MethodNotificationMessage) && !wanted(body, asked) {
		return nil, nil
	}
	return json.Marshal(struct {
		JSONRPC string          `json:"jsonrpc"`
		Method  string          `json:"method"`
		Params  json.RawMessage `json:"params"`
	}{mcp.JSONRPC_VERSION, method, body})
}

func wanted(params []byte, asked mcp.LoggingLevel) bool {
	var entry struct {
		Level mcp.LoggingLevel `json:"level"`
	}
	return json.Unmarshal(params, &entry) == nil && entry.Level.ShouldSendTo(asked)
}

// askedLevel is the log level in force for a message: since 2026-07-28 the one
// in its _meta, before that what logging/setLevel said last.
func askedLevel(m *message, remembered callerLevel) mcp.LoggingLevel {
	if m.modern() {
		return m.meta.LogLevel()
	}
	return remembered.get()
}
