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
func (f *Factory) ask(ctx context.Context, text string, secret bool) (string, error) {
	if !f.IO.attended() {
		return "", noTerminal()
	}
	terminal, err := f.IO.Terminal()
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

func (f *Factory) askLine(ctx context.Context, text string) (string, error) {
	return f.ask(ctx, text, false)
}

// askCredentials asks an approver for the passphrase.
func (f *Factory) askCredentials(ctx context.Context, name string) (guard.Credentials, error) {
	typed, err := f.ask(ctx, "Passphrase of approver "+name+" (not shown): ", true)
	return guard.Credentials{Name: name, Passphrase: []byte(typed)}, err
}

// askNewCredentials asks for a new passphrase, twice.
func (f *Factory) askNewCredentials(ctx context.Context, name string) (guard.Credentials, error) {
	first, err := f.ask(ctx, "New passphrase of approver "+name+" (not shown): ", true)
	if err != nil {
		return guard.Credentials{}, err
	}
	second, err := f.ask(ctx, "The same once more: ", true)
	if err != nil {
		return guard.Credentials{}, err
	}
	if first != second {
		return guard.Credentials{}, refused("", "the two passphrases differ, so nothing was done")
	}
	return guard.Credentials{Name: name, Passphrase: []byte(first)}, nil
}
