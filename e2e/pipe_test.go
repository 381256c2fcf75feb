package e2e

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"mcp-partner/internal/wiretest"
	"mcp-partner/schemas"
)

// hangUp starts a client that reads as requested and then closes its reading
// end, which start's client never does.
func (i invocation) hangUp(t *testing.T) (s *server, heard func() wiretest.Reply, hangUp func()) {
	t.Helper()
	out, toTest, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	command := i.command(t.Context())
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	s = &server{tb: t, command: command, in: in, errs: &recorder{}, ended: make(chan struct{})}
	command.Stdout, command.Stderr = toTest, s.errs
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	_ = toTest.Close()
	go awaitEnd(command, s.ended)
	t.Cleanup(s.kill)
	reader := bufio.NewReader(out)
	heard = func() wiretest.Reply {
		line, err := reader.ReadBytes('\n')
		if err != nil {
			t.Fatalf("the server said nothing: %v\n%s", err, s.errs)
		}
		return wiretest.Parse(t, line)
	}
	return s, heard, func() { _ = out.Close() }
}

func awaitEnd(command *exec.Cmd, ended chan<- struct{}) {
	defer close(ended)
	_ = command.Wait() // its state is read from the command
}

// A client that no longer reads does not stop a write either: an answer that
// cannot be given breaks the connection, not the process.
func TestWriteCompletesWhenOutputReaderExits(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(*server){
		"reading end":  func(s *server) { s.send(wiretest.Legacy.Request("p", "ping", nil, nil)) },
		"both ends":    func(s *server) { s.end() },
		"ping and end": func(s *server) { s.send(wiretest.Legacy.Request("p", "ping", nil, nil)); s.end() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := slowWorld(t)
			s, heard, hangUp := w.unasked().hangUp(t)
			s.send(wiretest.Initialize(string(wiretest.Legacy), nil))
			heard()
			s.send(wiretest.Legacy.Notification("notifications/initialized", nil))
			s.send(wiretest.Legacy.Call(1, schemas.ToolRegisterPartner, w.register()))
			w.awaitWrite()
			hangUp()
			leave(s)
			s.endedByItself(t)
			w.wroteAndRecorded(t, s)
		})
	}
}

// endedByItself wants an exit with a code of the program's own; the answers
// that were lost may make it "failed".
func (s *server) endedByItself(t *testing.T) {
	t.Helper()
	code := s.code()
	if status, ok := s.command.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		t.Errorf("ended by %v:\n%s", status.Signal(), s.errs)
	}
	if code != 0 && code != 1 {
		t.Errorf("ended with %d:\n%s", code, s.errs)
	}
}

func (w *world) wroteAndRecorded(t *testing.T, s *server) {
	t.Helper()
	if linked := w.tenant("contoso").PartnerID; linked != ourID {
		t.Errorf("linked is %q", linked)
	}
	if log := s.errs.String(); !strings.Contains(log, "tool=register_partner outcome=done") {
		t.Errorf("the write's outcome is not in the log:\n%s", log)
	}
	if list := w.cli("ledger", "list").must(t).stdout; !strings.Contains(list, "  outcome ") || !strings.Contains(list, "done") {
		t.Errorf("the write's outcome is not in the ledger:\n%s", list)
	}
}

// Nobody who pipes a command into head has it end by a signal.
func TestCommandWithClosedOutput(t *testing.T) {
	t.Parallel()
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_ = out.Close()
	defer in.Close()
	command := invocation{args: []string{"tools", "--state-dir", t.TempDir()}}.command(t.Context())
	command.Stdout, command.Stderr = in, io.Discard
	_ = command.Run() // how it ended is read from its state
	if code := command.ProcessState.ExitCode(); code != 0 && code != 1 {
		t.Errorf("ended with %v", command.ProcessState)
	}
}
