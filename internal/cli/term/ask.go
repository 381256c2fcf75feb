package term

import (
	"context"

	"mcp-partner/internal/exit"
)

// noTerminal is what ends a command that needs a person and finds none. What an
// approver types must come from somebody's hands: neither standard input, nor a
// variable, nor a flag can stand for them.
func noTerminal() error {
	return exit.Refused("run the command in a terminal", "an approver's passphrase must be typed on a terminal")
}

// Ask puts one question on the terminal device.
func (s *Streams) Ask(ctx context.Context, text string, secret bool) (string, error) {
	if !s.Attended() {
		return "", noTerminal()
	}
	terminal, err := s.Terminal()
	if err != nil {
		return "", noTerminal()
	}
	defer terminal.Close()
	typed, err := terminal.Ask(ctx, Escape(text), secret)
	if err != nil {
		return "", exit.Refused("", "nothing was typed, so nothing was changed")
	}
	return typed, nil
}

// AskLine is Ask for a line that is echoed.
func (s *Streams) AskLine(ctx context.Context, text string) (string, error) {
	return s.Ask(ctx, text, false)
}
