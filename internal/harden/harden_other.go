//go:build !linux && !darwin && !freebsd && !netbsd && !openbsd

package harden

// Windows writes no dump of a process unless an administrator asks for it.
func noDumps() error { return nil }
