package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/exit"
)

// startWorld starts a simulated Azure for one test.
func startWorld(t *testing.T) *azure {
	t.Helper()
	return startWorldOf(t, 3)
}

// running is a command that runs until it is stopped.
type running struct {
	t    *testing.T
	stop context.CancelFunc
	in   io.WriteCloser
	out  *bufio.Reader
	err  *syncBuffer
	code chan int
}

// syncBuffer is written by one goroutine and read by another.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// start runs a command line in this process.
func start(t *testing.T, env map[string]string, args ...string) *running {
	t.Helper()
	in, send := io.Pipe()
	receive, out := io.Pipe()
	ctx, stop := context.WithCancel(context.Background())
	r := &running{t: t, stop: stop, in: send, out: bufio.NewReader(receive), err: &syncBuffer{}, code: make(chan int, 1)}
	streams := &term.Streams{
		In: in, Out: out, Err: r.err,
		Env:      func(name string) (string, bool) { value, ok := env[name]; return value, ok },
		Terminal: func() (term.Terminal, error) { return nil, os.ErrNotExist },
	}
	go func() {
		code := Run(ctx, streams, args)
		_ = out.Close()
		r.code <- code
	}()
	t.Cleanup(func() {
		stop()
		_ = receive.Close()
	})
	return r
}

// line reads one line of standard output into a value.
func (r *running) line(into any) {
	r.t.Helper()
	text, err := r.out.ReadString('\n')
	if err != nil {
		r.t.Fatalf("%v; standard error: %s", err, r.err)
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		r.t.Fatalf("%v in %q", err, text)
	}
}

// end returns the exit code, and what was left of standard output.
func (r *running) end() (int, string) {
	r.t.Helper()
	rest, err := io.ReadAll(r.out)
	if err != nil {
		r.t.Fatal(err)
	}
	return <-r.code, string(rest)
}

type ready struct{ URL, Token, ExpiresAt string }

// UnmarshalJSON wants exactly the three members that are promised.
func (r *ready) UnmarshalJSON(text []byte) error {
	var members struct {
		URL       string `json:"url"`
		Token     string `json:"token"`
		ExpiresAt string `json:"expires_at"`
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&members)
	*r = ready(members)
	return err
}

func TestServeHTTP(t *testing.T) {
	t.Parallel()
	r := start(t, nil, "serve", "--simulate", "--http", "127.0.0.1:0", "--log-level", "debug")
	var at ready
	r.line(&at)
	expires, err := time.Parse(time.RFC3339, at.ExpiresAt)
	if left := time.Until(expires); err != nil || left < 23*time.Hour || left > 24*time.Hour {
		t.Errorf("expires_at is %q", at.ExpiresAt)
	}
	if len(at.Token) != 43 || !strings.HasPrefix(at.URL, "http://127.0.0.1:") {
		t.Errorf("token of %d characters on %s", len(at.Token), at.URL)
	}
	body := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"check_partner_link","arguments":{"tenant":"contoso"}}}`
	if status, answer := post(t, at.URL, at.Token, body); status != http.StatusOK || !strings.Contains(answer, `"state":"linked"`) {
		t.Errorf("status %d: %s", status, answer)
	}
	for _, token := range []string{"", "x", at.Token[1:], at.Token + "x", strings.Repeat("A", 43)} {
		if status, _ := post(t, at.URL, token, body); status != http.StatusUnauthorized {
			t.Errorf("token %q: status %d, want 401", token, status)
		}
	}
	r.stop()
	if code, rest := r.end(); code != exit.CodeDone || rest != "" {
		t.Errorf("exit code %d, standard output %q", code, rest)
	}
	if log := r.err.String(); strings.Contains(log, at.Token) || !strings.Contains(log, "caller=http:") {
		t.Errorf("the log has the token, or no caller:\n%s", log)
	}
}

// post sends a message and returns the response, also if it came at the end of a
// stream, behind what keeps the connection alive.
func post(t *testing.T, url, token, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json, text/event-stream")
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	const data = "\ndata: "
	if last := bytes.LastIndex(answer, []byte(data)); last >= 0 {
		answer = answer[last+len(data):]
	}
	return response.StatusCode, string(answer)
}

// TestServeStdioEndsWithTheSignal sends a request, then the signal, and wants
// the answer and a good end.
func TestServeStdioEndsWithTheSignal(t *testing.T) {
	t.Parallel()
	r := start(t, nil, "serve", "--simulate")
	request := `{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"list_tenants","arguments":{}}}`
	if _, err := io.WriteString(r.in, request+"\n"); err != nil {
		t.Fatal(err)
	}
	var answer struct {
		ID     string
		Result json.RawMessage
	}
	r.line(&answer)
	if answer.ID != "a" || !bytes.Contains(answer.Result, []byte("contoso")) {
		t.Errorf("answer %s: %s", answer.ID, answer.Result)
	}
	r.stop()
	if code, rest := r.end(); code != exit.CodeDone || rest != "" {
		t.Errorf("exit code %d, standard output %q", code, rest)
	}
}

func TestSimulateServesAndCleansUp(t *testing.T) {
	t.Parallel()
	r := start(t, nil, "simulate", "--listen", "127.0.0.1:0", "--tenants", "3", "--until-stdin-closes")
	var at app.Announcement
	r.line(&at)
	if _, err := os.Stat(at.CAFile); err != nil {
		t.Fatal(err)
	}
	if len(at.Tenants) != 3 || at.ClientSecret == "" || at.Audience == "" {
		t.Errorf("announced %+v", at)
	}
	linked := 0
	for _, tenant := range at.Tenants {
		if tenant.PartnerID != nil {
			linked++
		}
	}
	if linked == 0 {
		t.Error("no tenant is announced as linked")
	}
	if err := r.in.Close(); err != nil {
		t.Fatal(err)
	}
	if code, rest := r.end(); code != exit.CodeDone || rest != "" {
		t.Errorf("exit code %d, standard output %q", code, rest)
	}
	if _, err := os.Stat(at.CAFile); !os.IsNotExist(err) {
		t.Errorf("the temporary CA file is still there: %v", err)
	}
}

func TestDemo(t *testing.T) {
	t.Parallel()
	r := start(t, nil, "demo")
	code, shown := r.end()
	if code != exit.CodeDone || !strings.Contains(shown, "steps ended as they should") || strings.Contains(shown, "\x1b") {
		t.Errorf("exit code %d:\n%s\n%s", code, shown, r.err)
	}
}

// BenchmarkCall is one call from arguments to answer, simulated Azure and TLS
// included.
func BenchmarkCall(b *testing.B) {
	streams := &term.Streams{
		In: strings.NewReader(""), Out: io.Discard, Err: io.Discard,
		Env:      func(string) (string, bool) { return "", false },
		Terminal: func() (term.Terminal, error) { return nil, os.ErrNotExist },
	}
	for b.Loop() {
		if code := Run(b.Context(), streams, []string{"call", "check_partner_link", "--simulate=1", "--json"}); code != exit.CodeDone {
			b.Fatal(code)
		}
	}
}
