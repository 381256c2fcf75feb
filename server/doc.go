// Package server carries MCP over stdio and over streamable HTTP.
//
// It composes one mcp-go server (New) and puts two transports of its own in front
// of it: a stdio loop (Server.ServeStdio) and a chain of HTTP gates
// (Server.ServeListener). Both check a message before mcp-go sees it, answer errors
// in words a reader can act on, and give each request a Notifier of its own, so
// that a notification goes out on the stream of the request it belongs to and
// ahead of its answer.
//
// Every revision from 2024-11-05 to 2026-07-28 is served; the era is decided
// per request, by the protocol version in its _meta.
package server
