package setup

import (
	"context"
	"errors"
	"strings"

	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/exit"
)

// ask asks for a text; an empty answer is the usual one. With --yes it is the
// usual one at once.
func (s *firstRun) ask(ctx context.Context, question, usual string) (string, error) {
	if s.terminal == nil {
		return usual, nil
	}
	prompt := term.Escape(question)
	if usual != "" {
		prompt += " [" + term.Escape(usual) + "]"
	}
	typed, err := s.terminal.Ask(ctx, "  "+prompt+": ", false)
	if err != nil {
		return "", s.stopped(err)
	}
	if typed = strings.TrimSpace(typed); typed == "" {
		return usual, nil
	}
	return typed, nil
}

// attempts is how often a person may mistype one answer.
const attempts = 3

// askUntil asks for something until take accepts it, and says what was wrong.
// With --yes take gets what is usual, once.
func (s *firstRun) askUntil(ctx context.Context, question, usual string, take func(string) error) (wrong error) {
	for range attempts {
		typed, err := s.ask(ctx, question, usual)
		if err != nil {
			return err
		}
		if wrong = take(typed); wrong == nil || s.terminal == nil {
			return wrong
		}
		mistake := strings.TrimSuffix(exit.Of(wrong).Message, ".")
		s.u.Linef(term.Warn, "  %s%s.", strings.ToUpper(mistake[:1]), mistake[1:])
	}
	return wrong
}

// agrees asks for yes or no; nothing but a yes is one where no is usual. With
// --yes it is what is usual.
func (s *firstRun) agrees(ctx context.Context, question string, usual bool) (bool, error) {
	hint := map[bool]string{true: "Y/n", false: "y/N"}[usual]
	typed, err := s.ask(ctx, question+" ("+hint+")", "")
	switch strings.ToLower(typed) {
	case "":
		return usual, err
	case "y", "yes":
		return true, err
	}
	return false, err
}

func (s *firstRun) pick(ctx context.Context, question string, choices [][2]string, usual string) (choice string, err error) {
	for _, c := range choices {
		s.u.Field(c[0], c[1])
	}
	err = s.askUntil(ctx, question, usual, func(typed string) error {
		for _, c := range choices {
			if strings.EqualFold(typed, c[0]) {
				choice = c[0]
				return nil
			}
		}
		return exit.Usage("mcp-partner setup --help", "that is not one of the choices")
	})
	return choice, err
}

func (s *firstRun) stopped(err error) error {
	if errors.Is(err, term.ErrNothingTyped) || errors.Is(err, context.Canceled) {
		return exit.Refused("run mcp-partner setup again; completed steps are kept", "setup was stopped")
	}
	return exit.Failed("give the answers as flags with --yes", "the terminal cannot be read")
}
