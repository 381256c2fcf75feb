// Package keychain keeps one small text in the keychain of the operating
// system: macOS Keychain, Windows Credential Manager, or the Secret Service of
// a desktop session.
package keychain

import (
	"context"
	"errors"
	"time"

	"github.com/zalando/go-keyring"

	"mcp-partner/internal/flight"
	"mcp-partner/schemas/problems"
	"mcp-partner/vault/internal/backend"
)

const (
	service = "mcp-partner"
	// limit bounds one look into the keychain. It leaves a person time to
	// unlock it.
	limit = 60 * time.Second
	// MaxBytes is the least that every system takes: Windows allows 2 560 bytes,
	// macOS about 3 000 with the names in base64.
	MaxBytes = 2000
)

// Keychain is the item of one state directory, which ID names.
type Keychain struct{ ID string }

// Read returns the text of the item, nil if there is none.
func (k Keychain) Read(ctx context.Context) ([]byte, error) {
	text, err := ask(ctx, func() (string, error) { return keyring.Get(service, k.ID) })
	if errors.Is(err, keyring.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, problem(ctx, err, "read")
	}
	return []byte(text), nil
}

// Write puts a text in the place of the item.
func (k Keychain) Write(ctx context.Context, text []byte) error {
	if len(text) > MaxBytes {
		return problem(ctx, keyring.ErrSetDataTooBig, "written")
	}
	_, err := ask(ctx, func() (string, error) { return "", keyring.Set(service, k.ID, string(text)) })
	if err != nil {
		return problem(ctx, err, "written")
	}
	return nil
}

// ask calls the system, which knows no deadline and may wait for a person.
func ask(ctx context.Context, work func() (string, error)) (string, error) {
	if err := reachable(); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return flight.Wait(ctx, work)
}

// problem words a failure. What the system says stays out: it may quote what it
// was given.
func problem(ctx context.Context, err error, verb string) error {
	var known *problems.Problem
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(ctx.Err(), context.Canceled):
		return problems.New(problems.CodeCancelled, "The call was canceled while it waited for the keychain.")
	case errors.Is(err, context.DeadlineExceeded):
		return backend.Unavailable("The keychain of this system did not answer in time; it may be locked.", "Unlock the keychain, then try again.")
	case errors.Is(err, keyring.ErrSetDataTooBig):
		return backend.Broken("The key of the vault is too large for the keychain of this system.", "Use --backend file.")
	case errors.Is(err, keyring.ErrUnsupportedPlatform):
		return backend.Broken("This system has no supported keychain.", "Use --backend file.")
	}
	return backend.Unavailable("The keychain of this system cannot be "+verb+": it is locked, missing, or refuses this program.",
		"Unlock the keychain and sign in to the desktop, then try again.")
}
