// Package render shows answers of tools and rows of runs to a person at a
// terminal.
package render
