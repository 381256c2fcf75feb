//go:build !windows

package e2e

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
)

// approver is who approves in these tests.
const (
	approver   = "alice"
	passphrase = `Passphrase9~of.an/"approver\+&=%<é>'$x`
)

// terminal is the program in front of a real terminal.
type terminal struct {
	tb      testing.TB
	command *exec.Cmd
	screen  *os.File
	shown   bytes.Buffer
}

// atTerminal starts a command with a terminal as its controlling one.
func (i invocation) atTerminal(tb testing.TB) *terminal {
	tb.Helper()
	i.env = append(i.env, "TERM=xterm", "NO_COLOR=1")
	command := i.command(tb.Context())
	screen, err := pty.StartWithSize(command, &pty.Winsize{Rows: 50, Cols: 500})
	check(tb, err)
	tb.Cleanup(func() { _ = screen.Close() })
	if err := screen.SetReadDeadline(time.Now().Add(patience)); err != nil && !errors.Is(err, os.ErrNoDeadline) {
		tb.Fatal(err)
	}
	return &terminal{tb: tb, command: command, screen: screen}
}

// answer waits for a text and types a line.
func (s *terminal) answer(text, typed string) {
	s.tb.Helper()
	for buffer := make([]byte, 4096); !strings.Contains(s.shown.String(), text); {
		n, err := s.screen.Read(buffer)
		s.shown.Write(buffer[:n])
		if err != nil {
			s.tb.Fatalf("%v before %q was shown:\n%s", err, text, s.shown.String())
		}
	}
	_, err := io.WriteString(s.screen, typed+"\n")
	check(s.tb, err)
}

// end waits for the program and returns all that the terminal has shown.
func (s *terminal) end() string {
	s.tb.Helper()
	// A terminal whose other side is closed ends with EIO instead of EOF.
	if _, err := io.Copy(&s.shown, s.screen); err != nil && !errors.Is(err, syscall.EIO) {
		s.tb.Fatal(err)
	}
	if err := s.command.Wait(); err != nil {
		s.tb.Fatalf("%v: %v\n%s", s.command.Args, err, s.shown.String())
	}
	return s.shown.String()
}

// appoint sets an approver up.
func (w *world) appoint() string {
	w.tb.Helper()
	s := w.cli("users", "add", approver).atTerminal(w.tb)
	s.answer("New passphrase", passphrase)
	s.answer("Repeat it", passphrase)
	return s.end()
}

// approve approves as the approver does.
func (w *world) approve(id string, more ...string) string {
	w.tb.Helper()
	s := w.cli(append([]string{"approvals", "approve", id, "--approver", approver}, more...)...).atTerminal(w.tb)
	s.answer("Passphrase of approver", passphrase)
	return s.end()
}
