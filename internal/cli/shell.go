package cli

import (
	"strings"
)

// shellCommand is how a person runs this program in a shell so that it uses
// the same state directory as this process.
func (f *Factory) shellCommand() string {
	if f.stateDir == "" {
		return "mcp-partner"
	}
	return "mcp-partner --state-dir " + shellQuote(f.StateDir)
}

// shellQuote quotes a word for a POSIX shell, if it needs it.
func shellQuote(word string) string {
	plain := strings.IndexFunc(word, func(r rune) bool {
		return !strings.ContainsRune("/._-+@%:,=", r) && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}) < 0
	if plain && word != "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
