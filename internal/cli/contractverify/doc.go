// Package contractverify is the command of cmd/contract-verify, which compares
// the provider with its published contract. It is no part of mcp-partner: the
// comparison needs a JSON Schema library, and only who develops needs it.
package contractverify
