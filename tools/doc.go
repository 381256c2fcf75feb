// Package tools is where MCP meets the catalogue. Every call, whether it comes
// from an MCP client or from the command line, goes through Service.Call:
//
//	decode strictly -> admit -> plan by reads -> guard -> armclient -> confirm by a read -> envelope
//
// One file holds one intent; call.go holds the path they share; mcp*.go is the
// only part that knows the MCP library.
package tools
