package server_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"

	"mcp-partner/internal/wiretest"
	"mcp-partner/server"
	"mcp-partner/tools"
)

// crowd is how many callers are at it at once.
const crowd = 16

// rooms holds calls until all are there, and tells each caller of its own alone.
type rooms struct {
	inside  sync.WaitGroup
	release chan struct{}
}

// Register implements server.Registrar.
func (r *rooms) Register(m *mcpserver.MCPServer) {
	m.AddTool(mcp.NewTool("stay"), r.stay)
	m.AddTool(mcp.NewTool("pass"), func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return mcp.NewToolResultText(name(ctx)), nil
	})
}

func name(ctx context.Context) string { return string(tools.RequestOf(ctx).Principal.Caller) }

func (r *rooms) stay(ctx context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	tell := func(step int) error {
		return tools.RequestOf(ctx).Notifier.Notify("notifications/progress", map[string]any{
			"progressToken": request.Params.Meta.ProgressToken, "progress": step, "message": name(ctx),
		})
	}
	if err := tell(1); err != nil {
		return nil, err
	}
	// Through mcp-go's own API, which knows sessions and no requests.
	if err := mcpserver.ServerFromContext(ctx).SendNotificationToClient(ctx, "notifications/progress", map[string]any{
		"progressToken": request.Params.Meta.ProgressToken, "progress": 2, "message": name(ctx),
	}); err != nil {
		return nil, err
	}
	r.inside.Done()
	select {
	case <-r.release:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if err := tell(3); err != nil {
		return nil, err
	}
	return mcp.NewToolResultText(name(ctx)), nil
}

// 16 callers, in both eras at once, use the same request ID and the same
// progress token. While all of them wait, each tries to cancel, to see and to
// resume what the others have. Each gets its own answer, with its own three
// notifications, and nobody's call ends early.
func TestCallersReachOnlyTheirOwnCalls(t *testing.T) {
	t.Parallel()
	r := &rooms{release: make(chan struct{})}
	c := serveHTTP(t, server.New(server.Options{Name: "rooms", Version: "1", Registrar: r}), httpOptions(), goodToken)
	as := func(n int, message string, change func(*http.Request)) wiretest.Answer {
		request := c.NewRequest(message)
		request.Header.Set("Authorization", fmt.Sprintf("Bearer %s-%d", goodToken, n))
		if change != nil {
			change(request)
		}
		return c.Do(request)
	}
	r.inside.Add(crowd)
	answers := make([]wiretest.Answer, crowd)
	var calls sync.WaitGroup
	for n := range crowd {
		calls.Go(func() {
			era := wiretest.Eras()[n%2]
			answers[n] = as(n, era.Request(1, "tools/call", wiretest.Object{"name": "stay", "_meta": wiretest.Object{"progressToken": "p"}}, nil), nil)
		})
	}
	r.inside.Wait()
	var others sync.WaitGroup
	for n := range crowd {
		others.Go(func() { meddle(t, n, as) })
	}
	others.Wait()
	close(r.release)
	calls.Wait()
	for n, answer := range answers {
		own(t, n, answer)
	}
}

// meddle is what one caller tries while the others' calls are under way.
func meddle(t *testing.T, n int, as func(int, string, func(*http.Request)) wiretest.Answer) {
	for _, era := range wiretest.Eras() {
		if got := as(n, era.Notification("notifications/cancelled", wiretest.Object{"requestId": 1}), nil); got.Status != http.StatusAccepted || len(got.Body) > 0 {
			t.Errorf("%d: a cancellation is answered with status %d, %s", n, got.Status, got.Body)
		}
		pass := as(n, era.Request(1, "tools/call", wiretest.Object{"name": "pass"}, nil), func(r *http.Request) { r.Header.Set("Mcp-Session-Id", "somebody's") })
		if got := resultText(pass.Last(t)); got != fmt.Sprintf("tester-%d", n) {
			t.Errorf("%d: its own call beside the others is answered as %q: %s", n, got, pass.Body)
		}
	}
	for _, header := range []string{"Last-Event-Id", "Mcp-Session-Id"} {
		listen := as(n, "", func(r *http.Request) {
			r.Method = http.MethodGet
			r.Header.Set("Accept", "text/event-stream")
			r.Header.Set(header, "1")
		})
		if listen.Status != http.StatusMethodNotAllowed {
			t.Errorf("%d: resuming with %s is answered with status %d, %s", n, header, listen.Status, listen.Body)
		}
	}
}

// own looks at what a caller got: three notifications and an answer, all its own.
func own(t *testing.T, n int, answer wiretest.Answer) {
	t.Helper()
	want := fmt.Sprintf("tester-%d", n)
	replies := answer.Replies(t)
	if len(replies) != 4 {
		t.Errorf("%s got %d messages: %s", want, len(replies), answer.Body)
		return
	}
	for step, reply := range replies[:3] {
		if reply.Method != "notifications/progress" || reply.Param("message") != want || reply.Param("progress") != float64(step+1) {
			t.Errorf("%s got %s", want, reply.Raw)
		}
	}
	wantText(t, replies[3], want)
}
