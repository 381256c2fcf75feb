package problems

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// InvalidArgument makes the problem of a value that cannot be what it is given
// for.
func InvalidArgument(format string, args ...any) *Problem {
	return New(CodeInvalidArgument, fmt.Sprintf(format, args...))
}

// OfContext says that the caller's time is over or that the caller went
// away while something was done.
func OfContext(err error, doing string) *Problem {
	if errors.Is(err, context.DeadlineExceeded) {
		return New(CodeTimeout, doing+" took longer than this call allows.")
	}
	return New(CodeCancelled, doing+" was canceled: the caller disconnected.")
}

// IsContext reports whether an error says that a context ended.
func IsContext(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// Clause is the text of an error as a part of a sentence.
func Clause(err error) string {
	text := err.Error()
	if problem, ok := errors.AsType[*Problem](err); ok {
		text = problem.Message
	}
	return strings.TrimSuffix(text, ".")
}
