package cli

import (
	"context"
	"errors"
	"strings"

	"mcp-partner/guard"
	"mcp-partner/tools"
)

// terminalPerson is asked on the terminal device, in the same words in which an
// MCP client would show the question.
type terminalPerson struct {
	streams *Streams
}

// person returns whoever sits at the terminal, or nobody.
func (s *Streams) person() tools.Confirmer {
	if !s.attended() {
		return tools.NoConfirmer{}
	}
	return terminalPerson{s}
}

// Resume implements tools.Person: a question is answered within its call.
func (terminalPerson) Resume() (guard.Seal, guard.Answer, bool) { return "", guard.Answer{}, false }

// Reachable implements tools.Person.
func (p terminalPerson) Reachable() bool {
	terminal, err := p.streams.Terminal()
	if err != nil {
		return false
	}
	return terminal.Close() == nil
}

// Ask implements tools.Person. A terminal that is closed instead of an answer
// is a no.
func (p terminalPerson) Ask(ctx context.Context, question guard.Question, _ guard.Seal) (tools.Reply, guard.Answer, error) {
	terminal, err := p.streams.Terminal()
	if err != nil {
		return tools.Answered, guard.Answer{}, err
	}
	defer terminal.Close()
	typed, err := terminal.Ask(ctx, laidOut(question), false)
	if errors.Is(err, errNothingTyped) {
		return tools.Answered, guard.Answer{Action: guard.ActionCancel}, nil
	}
	if err != nil {
		return tools.Answered, guard.Answer{}, err
	}
	return tools.Answered, guard.Answer{Action: guard.ActionAccept, Typed: typed}, nil
}

// laidOut lays a question out. Facts hold foreign text and are escaped.
func laidOut(question guard.Question) string {
	var b strings.Builder
	b.WriteString(escape(question.Text) + "\n")
	for _, fact := range question.Facts {
		b.WriteString("  " + escape(fact.Label) + ": " + escape(fact.Value) + "\n")
	}
	b.WriteString(escape(question.Prompt) + " (anything else writes nothing): ")
	return b.String()
}
