// Package harden keeps the memory of a process from being written to a disk or
// read by others of the same user.
package harden

// NoDumps switches core dumps off and, if the system supports it, keeps other
// processes of the same user from attaching or reading memory. The error names
// what failed; the rest is done.
//
// On Linux the process's files in /proc then belong to root: programs of the same
// user do not see its open files and environment, and debuggers and profilers
// must run as root.
func NoDumps() error { return noDumps() }
