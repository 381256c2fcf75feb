package term

import (
	"context"
	"errors"

	"mcp-partner/internal/exit"
)

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
