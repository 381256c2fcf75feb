// Package clientfile adds one server to the configuration of an MCP client, or
// removes it, and keeps everything else, comments and formatting included.
//
// The files belong to other programs. A file that cannot be parsed is refused,
// a copy is kept before a change, and contents are never shown, because other
// servers' entries hold secrets.
package clientfile
