package term

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"golang.org/x/term"

	"mcp-partner/internal/config"
)

// Streams is what a command reads and writes, and what is known about it.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	// InTTY, OutTTY and ErrTTY say which of them are terminals.
	InTTY, OutTTY, ErrTTY bool
	// OutWidth and ErrWidth are their columns; 0 where nothing is to be wrapped.
	OutWidth, ErrWidth int
	// Color is whether Out is to be coloured.
	Color bool
	Env   config.Env
	// Environ is all variables, as os.Environ gives them.
	Environ []string
	// Terminal opens the terminal device of the process.
	Terminal func() (Terminal, error)
}

// Terminal is a person at a terminal device.
type Terminal interface {
	io.Closer
	// Ask shows a text and returns the line that was typed, without its end.
	// Secret lines are not echoed.
	Ask(ctx context.Context, text string, secret bool) (string, error)
}

// SystemStreams are those of the process.
func SystemStreams() *Streams {
	s := &Streams{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		InTTY: isTerminal(os.Stdin), OutTTY: isTerminal(os.Stdout), ErrTTY: isTerminal(os.Stderr),
		Env: os.LookupEnv, Environ: os.Environ(), Terminal: openTerminal,
	}
	s.OutWidth, s.ErrWidth = widthOf(os.Stdout), widthOf(os.Stderr)
	s.Color = s.OutTTY && colorWanted(s.Env)
	return s
}

func isTerminal(file *os.File) bool { return term.IsTerminal(int(file.Fd())) }

// widthOf is 0 for what is no terminal, or one that does not tell.
func widthOf(file *os.File) int {
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// colorWanted follows no-color.org: any value but the empty one turns it off.
func colorWanted(env config.Env) bool {
	none, _ := env("NO_COLOR")
	kind, _ := env("TERM")
	return none == "" && kind != "dumb"
}

// Attended reports whether somebody seems to sit at a terminal. A controlling
// terminal alone does not tell: a program that an agent starts may inherit one
// that nobody looks at.
func (s *Streams) Attended() bool { return s.InTTY || s.ErrTTY }

// ChangeMade says that something was changed. What is printed from here on tells
// of the change and cannot fail it: with a reader that went away or a full disk
// the command still completes, and its exit code speaks of the change.
func (s *Streams) ChangeMade() {
	if _, already := s.Out.(*lenientWriter); !already {
		s.Out = &lenientWriter{out: s.Out, err: s.Err}
	}
}

// lenientWriter drops everything after the first error, and says so on err unless
// the reader closed its end.
type lenientWriter struct {
	out, err io.Writer
	failed   bool
}

func (w *lenientWriter) Write(p []byte) (int, error) {
	if w.failed {
		return len(p), nil
	}
	if _, err := w.out.Write(p); err != nil {
		w.failed = true
		if !errors.Is(err, syscall.EPIPE) && !errors.Is(err, io.ErrClosedPipe) {
			fmt.Fprintln(w.err, "mcp-partner: note: the command was completed, but standard output could not be written")
		}
	}
	return len(p), nil
}
