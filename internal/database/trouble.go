package database

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"syscall"
)

// Class is what follows from a trouble.
type Class int

// The classes. Unavailable may be over at the next try, Unsafe stays until a
// person acts, Corrupt means that the content is not what was written.
const (
	Unavailable Class = iota
	Unsafe
	Corrupt
	Cancelled
)

// Trouble says why a database cannot be used.
type Trouble struct {
	Class Class
	// Whole is all that there is to say where it is not about the database, but a file.
	Whole string
	// What continues a sentence about the database; Next says what to do, Command
	// what to run.
	What, Next, Command string
}

// Error implements error.
func (t *Trouble) Error() string { return cmp.Or(t.Whole, t.What) }

// Trouble puts any error into words. The text of a foreign error is never copied:
// it may hold a password.
func (s Source) Trouble(err error) *Trouble {
	var known *Trouble
	if errors.As(err, &known) {
		return known
	}
	switch {
	case errors.Is(err, context.Canceled):
		return &Trouble{Class: Cancelled}
	case errors.Is(err, context.DeadlineExceeded):
		return &Trouble{What: "was not available in time", Next: "Try again."}
	}
	if known = s.trouble(err); known != nil {
		return known
	}
	var number syscall.Errno
	switch {
	case errors.As(err, &number):
		return &Trouble{What: "cannot be used: " + number.Error(), Next: "Check the disk and who owns the file."}
	case errors.Is(err, fs.ErrPermission):
		return &Trouble{What: "cannot be used: permission denied", Next: "Check who owns the file."}
	}
	return &Trouble{What: "cannot be used", Next: "Examine the state directory."}
}

// Damaged reports whether the database found itself to be broken.
func (s Source) Damaged(err error) bool {
	found := s.trouble(err)
	return found != nil && found.Class == Corrupt
}
