package server_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"

	"mcp-partner/access"
	"mcp-partner/internal/wiretest"
	"mcp-partner/server"
	"mcp-partner/tools"
)

// hidden is part of the errors of handlers; no client and no log may see it.
const hidden = "s3cret-value"

// fixtures are tools, prompts and resources that show what the transports do.
type fixtures struct {
	mcpserver.DefaultResourceCompletionProvider
	started  chan string   // gets the name of each call that blocks
	release  chan struct{} // lets blocked calls go on
	finished chan error    // gets how each blocked call's context ended
	mcp      *mcpserver.MCPServer
}

func newFixtures() *fixtures {
	return &fixtures{started: make(chan string, 1024), release: make(chan struct{}), finished: make(chan error, 1024)}
}

// Register implements server.Registrar.
func (f *fixtures) Register(m *mcpserver.MCPServer) {
	f.mcp = m
	for name, handler := range f.tools() {
		m.AddTool(mcp.NewTool(name, mcp.WithDescription("A fixture.")), handler)
	}
	m.AddPrompt(mcp.NewPrompt("greet", mcp.WithArgument("name", mcp.RequiredArgument()), mcp.WithArgument("tone")), greet)
	m.AddResource(mcp.NewResource("test://doc", "doc"), readDoc)
	m.AddResourceTemplate(mcp.NewResourceTemplate("test://things/{id}", "thing"), readThing)
}

func (f *fixtures) tools() map[string]mcpserver.ToolHandlerFunc {
	return map[string]mcpserver.ToolHandlerFunc{
		"echo":    echo,
		"notify":  notify,
		"classic": classicNotify,
		"log":     logAll,
		"block":   f.block,
		"ask":     ask,
		"whoami":  whoAmI,
		"inband":  inBand,
		"leak":    f.leak,
		"panic":   func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) { panic(hidden) },
		"fail": func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return nil, errors.New(hidden)
		},
		"sampler": func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return nil, mcp.MissingRequiredClientCapabilityError{Capability: "sampling"}
		},
		"nothing": func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) { return nil, nil },
	}
}

func echo(_ context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	return mcp.NewToolResultText(fmt.Sprint(r.GetArguments()["text"])), nil
}

// notify sends three progress notifications through the request's Notifier.
func notify(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	for i := range 3 {
		err := tools.RequestOf(ctx).Notifier.Notify("notifications/progress",
			map[string]any{"progressToken": r.Params.Meta.ProgressToken, "progress": i + 1})
		if err != nil {
			return nil, err
		}
	}
	return echo(ctx, r)
}

// classicNotify does the same through mcp-go's own API.
func classicNotify(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	for i := range 3 {
		err := mcpserver.ServerFromContext(ctx).SendNotificationToClient(ctx, "notifications/progress",
			map[string]any{"progressToken": r.Params.Meta.ProgressToken, "progress": i + 1})
		if err != nil {
			return nil, err
		}
	}
	return echo(ctx, r)
}

func logAll(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	for _, level := range []string{"debug", "info", "error"} {
		if err := tools.RequestOf(ctx).Notifier.Notify("notifications/message", map[string]any{"level": level, "data": "x"}); err != nil {
			return nil, err
		}
	}
	return echo(ctx, r)
}

func (f *fixtures) block(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	f.started <- fmt.Sprint(r.GetArguments()["text"])
	select {
	case <-f.release:
		f.finished <- nil
		return echo(ctx, r)
	case <-ctx.Done():
		f.finished <- context.Cause(ctx)
		return nil, ctx.Err()
	}
}

func ask(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	result, err := mcpserver.ServerFromContext(ctx).RequestElicitation(ctx, mcp.ElicitationRequest{
		Params: mcp.ElicitationParams{Message: "Sure?", RequestedSchema: map[string]any{"type": "object", "properties": map[string]any{}}},
	})
	if err != nil {
		return mcp.NewToolResultText("error: " + err.Error()), nil
	}
	return mcp.NewToolResultText(string(result.Action)), nil
}

// whoAmI shows what a handler gets to see of the client.
func whoAmI(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	return mcp.NewToolResultText(fmt.Sprintf("%s %v", tools.RequestOf(ctx).Principal.Caller, r.Header)), nil
}

func inBand(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	session, ok := mcpserver.ClientSessionFromContext(ctx).(tools.InBandSession)
	return mcp.NewToolResultText(fmt.Sprint(ok && session.AsksInBand())), nil
}

