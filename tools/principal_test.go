package tools_test

import (
	"mcp-partner/access"
)

// trusted is a caller who may do whatever the program may.
func trusted(caller access.Caller) access.Principal {
	return access.Principal{Caller: caller, Grant: access.FullGrant()}
}
