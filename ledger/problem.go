package ledger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"mcp-partner/schemas"
)

// errDamaged means that a row is not what this program writes.
var errDamaged = errors.New("damaged")

const nothingWritten = "Nothing is written to Azure until this is fixed."

// problem turns any error of the ledger into a problem. The text of a foreign
// error is never copied.
func (l *Ledger) problem(err error) error {
	var known *schemas.Problem
	var number syscall.Errno
	var database *sqlite.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return known
	case errors.Is(err, context.Canceled):
		return schemas.NewProblem(schemas.CodeCancelled, "The caller disconnected while "+l.path+" was being used.")
	case errors.Is(err, context.DeadlineExceeded):
		return l.unavailable("was not available in time", "Try again.")
	case errors.Is(err, errDamaged):
		return l.corrupt("it has a row that this program did not write")
	case errors.As(err, &database):
		return l.databaseProblem(database.Code())
	case errors.As(err, &number):
		return l.unavailable("cannot be used: "+number.Error(), "Check the disk and who owns the file.")
	case errors.Is(err, fs.ErrPermission):
		return l.unavailable("cannot be used: permission denied", "Check who owns the file.")
	}
	return l.unavailable("cannot be used", "Examine the state directory.")
}

// databaseProblem words SQLite's result codes, whose low byte is the class.
func (l *Ledger) databaseProblem(code int) error {
	switch code & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL:
		return l.unavailable("is locked by another process", "Wait until it has finished, then try again.")
	case sqlite3.SQLITE_FULL:
		return l.unavailable("cannot grow: the disk is full", "Free some space, then try again.")
	case sqlite3.SQLITE_READONLY:
		return l.unavailable("cannot be written: it is read-only", "Make the state directory writable.")
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH:
		return l.unavailable("cannot be opened", "Check who owns the state directory, and that it is writable for you.")
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM:
		return l.unavailable("cannot be read or written", "Check the disk.")
	case sqlite3.SQLITE_INTERRUPT:
		return schemas.NewProblem(schemas.CodeCancelled, "The caller disconnected while "+l.path+" was being used.")
	}
	return l.corrupt(fmt.Sprintf("SQLite reports code %d", code))
}

func (l *Ledger) unavailable(what, next string) *schemas.Problem {
	return schemas.NewProblem(schemas.CodeVaultUnavailable, "The ledger "+l.path+" "+what+". "+nothingWritten, schemas.WithCommand(next, "mcp-partner doctor"))
}

// unsafe makes a problem that stays until a person acts.
func (l *Ledger) unsafe(path, what, next string) *schemas.Problem {
	p := schemas.NewProblem(schemas.CodeVaultUnavailable, path+" "+what+". "+nothingWritten, schemas.WithHint("%s", next))
	p.Retryable = false
	return p
}

// exposed makes the problem of a path that other users can read or write.
func (l *Ledger) exposed(path, command string) *schemas.Problem {
	p := l.unsafe(path, "is open to other users", "Restrict its mode to its owner.")
	p.Command = command
	return p
}

func (l *Ledger) corrupt(what string) *schemas.Problem {
	return schemas.NewProblem(schemas.CodeVaultCorrupt, "The ledger "+l.path+" is damaged: "+what+". "+nothingWritten,
		schemas.WithCommand("Keep the file as it is, and verify it.", "mcp-partner ledger verify"))
}

// damaged reports whether SQLite or a decoder found the file to be broken.
func damaged(err error) bool {
	var database *sqlite.Error
	if !errors.As(err, &database) {
		return errors.Is(err, errDamaged)
	}
	switch database.Code() & 0xff {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_FORMAT, sqlite3.SQLITE_MISMATCH:
		return true
	}
	return false
}
