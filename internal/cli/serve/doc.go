// Package serve has the command that serves MCP, and the one that asks a server
// whether it is ready.
package serve
