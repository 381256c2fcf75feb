// Package schemas is the catalogue of operations and what follows from it: the
// arguments of each and their strict decoding, the problems it may answer, and
// the JSON Schemas of both sides. What answers consist of stands in
// schemas/answers, the closed list of problems in schemas/problems.
//
// It knows neither MCP nor Azure nor a database. Every other room may import
// it; it imports none of them.
package schemas
