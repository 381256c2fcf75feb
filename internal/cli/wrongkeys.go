package cli

import (
	"mcp-partner/schemas"
)

// wrongKeyFlags says of a contradiction between flags that the command line is
// to blame; a vault that cannot be used stays what it is.
func wrongKeyFlags(err error) error {
	if schemas.AsProblem(err).Code == schemas.CodeInvalidArgument {
		return asUsage(err)
	}
	return err
}
