package cli

import (
	"context"
	"errors"
	"strings"
)

// ask asks for a text; an empty answer is the usual one. With --yes it is the
// usual one at once.
func (s *firstRun) ask(ctx context.Context, question, usual string) (string, error) {
	if s.terminal == nil {
		return usual, nil
	}
	prompt := escape(question)
	if usual != "" {
		prompt += " [" + escape(usual) + "]"
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

// pick asks for one of several names.
func (s *firstRun) pick(ctx context.Context, question string, choices [][2]string, usual string) (string, error) {
	for _, choice := range choices {
		s.u.field(choice[0], choice[1])
	}
	for range 3 {
		typed, err := s.ask(ctx, question, usual)
		if err != nil {
			return "", err
		}
		for _, choice := range choices {
			if strings.EqualFold(typed, choice[0]) {
				return choice[0], nil
			}
		}
		s.u.line(warn, "  That is none of them.")
	}
	return "", usage("mcp-partner setup --help", "nothing was chosen")
}

// stopped words a terminal that was closed or a person who left.
func (s *firstRun) stopped(err error) error {
	if errors.Is(err, errNothingTyped) || errors.Is(err, context.Canceled) {
		return refused("run mcp-partner setup again: what is done stays done", "setup was stopped")
	}
	return failed("give the answers as flags, with --yes", "the terminal cannot be read")
}
