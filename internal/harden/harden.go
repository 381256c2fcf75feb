// Package harden keeps the memory of a process from being written to a disk or
// read by others of the same user.
package harden

// NoDumps makes sure that the process leaves no core dump behind and, where the
// system can do that, that other processes of the same user cannot attach to it
// or read its memory. It says what could not be done; the rest is done.
//
// On Linux the price is that the files of the process in /proc belong to root:
// a program of the same user no longer sees its open files and its environment,
// and a debugger or profiler that attaches has to run as root.
func NoDumps() error { return noDumps() }
