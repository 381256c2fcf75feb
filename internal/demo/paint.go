package demo

import (
	"mcp-partner/internal/cli/term"
	"mcp-partner/schemas/answers"
)

// statusStyle colours a status by what it means to a person.
func statusStyle(status answers.Status) term.Style {
	switch status {
	case answers.StatusDone, answers.StatusUnchanged:
		return term.Good
	case answers.StatusFailed:
		return term.Bad
	default:
		return term.Warn
	}
}

// effectStyle colours what a tool may do.
func effectStyle(effect answers.Effect) term.Style {
	switch effect {
	case answers.EffectRead:
		return term.Good
	case answers.EffectWrite:
		return term.Warn
	default:
		return term.Bad
	}
}
