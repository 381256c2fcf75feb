package term

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"mcp-partner/internal/exit"
	"mcp-partner/internal/flight"
)

// maxTyped is the most bytes of a typed line that are taken.
const maxTyped = 4096

// ErrNothingTyped means that the terminal was closed instead of an answer.
var ErrNothingTyped = errors.New("nothing was typed")

// device is the terminal device of the process. Standard input is not it: a
// pipe there must never be able to answer for a person.
type device struct{ in, out *os.File }

func openTerminal() (Terminal, error) {
	in, err := os.OpenFile(terminalInput, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	out, err := os.OpenFile(terminalOutput, os.O_RDWR, 0)
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
