package cli

import (
	"errors"
	"fmt"
	"io"
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
	// command takes the next step, where one command does.
	command string
}

// Error implements error.
func (e *exit) Error() string { return e.message }

// usage is an error of whoever typed the command.
func usage(next, format string, args ...any) error {
	return &exit{code: ExitUsage, message: fmt.Sprintf(format, args...), next: next}
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
	return &exit{code: ExitFailed, message: fmt.Sprintf(format, args...), next: next}
}

// refused is a thing that this program will not do.
func refused(next, format string, args ...any) error {
	return &exit{code: ExitRefused, message: fmt.Sprintf(format, args...), next: next}
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
	return ofProblem(ExitUsage, schemas.AsProblem(err))
}

func ofProblem(code int, problem *schemas.Problem) *exit {
	return &exit{code, problem.Message, problem.Hint, problem.Command}
}

// endOf turns any error into how the command ends.
func endOf(err error) *exit {
	var known *exit
	var problem *schemas.Problem
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &problem) && problem.Refusal():
		return ofProblem(ExitRefused, problem)
	case errors.As(err, &problem):
		return ofProblem(ExitFailed, problem)
	case errors.Is(err, syscall.EPIPE):
		// Whoever read the output has seen enough, as head does: nothing to say.
		return &exit{code: ExitFailed}
	default:
		return &exit{code: ExitFailed, message: err.Error()}
	}
}

// report writes an error: what is wrong, what to do, and the command that does it.
func report(to io.Writer, end *exit) {
	if end.message == "" {
		return
	}
	fmt.Fprintf(to, "mcp-partner: %s\n", escape(strings.TrimPrefix(end.message, "mcp-partner ")))
	if end.next != "" {
		fmt.Fprintf(to, "Next: %s\n", escape(end.next))
	}
	if end.command != "" {
		fmt.Fprintf(to, "Run: %s\n", escape(end.command))
	}
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
