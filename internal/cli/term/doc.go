// Package term is the terminal: streams, prompts, prompts without echo, tables,
// progress and the escaping of text that could act on it.
package term
