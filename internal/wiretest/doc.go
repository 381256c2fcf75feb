// Package wiretest speaks JSON-RPC to a server by hand: every message is text
// that a test can see, and answers are read as they come off the wire. Nothing in
// it knows an MCP library.
package wiretest
