package vault

import (
	"fmt"
	"io"
	"log/slog"
)

// unprintable is embedded by values that hold secrets while a sign-in goes on:
// whatever prints them prints no part of them.
type unprintable struct{}

// Format implements fmt.Formatter for every verb.
func (unprintable) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, redacted) }

// LogValue implements slog.LogValuer.
func (unprintable) LogValue() slog.Value { return slog.StringValue(redacted) }
