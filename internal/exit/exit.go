// Package exit says how a command ends: its exit code, what is wrong, and the
// next step.
package exit

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"mcp-partner/internal/disk"
	"mcp-partner/internal/phrase"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

// The exit codes of every command.
const (
	CodeDone             = 0 // done, or unchanged
	CodeFailed           = 1 // tried and did not work, or not known
	CodeUsage            = 2 // the command line, a variable or the config file is wrong
	CodeRefused          = 3 // not allowed, or wrong in itself
	CodeApprovalRequired = 4 // a person must confirm first
)

// Error is how a command ends other than well. With an empty message everything
// has been said already.
type Error struct {
	Code          int
	Message, Next string
	// Command takes the next step, where one command does.
	Command string
	// Details are single mistakes, each for a line of its own.
	Details []string
}

// Error implements error.
func (e *Error) Error() string { return e.Message }

// Usage is an error in the command as typed.
func Usage(next, format string, args ...any) error {
	return &Error{Code: CodeUsage, Message: fmt.Sprintf(format, args...), Next: next}
}

// FileError says why a file that a flag or a setting names is not used.
func FileError(what, path, next string, err error) error {
	if untrusted, ok := errors.AsType[*disk.Untrusted](err); ok {
		end := &Error{Code: CodeUsage, Message: what + ": " + untrusted.Error(), Command: untrusted.Command}
		if end.Command == "" {
			end.Next = untrusted.Next()
		}
		return end
	}
	return Usage(next, "%s %s cannot be read", what, path)
}

// Failed is an error of the world.
func Failed(next, format string, args ...any) error {
	return &Error{Code: CodeFailed, Message: fmt.Sprintf(format, args...), Next: next}
}

// Refused is a thing that this program will not do.
func Refused(next, format string, args ...any) error {
	return &Error{Code: CodeRefused, Message: fmt.Sprintf(format, args...), Next: next}
}

// Silent ends with a code after the output has said why.
func Silent(code int) error {
	if code == CodeDone {
		return nil
	}
	return &Error{Code: code}
}

// AsUsage keeps a problem's words and says that the command line is to blame.
func AsUsage(err error) error {
	if err == nil {
		return nil
	}
	return ofProblem(CodeUsage, problems.As(err))
}

func ofProblem(code int, problem *problems.Problem) *Error {
	return &Error{Code: code, Message: problem.Message, Next: phrase.ForPerson(problem.Hint), Command: problem.Command}
}

// Of turns any error into how the command ends.
func Of(err error) *Error {
	var known *Error
	var problem *problems.Problem
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &problem) && problem.Refusal():
		return ofProblem(CodeRefused, problem)
	case errors.As(err, &problem):
		return ofProblem(CodeFailed, problem)
	case errors.Is(err, syscall.EPIPE):
		// The reader of the output has exited, as head does: no message.
		return &Error{Code: CodeFailed}
	default:
		return &Error{Code: CodeFailed, Message: err.Error()}
	}
}

// CodeOf is the exit code of an envelope.
func CodeOf(status answers.Status) int {
	switch status {
	case answers.StatusDone, answers.StatusUnchanged:
		return CodeDone
	case answers.StatusRefused:
		return CodeRefused
	case answers.StatusApprovalRequired:
		return CodeApprovalRequired
	default:
		return CodeFailed
	}
}

// MessageOf is an error's text without the code of a problem.
func MessageOf(err error) string { return strings.TrimSuffix(Of(err).Message, ".") }
