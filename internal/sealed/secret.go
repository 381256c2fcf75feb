// Package sealed holds secrets so that nothing prints them.
package sealed

import (
	"bytes"
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
	"unicode/utf8"

	"mcp-partner/schemas/problems"
)

// MaxBytes bounds a secret. A client secret has some 40 bytes; the bound
// leaves room for a private key.
const MaxBytes = 64 << 10

const redacted = "[redacted]"

// Secret holds a secret that no formatter, marshaller or logger can print. The
// bytes are captured by a closure, where reflection does not reach them: the
// fmt package calls no method on an unexported field and would print a slice
// that it finds there. Secrets cannot be compared with ==.
//
// The zero Secret is empty.
type Secret struct {
	Unprintable
	// mark is what is printed of a secret inside of another value.
	mark   string
	reveal func() []byte
}

// New takes a secret as it was read from standard input, a prompt or a
// file: one newline at its end does not belong to it. It copies the bytes; the
// caller may clear its own. It returns a CodeInvalidArgument problem for an
// empty or blank secret, one of several lines, one over MaxSecretBytes, or one
// with a NUL byte or text that is not UTF-8.
func New(raw []byte) (Secret, error) {
	value := TrimNewline(raw)
	switch {
	case len(value) == 0:
		return Secret{}, problems.InvalidArgument("The secret is empty.")
	case len(value) > MaxBytes:
		return Secret{}, problems.InvalidArgument("The secret is larger than %d bytes.", MaxBytes)
	case len(bytes.TrimSpace(value)) == 0:
		return Secret{}, problems.InvalidArgument("The secret is only spaces.")
	case bytes.ContainsAny(value, "\r\n"):
		return Secret{}, problems.InvalidArgument("The secret has more than one line: give the secret alone.")
	case bytes.IndexByte(value, 0) >= 0:
		return Secret{}, problems.InvalidArgument("The secret has a NUL byte: it is not text, or has another encoding.")
	case !utf8.Valid(value):
		return Secret{}, problems.InvalidArgument("The secret is not UTF-8 text.")
	}
	return Seal(bytes.Clone(value)), nil
}

// TrimNewline takes one newline off the end.
func TrimNewline(raw []byte) []byte {
	if line, found := bytes.CutSuffix(raw, []byte("\n")); found {
		return bytes.TrimSuffix(line, []byte("\r"))
	}
	return raw
}

// Seal wraps bytes of which the caller keeps no copy.
func Seal(value []byte) Secret {
	return Secret{mark: redacted, reveal: func() []byte { return value }}
}

// Bytes returns the secret itself, not to be changed. It is no method, so that
// only a package that may import this one can call it.
func Bytes(s Secret) []byte {
	if s.reveal == nil {
		return nil
	}
	return s.reveal()
}

// Empty reports whether there is no secret.
func (s Secret) Empty() bool { return len(Bytes(s)) == 0 }

// Equal compares two secrets in a time that does not depend on their bytes.
func (s Secret) Equal(other Secret) bool {
	return subtle.ConstantTimeCompare(Bytes(s), Bytes(other)) == 1
}

func (Secret) String() string { return redacted }

func (Secret) GoString() string { return redacted }

func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Unprintable is embedded by values that hold secrets during a sign-in:
// printing them shows no part of them.
type Unprintable struct{}

// Format implements fmt.Formatter for every verb.
func (Unprintable) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, redacted) }

func (Unprintable) LogValue() slog.Value { return slog.StringValue(redacted) }
