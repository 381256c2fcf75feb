package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"

	"mcp-partner/internal/disk"
	"mcp-partner/schemas"
)

// The exit codes of every command.
const (
	ExitDone             = 0 // done, or unchanged
	ExitFailed           = 1 // tried and did not work, or not known
	ExitUsage            = 2 // the command line, a variable or the config file is wrong
	ExitRefused          = 3 // not allowed, or wrong in itself
	ExitApprovalRequired = 4 // a person has to confirm first
)

// exit is how a command ends other than well. With an empty message everything
// has been said already.
type exit struct {
	code          int
	message, next string
}

// Error implements error.
func (e *exit) Error() string { return e.message }

// usage is an error of whoever typed the command.
func usage(next, format string, args ...any) error {
	return &exit{ExitUsage, fmt.Sprintf(format, args...), next}
}

// fileError says why a file that a flag or a setting names is not used.
func fileError(what, path, next string, err error) error {
	var untrusted *disk.Untrusted
	if errors.As(err, &untrusted) {
		return usage(untrusted.Next(), "%s: %s", what, untrusted)
	}
	return usage(next, "%s %s cannot be read", what, path)
}

// failed is an error of the world.
func failed(next, format string, args ...any) error {
	return &exit{ExitFailed, fmt.Sprintf(format, args...), next}
}

// refused is a thing that this program will not do.
func refused(next, format string, args ...any) error {
	return &exit{ExitRefused, fmt.Sprintf(format, args...), next}
}

// silent ends with a code after the output has said why.
func silent(code int) error {
	if code == ExitDone {
		return nil
	}
	return &exit{code: code}
}

// asUsage keeps a problem's words and says that the command line is to blame.
func asUsage(err error) error {
	if err == nil {
		return nil
	}
	problem := schemas.AsProblem(err)
	return &exit{ExitUsage, problem.Message, problem.Hint}
}

// endOf turns any error into how the command ends.
func endOf(err error) *exit {
	var known *exit
	var problem *schemas.Problem
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &problem) && problem.Refusal():
		return &exit{ExitRefused, problem.Message, problem.Hint}
	case errors.As(err, &problem):
		return &exit{ExitFailed, problem.Message, problem.Hint}
	case errors.Is(err, syscall.EPIPE):
		// Whoever read the output has seen enough, as head does: nothing to say.
		return &exit{ExitFailed, "", ""}
	default:
		return &exit{ExitFailed, err.Error(), ""}
	}
}

// report writes an error as one or two lines: what is wrong, and what to do.
func report(to io.Writer, end *exit) {
	if end.message == "" {
		return
	}
	fmt.Fprintf(to, "mcp-partner: %s\n", escape(clause(strings.TrimPrefix(end.message, "mcp-partner "))))
	if end.next != "" {
		fmt.Fprintf(to, "Next: %s\n", escape(clause(end.next)))
	}
}

// clause brings a message into the form of what stands behind a colon, whether
// it was written as a sentence for an envelope or as a clause for here: without
// a full stop behind a single one, and without a capital letter where an ordinary word
// has one. Names and paths stay as they are.
func clause(text string) string {
	if !strings.Contains(text, ". ") {
		text = strings.TrimSuffix(text, ".")
	}
	first, _, _ := strings.Cut(text, " ")
	ordinary := []string{
		"A", "Add", "An", "Another", "Check", "For", "Give", "If", "In", "It", "No", "Nobody", "Nothing", "Or", "Put", "Restore", "Run:", "The", "There", "This", "Try", "Use", "Whether", "Writes",
	}
	if slices.Contains(ordinary, first) {
		return strings.ToLower(text[:1]) + text[1:]
	}
	return text
}

// statusExit is the exit code of an envelope.
func statusExit(status schemas.Status) int {
	switch status {
	case schemas.StatusDone, schemas.StatusUnchanged:
		return ExitDone
	case schemas.StatusRefused:
		return ExitRefused
	case schemas.StatusApprovalRequired:
		return ExitApprovalRequired
	default:
		return ExitFailed
	}
}
