// Package schemas is everything a client of mcp-partner sees: the catalogue of
// operations, the types that go in and come out, strict decoding of arguments,
// the closed list of problem codes, and the JSON Schemas made from them.
//
// It knows neither MCP nor Azure nor a database. Every other room may import
// it; it imports none of them.
package schemas
