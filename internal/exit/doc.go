// Package exit says how a command ends: its exit code, what is wrong, and the
// next step.
package exit
