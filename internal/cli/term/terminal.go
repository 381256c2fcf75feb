package term

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"

	"mcp-partner/internal/config"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/flight"
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

// maxTyped is the most bytes of a typed line that are taken.
const maxTyped = 4096

// ErrNothingTyped means that the terminal was closed instead of an answer.
var ErrNothingTyped = errors.New("nothing was typed")

// device is the terminal device of the process. Standard input is not it: a
// pipe there must never be able to answer for a person.
type device struct{ in, out *os.File }

func openTerminal() (Terminal, error) {
	input, output := "/dev/tty", "/dev/tty"
	if runtime.GOOS == "windows" {
		input, output = "CONIN$", "CONOUT$"
	}
	in, err := os.OpenFile(input, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	out, err := os.OpenFile(output, os.O_RDWR, 0)
	if err != nil {
		return nil, errors.Join(err, in.Close())
	}
	return &device{in, out}, nil
}

func (d *device) Close() error { return errors.Join(d.in.Close(), d.out.Close()) }

func (d *device) Ask(ctx context.Context, text string, secret bool) (string, error) {
	if secret {
		return d.askSecret(ctx, text)
	}
	if _, err := fmt.Fprint(d.out, text); err != nil {
		return "", err
	}
	return flight.Wait(ctx, func() (string, error) { return line(d.in) })
}

// askSecret turns the echo off before it shows the text: what is typed the
// moment the text appears must not be shown either.
func (d *device) askSecret(ctx context.Context, text string) (string, error) {
	fd := int(d.in.Fd())
	before, err := term.MakeRaw(fd)
	if err != nil {
		return "", err
	}
	// A caller that goes away gets its terminal back too.
	defer func() { _ = term.Restore(fd, before) }()
	screen := term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{d.in, d.out}, "")
	return flight.Wait(ctx, func() (string, error) {
		typed, err := screen.ReadPassword(text)
		if errors.Is(err, io.EOF) {
			return "", ErrNothingTyped
		}
		return typed, err
	})
}

// line reads one line. Only its end is taken off: what has to be typed has to
// be typed exactly.
func line(from io.Reader) (string, error) {
	text, err := bufio.NewReaderSize(from, maxTyped).ReadSlice('\n')
	switch {
	case errors.Is(err, io.EOF):
		return "", ErrNothingTyped
	case err != nil:
		return "", err
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r"), nil
}

// ErrNoTerminal means that no person seems to sit at a terminal.
var ErrNoTerminal = errors.New("there is no terminal")

// Prompt puts one question on the terminal device.
func (s *Streams) Prompt(ctx context.Context, text string, secret bool) (string, error) {
	if !s.Attended() {
		return "", ErrNoTerminal
	}
	terminal, err := s.Terminal()
	if err != nil {
		return "", ErrNoTerminal
	}
	defer terminal.Close()
	return terminal.Ask(ctx, Escape(text), secret)
}

// Ask is Prompt for an approver, with errors that end a command.
func (s *Streams) Ask(ctx context.Context, text string, secret bool) (string, error) {
	typed, err := s.Prompt(ctx, text, secret)
	switch {
	case errors.Is(err, ErrNoTerminal):
		// What an approver types must come from somebody's hands: neither standard
		// input, nor a variable, nor a flag can stand for them.
		return "", exit.Refused("run the command in a terminal", "an approver's passphrase must be typed on a terminal")
	case err != nil:
		return "", exit.Refused("", "nothing was typed, so nothing was changed")
	}
	return typed, nil
}

// progressBar shows on standard error how far a run is. It does nothing where
// that is no terminal, or one that cannot move its cursor.
type progressBar struct {
	out   io.Writer
	color bool
	began time.Time
	drawn string
}

func (s *Streams) ProgressBar() *progressBar {
	kind, _ := s.Env("TERM")
	if !s.ErrTTY || kind == "dumb" {
		return &progressBar{}
	}
	return &progressBar{out: s.Err, color: colorWanted(s.Env), began: time.Now()}
}

const barWidth = 32

func (b *progressBar) Draw(done, total int) {
	if b.out == nil || total == 0 {
		return
	}
	filled := barWidth * done / total
	bar, rest := strings.Repeat("=", filled), strings.Repeat("-", barWidth-filled)
	if b.color {
		bar, rest = "\x1b[32m"+bar, "\x1b[2m"+rest+"\x1b[0m"
	}
	line := fmt.Sprintf("%s%s %d of %d%s", bar, rest, done, total, b.left(done, total))
	if line != b.drawn {
		_, _ = fmt.Fprintf(b.out, "\r\x1b[K%s", line) // it is decoration
		b.drawn = line
	}
}

// left guesses how long it will take, once there is something to go by.
func (b *progressBar) left(done, total int) string {
	took := time.Since(b.began)
	if done == 0 || done == total || took < 3*time.Second {
		return ""
	}
	left := time.Duration(float64(took) / float64(done) * float64(total-done))
	return ", about " + left.Round(time.Second).String() + " left"
}

// Clear takes the bar away, so that what is written next stands alone.
func (b *progressBar) Clear() {
	if b.drawn != "" {
		_, _ = io.WriteString(b.out, "\r\x1b[K")
	}
}

// Note tells something beside the result, on standard error.
func (s *Streams) Note(text string) {
	_, _ = fmt.Fprintf(s.Err, "mcp-partner: note: %s\n", Escape(text)) // there is nobody else to tell
}
