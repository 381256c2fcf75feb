package sealed

import (
	"fmt"
	"io"
	"log/slog"
)

// Unprintable is embedded by values that hold secrets while a sign-in goes on:
// whatever prints them prints no part of them.
type Unprintable struct{}

// Format implements fmt.Formatter for every verb.
func (Unprintable) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, redacted) }

// LogValue implements slog.LogValuer.
func (Unprintable) LogValue() slog.Value { return slog.StringValue(redacted) }
