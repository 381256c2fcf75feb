package vault

import "mcp-partner/internal/sealed"

// MaxSecretBytes bounds a secret.
const MaxSecretBytes = sealed.MaxBytes

// Secret holds a secret that nothing prints. Only the rooms that may import
// internal/sealed can read it.
type Secret = sealed.Secret

// NewSecret is sealed.New: it takes a secret as it was read, and copies it.
func NewSecret(raw []byte) (Secret, error) { return sealed.New(raw) }
