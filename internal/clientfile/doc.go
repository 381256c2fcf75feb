// Package clientfile knows where MCP clients keep their configuration, and
// adds one server to it, or takes it out, without touching anything else:
// comments, order, indentation and line ends of the file stay as they are.
//
// The files belong to other programs. What cannot be read as what it should be
// is refused and left alone, a copy is kept beside a file before it is changed,
// and nothing that stands in one is ever shown: other servers' entries hold
// secrets.
package clientfile
