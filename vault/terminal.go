package vault

import (
	"context"
	"io"
	"os"

	"golang.org/x/term"

	"mcp-partner/schemas"
)

// terminal asks on the terminal device of the process. Standard input is never
// read: under a client it carries the protocol.
type terminal struct{}

// Passphrase implements Prompter.
func (terminal) Passphrase(ctx context.Context, prompt string) ([]byte, error) {
	input, err := os.OpenFile(terminalInput, os.O_RDWR, 0)
	if err != nil {
		return nil, locked()
	}
	defer input.Close()
	output, err := os.OpenFile(terminalOutput, os.O_RDWR, 0)
	if err != nil {
		return nil, locked()
	}
	defer output.Close()
	// Echo goes off before the prompt stands, or what is typed at once is shown.
	state, err := term.MakeRaw(int(input.Fd()))
	if err != nil {
		return nil, locked()
	}
	defer func() { _ = term.Restore(int(input.Fd()), state) }()
	return typed(ctx, term.NewTerminal(device{input, output}, ""), prompt)
}

// device is a terminal device, whose two directions are two files on some
// systems.
type device struct {
	io.Reader
	io.Writer
}

// typed reads one line without echo. A caller that goes away gets its terminal
// back, also while the reading still blocks.
func typed(ctx context.Context, device *term.Terminal, prompt string) ([]byte, error) {
	type line struct {
		text string
		err  error
	}
	read := make(chan line, 1)
	go func() {
		text, err := device.ReadPassword(prompt)
		read <- line{text, err}
	}()
	select {
	case l := <-read:
		if l.err != nil {
			return nil, schemas.NewProblem(schemas.CodeVaultLocked, "The vault is protected by a passphrase, and none was typed.",
				schemas.WithHint("Call again and type the passphrase at the terminal, or use --passphrase-file."))
		}
		return []byte(l.text), nil
	case <-ctx.Done():
		return nil, schemas.ContextProblem(ctx.Err(), "Asking for the passphrase")
	}
}

func locked() error {
	return schemas.NewProblem(schemas.CodeVaultLocked,
		"The vault is protected by a passphrase, and there is no terminal to ask on.")
}
