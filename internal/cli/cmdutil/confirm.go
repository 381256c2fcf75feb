package cmdutil

import (
	"context"
	"errors"
	"strings"

	"mcp-partner/guard"
	"mcp-partner/internal/cli/term"
	"mcp-partner/tools"
)

// terminalConfirmer is asked on the terminal device, in the same words in which an
// MCP client would show the question.
type terminalConfirmer struct {
	tools.NoConfirmer
	streams *term.Streams
}

// Confirmer returns the person at the terminal, or no one.
func Confirmer(s *term.Streams) tools.Confirmer {
	if !s.Attended() {
		return tools.NoConfirmer{}
	}
	return terminalConfirmer{streams: s}
}

func (p terminalConfirmer) Reachable() bool {
	terminal, err := p.streams.Terminal()
	if err != nil {
		return false
	}
	return terminal.Close() == nil
}

// Ask implements tools.Confirmer. A terminal that is closed instead of an answer
// is a no.
func (p terminalConfirmer) Ask(ctx context.Context, question guard.Question, _ guard.Seal) (guard.Answer, error) {
	terminal, err := p.streams.Terminal()
	if err != nil {
		return guard.Answer{}, err
	}
	defer terminal.Close()
	typed, err := terminal.Ask(ctx, formatQuestion(question), false)
	if errors.Is(err, term.ErrNothingTyped) {
		return guard.Answer{Action: guard.ActionCancel}, nil
	}
	if err != nil {
		return guard.Answer{}, err
	}
	return guard.Answer{Action: guard.ActionAccept, Typed: typed}, nil
}

// formatQuestion lays a question out. Facts hold untrusted text and are escaped.
func formatQuestion(question guard.Question) string {
	var b strings.Builder
	b.WriteString(term.Escape(question.Text) + "\n")
	for _, fact := range question.Facts {
		b.WriteString("  " + term.Escape(fact.Label) + ": " + term.Escape(fact.Value) + "\n")
	}
	b.WriteString(term.Escape(question.Prompt) + " (anything else cancels): ")
	return b.String()
}
