package ledger

import (
	"cmp"
	"errors"

	"mcp-partner/internal/database"
	"mcp-partner/schemas/problems"
)

// errDamaged means that a row is not what this program writes.
var errDamaged = errors.New("damaged")

const nothingWritten = "Nothing is written to Azure until this is fixed."

// problem turns any error of the ledger into a problem. The text of a foreign
// error is never copied.
func (l *Ledger) problem(err error) error {
	var known *problems.Problem
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return known
	case errors.Is(err, errDamaged):
		return l.corrupt("it has a row that this program did not write")
	}
	switch t := l.source.Trouble(err); t.Class {
	case database.Cancelled:
		return problems.New(problems.CodeCancelled, "The caller disconnected while the ledger "+l.name+" was being used.")
	case database.Corrupt:
		return l.corrupt(t.What)
	case database.Unsafe:
		return l.unsafe(t)
	default:
		return l.unavailable(t.What, t.Next)
	}
}

func (l *Ledger) unavailable(what, next string) *problems.Problem {
	return problems.New(problems.CodeVaultUnavailable, "The ledger "+l.name+" "+what+". "+nothingWritten, problems.WithCommand(next, "mcp-partner doctor"))
}

// unsafe makes a problem that stays until a person acts.
func (l *Ledger) unsafe(t *database.Trouble) *problems.Problem {
	p := problems.New(problems.CodeVaultUnavailable, cmp.Or(t.Path, "The ledger "+l.name)+" "+t.What+". "+nothingWritten, problems.WithHint("%s", t.Next))
	p.Retryable, p.Command = false, t.Command
	return p
}

func (l *Ledger) corrupt(what string) *problems.Problem {
	return problems.New(problems.CodeVaultCorrupt, "The ledger "+l.name+" is damaged: "+what+". "+nothingWritten,
		problems.WithCommand("Keep it as it is, and verify it.", "mcp-partner ledger verify"))
}

// damaged reports whether the database or a decoder found it to be broken.
func (l *Ledger) damaged(err error) bool {
	return errors.Is(err, errDamaged) || l.source.Damaged(err)
}