// leak notifies after its request has been answered.
func (f *fixtures) leak(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	go func() {
		<-f.release
		f.finished <- tools.RequestOf(ctx).Notifier.Notify("notifications/progress", map[string]any{"progress": 1})
	}()
	return echo(ctx, r)
}

func greet(_ context.Context, r mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
	return mcp.NewGetPromptResult("", []mcp.PromptMessage{
		mcp.NewPromptMessage(mcp.RoleUser, mcp.NewTextContent("Hello, "+r.Params.Arguments["name"])),
	}), nil
}

func readDoc(context.Context, mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
	return []mcp.ResourceContents{mcp.TextResourceContents{URI: "test://doc", MIMEType: "text/plain", Text: "a doc"}}, nil
}

func readThing(_ context.Context, r mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
	switch {
	case strings.HasSuffix(r.Params.URI, "/none"):
		return nil, fmt.Errorf("there is no thing of that name: %w", mcp.ErrResourceNotFound)
	case strings.HasSuffix(r.Params.URI, "/panic"):
		panic(errors.New(hidden))
	}
	return readDoc(context.Background(), r)
}

// CompletePromptArgument implements mcpserver.PromptCompletionProvider.
func (f *fixtures) CompletePromptArgument(_ context.Context, _ string, a mcp.CompleteArgument, _ mcp.CompleteContext) (*mcp.Completion, error) {
	return &mcp.Completion{Values: []string{a.Value + "-one", a.Value + "-two"}}, nil
}

// logBook collects log lines.
type logBook struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write implements io.Writer.
func (b *logBook) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBook) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func newServer(f *fixtures, log *logBook) *server.Server {
	o := server.Options{
		Name: "fixture", Title: "Fixture", Version: "1.2.3", Instructions: "Read the tests.",
		Registrar: f, Completions: f,
	}
	if log != nil {
		o.Logger = slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	return server.New(o)
}

func startStdio(t testing.TB, f *fixtures) *stdioClient {
	return serveStdio(t, newServer(f, nil), tester(""))
}

const goodToken = "right-token"

func tester(name string) access.Principal {
	return access.Principal{Caller: access.Caller("tester" + name), Grant: access.FullGrant()}
}

// namedTokens accepts tokens that begin with the good one; the rest is the
// caller's name.
type namedTokens struct{}

// Takes implements server.Authenticator.
func (namedTokens) Takes(string) bool { return true }

// Authenticate implements server.Authenticator.
func (namedTokens) Authenticate(_ context.Context, token string) (access.Principal, error) {
	if name, ok := strings.CutPrefix(token, goodToken); ok {
		return tester(name), nil
	}
	return access.Principal{}, errors.New("no")
}

func httpOptions() server.HTTPOptions {
	return server.HTTPOptions{
		MaxConcurrent: 512,
		Bearer:        server.Authenticators{namedTokens{}},
	}
}

func startHTTP(t testing.TB, f *fixtures) *httpServer {
	return serveHTTP(t, newServer(f, nil), httpOptions(), goodToken)
}

// wire is either transport, for tests of what both must do.
type wire func(message string) wiretest.Reply

// onEveryWire runs a test over both transports in both eras.
func onEveryWire(t *testing.T, test func(t *testing.T, era wiretest.Era, send wire)) {
	for _, era := range wiretest.Eras() {
		t.Run("stdio/"+string(era), func(t *testing.T) {
			t.Parallel()
			c := startStdio(t, newFixtures())
			if era == wiretest.Legacy {
				c.Handshake(nil)
			}
			test(t, era, c.Ask)
		})
		t.Run("http/"+string(era), func(t *testing.T) {
			t.Parallel()
			c := startHTTP(t, newFixtures())
			test(t, era, func(message string) wiretest.Reply { return c.Post(message).Last(t) })
		})
	}
}

func wantText(t testing.TB, r wiretest.Reply, want string) {
	t.Helper()
	if got := resultText(r); got != want {
		t.Errorf("got %q in %s, want %q", got, r.Raw, want)
	}
}

func resultText(r wiretest.Reply) string {
	content, _ := r.Path("content").([]any)
	if len(content) == 0 {
		return ""
	}
	first, _ := content[0].(map[string]any)
	text, _ := first["text"].(string)
	return text
}

func wantError(t testing.TB, r wiretest.Reply, code int, says string) {
	t.Helper()
	if r.Code() != code || !strings.Contains(r.Error.Message, says) {
		t.Errorf("got %s, want error %d that says %q", r.Raw, code, says)
	}
}
