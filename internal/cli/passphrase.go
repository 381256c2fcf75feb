package cli

import (
	"context"

	"mcp-partner/guard"
)

// noTerminal is what ends a command that needs a person and finds none. What an
// approver types must come from somebody's hands: neither standard input, nor a
// variable, nor a flag can stand for them.
func noTerminal() error {
	return refused("run the command yourself, in a terminal", "an approver's passphrase is typed on the terminal alone, and there is none here")
}

// ask puts one question on the terminal device.
func (s *Streams) ask(ctx context.Context, text string, secret bool) (string, error) {
	if !s.attended() {
		return "", noTerminal()
	}
	terminal, err := s.Terminal()
	if err != nil {
		return "", noTerminal()
	}
	defer terminal.Close()
	typed, err := terminal.Ask(ctx, escape(text), secret)
	if err != nil {
		return "", refused("", "nothing was typed, so nothing was done")
	}
	return typed, nil
}

func (s *Streams) askLine(ctx context.Context, text string) (string, error) {
	return s.ask(ctx, text, false)
}

// askCredentials asks an approver for the passphrase.
func (s *Streams) askCredentials(ctx context.Context, name string) (guard.Credentials, error) {
	typed, err := s.ask(ctx, "Passphrase of approver "+name+" (not shown): ", true)
	return guard.Credentials{Name: name, Passphrase: []byte(typed)}, err
}

// askNewCredentials asks for a new passphrase, twice.
func (s *Streams) askNewCredentials(ctx context.Context, name string) (guard.Credentials, error) {
	first, err := s.ask(ctx, "New passphrase of approver "+name+" (not shown): ", true)
	if err != nil {
		return guard.Credentials{}, err
	}
	second, err := s.ask(ctx, "The same once more: ", true)
	if err != nil {
		return guard.Credentials{}, err
	}
	if first != second {
		return guard.Credentials{}, refused("", "the two passphrases differ, so nothing was done")
	}
	return guard.Credentials{Name: name, Passphrase: []byte(first)}, nil
}
