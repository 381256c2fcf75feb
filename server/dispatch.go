package server

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"

	"mcp-partner/access"
	"mcp-partner/tools"
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

// exchange is one message on its way through mcp-go. Only the goroutine that
// handles it touches err.
type exchange struct {
	message *message
	err     *rpcError
}

type exchangeKey struct{}

// hooks shows each caller its own tools, and puts our words in place of mcp-go's
// where those are dumps of Go values or would pass on whatever a handler's error
// says.
func (s *Server) hooks(authorize func(p access.Principal, tool string) error) *mcpserver.Hooks {
	hooks := &mcpserver.Hooks{}
	// mcp-go's own filter would also hide the tool from calls, which then end as
	// "not found" before the call path can refuse and record them.
	hooks.AddAfterListTools(func(ctx context.Context, _ any, _ *mcp.ListToolsRequest, result *mcp.ListToolsResult) {
		principal := tools.RequestOf(ctx).Principal
		result.Tools = slices.DeleteFunc(slices.Clone(result.Tools), func(t mcp.Tool) bool { return authorize != nil && authorize(principal, t.Name) != nil })
		tools.FitTools(ctx, result.Tools)
	})
	hooks.AddAfterListResources(func(ctx context.Context, _ any, _ *mcp.ListResourcesRequest, result *mcp.ListResourcesResult) {
		result.Resources = tools.FitResources(ctx, result.Resources)
	})
	hooks.AddOnError(func(ctx context.Context, _ any, _ mcp.MCPMethod, _ any, err error) {
		if x, ok := ctx.Value(exchangeKey{}).(*exchange); ok {
			x.err = s.explain(ctx, x.message, err)
		}
	})
	return hooks
}

// explain returns nil where mcp-go's own text is fit to be read.
func (s *Server) explain(ctx context.Context, m *message, err error) *rpcError {
	if f := explainKnown(ctx, m, err); f != nil {
		return f
	}
	if !m.runsHandler() || protocolError(err) {
		return nil
	}
	s.log.ErrorContext(ctx, "handler failed", "method", m.method, "error_type", errorTypes(err))
	return internalError(m.method)
}

func explainKnown(ctx context.Context, m *message, err error) *rpcError {
	var known *rpcError
	var unparsable *mcpserver.UnparsableMessageError
	var cursor base64.CorruptInputError
	var incapable mcp.MissingRequiredClientCapabilityError
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &unparsable):
		return explainShape(m.method, err)
	case errors.As(err, &incapable):
		return incapableClient(incapable.Capability)
	case errors.As(err, &cursor):
		return invalidParams("params.cursor is not valid. Leave it out to start from the beginning.")
	case errors.Is(err, mcp.ErrInvalidParams):
		return invalidParams(handlerText(err))
	case errors.Is(err, mcp.ErrResourceNotFound):
		return &rpcError{code: resourceNotFoundCode(ctx), text: handlerText(err)}
	}
	return m.explainMissing(ctx, err)
}

// incapableClient names the capability as the protocol has it, in an object of
// the form of a client's own declaration. mcp-go leaves that out.
func incapableClient(capability string) *rpcError {
	return &rpcError{
		code: mcp.MISSING_REQUIRED_CLIENT_CAPABILITY,
		text: fmt.Sprintf("This request needs the client capability %q, which the client did not declare in its _meta.", clip(capability)),
		data: map[string]any{"requiredCapabilities": map[string]any{capability: map[string]any{}}},
	}
}

// handlerText is what a handler said, without the prefix that mcp-go's error
// type puts before it.
func handlerText(err error) string {
	return strings.TrimPrefix(err.Error(), "request error: ")
}

func (m *message) explainMissing(ctx context.Context, err error) *rpcError {
	name, _ := textOf(m.given, "name")
	switch {
	case errors.Is(err, mcpserver.ErrToolNotFound):
		return invalidParams(missing("tool", name, "tools/list"))
	case errors.Is(err, mcpserver.ErrPromptNotFound):
		return invalidParams(missing("prompt", name, "prompts/list"))
	case errors.Is(err, mcpserver.ErrResourceNotFound):
		uri, _ := textOf(m.given, "uri")
		return &rpcError{code: resourceNotFoundCode(ctx), text: missing("resource", uri, "resources/list and resources/templates/list")}
	}
	return nil
}

func missing(what, name, where string) string {
	return fmt.Sprintf("There is no %s %q. See %s for those there are.", what, clip(name), where)
}

// resourceNotFoundCode follows the revisions: 2026-07-28 folded the code of
// its own into invalid params.
func resourceNotFoundCode(ctx context.Context) int {
	if mcpserver.IsModernRequest(ctx) {
		return mcp.INVALID_PARAMS
	}
	return mcp.RESOURCE_NOT_FOUND
}

func explainShape(method string, err error) *rpcError {
	text := "The parameters do not have the form that " + method + " needs."
	if mismatch, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && mismatch.Field != "" {
		field := "params." + strings.TrimPrefix(mismatch.Field, "params.")
		text += fmt.Sprintf(" %s must not be %s.", clip(field), article(mismatch.Value))
	}
	return invalidParams(text + " See the MCP specification for " + method + ".")
}

func article(kind string) string {
	kind, _, _ = strings.Cut(kind, " ")
	if strings.HasPrefix(kind, "a") || strings.HasPrefix(kind, "o") {
		return "an " + kind
	}
	return "a " + kind
}

// runsHandler tells the methods behind which our handlers stand, whose errors may
// carry untrusted text.
func (m *message) runsHandler() bool {
	return slices.Contains([]mcp.MCPMethod{mcp.MethodToolsCall, mcp.MethodPromptsGet, mcp.MethodResourcesRead, mcp.MethodCompletionComplete}, mcp.MCPMethod(m.method))
}

// protocolError reports errors that mcp-go raises itself and words well.
func protocolError(err error) bool {
	var url mcp.URLElicitationRequiredError
	var urlPointer *mcp.URLElicitationRequiredError
	return errors.Is(err, mcpserver.ErrUnsupported) ||
		errors.Is(err, mcpserver.ErrRemovedInProtocolVersion) ||
		errors.Is(err, mcpserver.ErrRequiresModernProtocol) ||
		errors.As(err, &url) || errors.As(err, &urlPointer)
}

// errorTypes names the types in an error's chain. Its text may hold a URL, a
// body or an argument, and does not belong in a log.
func errorTypes(err error) string {
	var types []string
	for ; err != nil; err = errors.Unwrap(err) {
		types = append(types, fmt.Sprintf("%T", err))
	}
	return strings.Join(types, " > ")
}

// panicked logs a panic without its value, which may hold an argument; errors
// of the runtime never do. It returns the answer for the client.
func (s *Server) panicked(ctx context.Context, method string, value any) *rpcError {
	reason := fmt.Sprintf("%T", value)
	if err, ok := value.(runtime.Error); ok {
		reason = err.Error()
	}
	s.log.ErrorContext(ctx, "handler panicked", "method", method, "reason", reason, "stack", callers())
	return internalError(method)
}

// callers lists functions and lines. debug.Stack would print arguments too.
func callers() []string {
	pcs := make([]uintptr, 24)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(5, pcs)])
	var lines []string
	for more := true; more; {
		var frame runtime.Frame
		frame, more = frames.Next()
		lines = append(lines, fmt.Sprintf("%s:%d", frame.Function, frame.Line))
	}
	return lines
}
