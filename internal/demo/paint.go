package demo

import (
	"fmt"

	"mcp-partner/schemas/answers"
)

// paint colours text for a terminal, or leaves it as it is.
type paint func(code, text string) string

func painter(color bool) paint {
	return func(code, text string) string {
		if !color {
			return text
		}
		return "\x1b[" + code + "m" + text + "\x1b[0m"
	}
}

func (p paint) bold(text string) string { return p("1", text) }
func (p paint) dim(text string) string  { return p("2", text) }
func (p paint) good(text string) string { return p("32", text) }
func (p paint) warn(text string) string { return p("33", text) }
func (p paint) bad(text string) string  { return p("31", text) }

// status colours a status by what it means to a person.
func (p paint) status(status answers.Status) string {
	switch status {
	case answers.StatusDone, answers.StatusUnchanged:
		return p.good(string(status))
	case answers.StatusFailed:
		return p.bad(string(status))
	default:
		return p.warn(string(status))
	}
}

// effect colours what a tool may do, in a column of its own.
func (p paint) effect(effect answers.Effect) string {
	column := fmt.Sprintf("%-8s", effect)
	switch effect {
	case answers.EffectRead:
		return p.good(column)
	case answers.EffectWrite:
		return p.warn(column)
	default:
		return p.bad(column)
	}
}
