// Package cmdutil has what the commands share: their dependencies, flags,
// arguments, completions, output files and the secrets they read.
package cmdutil
