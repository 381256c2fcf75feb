package vault

import "mcp-partner/internal/sealed"

// MaxSecretBytes bounds a secret. A client secret has some 40 bytes; the bound
// leaves room for a private key.
const MaxSecretBytes = sealed.MaxBytes

// Secret holds a secret that nothing prints. Only the rooms that may import
// internal/sealed can read it.
type Secret = sealed.Secret

// NewSecret takes a secret as it was read from standard input, a prompt or a
// file: one newline at its end does not belong to it. It copies the bytes; the
// caller may clear its own. It returns a CodeInvalidArgument problem for an
// empty or blank secret, one of several lines, one over MaxSecretBytes, or one
// with a NUL byte or text that is not UTF-8.
func NewSecret(raw []byte) (Secret, error) { return sealed.New(raw) }
