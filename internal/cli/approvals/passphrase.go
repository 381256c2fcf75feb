package approvals

import (
	"context"

	"mcp-partner/guard"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/exit"
)

// askCredentials asks an approver for the passphrase.
func askCredentials(ctx context.Context, s *term.Streams, name string) (guard.Credentials, error) {
	typed, err := s.Ask(ctx, "Passphrase of approver "+name+" (not shown): ", true)
	return guard.Credentials{Name: name, Passphrase: []byte(typed)}, err
}

// askNewCredentials asks for a new passphrase, twice.
func askNewCredentials(ctx context.Context, s *term.Streams, name string) (guard.Credentials, error) {
	first, err := s.Ask(ctx, "New passphrase of approver "+name+" (not shown): ", true)
	if err != nil {
		return guard.Credentials{}, err
	}
	second, err := s.Ask(ctx, "Repeat it: ", true)
	if err != nil {
		return guard.Credentials{}, err
	}
	if first != second {
		return guard.Credentials{}, exit.Refused("", "the two passphrases differ, so nothing was changed")
	}
	return guard.Credentials{Name: name, Passphrase: []byte(first)}, nil
}
