package vault

import (
	"context"
	"errors"

	"mcp-partner/schemas"
)

// contextProblem says that the caller's time is over or that it went away.
func contextProblem(err error, doing string) *schemas.Problem {
	if errors.Is(err, context.DeadlineExceeded) {
		return schemas.NewProblem(schemas.CodeTimeout, doing+" took longer than this call may.")
	}
	return schemas.NewProblem(schemas.CodeCancelled, doing+" was not waited for: the caller went away.")
}

// isContext reports whether an error says that a context ended.
func isContext(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}
