package e2e

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mcp-partner/internal/wiretest"
)

// patience is how long a test waits for something that must happen.
const patience = 40 * time.Second

// invocation is one start of a program.
type invocation struct {
	// path is the program; empty means the binary under test.
	path string
	args []string
	// env is the whole environment; there is no PATH and no HOME beside it.
	env   []string
	stdin string
	dir   string
}

// outcome is how a program ended.
type outcome struct {
	code           int
	stdout, stderr string
}

// both is all that the program said.
func (o outcome) both() string { return o.stdout + o.stderr }

func (i invocation) command(ctx context.Context) *exec.Cmd {
	path := i.path
	if path == "" {
		path = binary
	}
	command := exec.CommandContext(ctx, path, i.args...)
	// A program with the race detector would sleep for a second at its end.
	command.Env, command.Dir = append([]string{"GORACE=atexit_sleep_ms=0"}, i.env...), i.dir
	return command
}

// run runs a program to its end.
func (i invocation) run(tb testing.TB) outcome {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	command := i.command(ctx)
	var out, errs bytes.Buffer
	command.Stdin, command.Stdout, command.Stderr = strings.NewReader(i.stdin), &out, &errs
	err := command.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		tb.Fatalf("%s %v: %v\n%s", command.Path, i.args, err, errs.String())
	}
	return outcome{command.ProcessState.ExitCode(), out.String(), errs.String()}
}

// must runs a program that has to end well.
func (i invocation) must(tb testing.TB) outcome {
	tb.Helper()
	o := i.run(tb)
	if o.code != 0 {
		tb.Fatalf("%v ended with %d:\n%s", i.args, o.code, o.both())
	}
	return o
}

// recorder keeps what is written to it, from any goroutine.
type recorder struct {
	mu   sync.Mutex
	text bytes.Buffer
	// grown is closed when there is more, if somebody waits for that.
	grown chan struct{}
}

func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.grown != nil {
		close(r.grown)
		r.grown = nil
	}
	return r.text.Write(p)
}

// await waits until a text was said.
func (r *recorder) await(tb testing.TB, text string) {
	tb.Helper()
	timeout := time.After(patience)
	for {
		said, more := r.soFar()
		if strings.Contains(said, text) {
			return
		}
		select {
		case <-more:
		case <-timeout:
			tb.Fatalf("%q was not said:\n%s", text, said)
		}
	}
}

func (r *recorder) soFar() (said string, more <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.grown == nil {
		r.grown = make(chan struct{})
	}
	return r.text.String(), r.grown
}

func (r *recorder) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// server is a running program that speaks line by line.
type server struct {
	tb      testing.TB
	command *exec.Cmd
	in      io.WriteCloser
	lines   chan []byte
	errs    *recorder
	ended   chan struct{}
}

// start starts a program; it is killed at the end of the test if it still runs.
func (i invocation) start(tb testing.TB) *server {
	tb.Helper()
	command := i.command(context.Background())
	in, err := command.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, toTest, err := os.Pipe()
	if err != nil {
		tb.Fatal(err)
	}
	s := &server{tb: tb, command: command, in: in, lines: make(chan []byte, 4096), errs: &recorder{}, ended: make(chan struct{})}
	command.Stdout, command.Stderr = toTest, s.errs
	if err := command.Start(); err != nil {
		tb.Fatal(err)
	}
	_ = toTest.Close()
	go s.collect(out)
	go func() {
		defer close(s.ended)
		_ = command.Wait() // its state is read from the command
	}()
	tb.Cleanup(s.kill)
	return s
}

func (s *server) collect(out *os.File) {
	defer close(s.lines)
	defer out.Close()
	for reader := bufio.NewReader(out); ; {
		line, err := reader.ReadBytes('\n')
		if err != nil {
			return
		}
		s.lines <- line
	}
}

func (s *server) kill() {
	_ = s.command.Process.Kill()
	<-s.ended
}

// send writes a line to the program.
func (s *server) send(line string) {
	s.tb.Helper()
	if _, err := io.WriteString(s.in, line+"\n"); err != nil {
		s.tb.Fatalf("write to the server: %v\n%s", err, s.errs)
	}
}

// line returns the next line that the program says.
func (s *server) line() []byte {
	s.tb.Helper()
	select {
	case line, ok := <-s.lines:
		if !ok {
			s.tb.Fatalf("the server closed its output:\n%s", s.errs)
		}
		return line
	case <-time.After(patience):
		s.tb.Fatalf("the server said nothing:\n%s", s.errs)
	}
	return nil
}

// reply returns the next response, past notifications.
func (s *server) reply() wiretest.Reply {
	s.tb.Helper()
	for {
		if reply := wiretest.Parse(s.tb, s.line()); reply.ID != nil {
			return reply
		}
	}
}

// ask sends a request and returns its response.
func (s *server) ask(line string) wiretest.Reply {
	s.tb.Helper()
	s.send(line)
	return s.reply()
}

// greet does what comes before the first request in an era, and returns the
// server's word about itself.
func (s *server) greet(era wiretest.Era) wiretest.Reply {
	s.tb.Helper()
	if era == wiretest.Modern {
		return s.ask(era.Request("init", "server/discover", nil, nil))
	}
	reply := s.ask(wiretest.Initialize(string(era), nil))
	s.send(era.Notification("notifications/initialized", nil))
	return reply
}

// signal sends SIGTERM, as a service manager does.
func (s *server) signal() { _ = s.command.Process.Signal(syscall.SIGTERM) }

// end closes the program's input.
func (s *server) end() { _ = s.in.Close() }

// code waits for the program to end and returns its exit code.
func (s *server) code() int {
	s.tb.Helper()
	select {
	case <-s.ended:
	case <-time.After(patience):
		s.tb.Fatalf("the server did not end:\n%s", s.errs)
	}
	return s.command.ProcessState.ExitCode()
}

// rest ends a server by the end of its input and returns what it still said.
func (s *server) rest() []wiretest.Reply {
	s.tb.Helper()
	s.end()
	var replies []wiretest.Reply
	for line := range s.lines {
		replies = append(replies, wiretest.Parse(s.tb, line))
	}
	if code := s.code(); code != 0 {
		s.tb.Errorf("the server ended with %d:\n%s", code, s.errs)
	}
	return replies
}
