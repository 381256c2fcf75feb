package tools_test

import "mcp-partner/guard"

// trusted is a caller who may do whatever the program may.
func trusted(caller guard.Caller) guard.Principal {
	return guard.Principal{Caller: caller, Grant: guard.FullGrant()}
}
