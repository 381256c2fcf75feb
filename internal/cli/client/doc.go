// Package client has the commands that write this server into the configuration
// of MCP clients and take it out again.
package client
