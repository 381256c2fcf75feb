package ledger

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"

	"mcp-partner/guard"
	"mcp-partner/schemas"
)

// markName is the file that stands for a freeze of reads. It holds where the
// ledger cannot be opened or was removed, and where the two disagree: whoever
// lifts a freeze has to lift both.
const markName = "ledger.frozen"

// maxMark bounds what is read of it, in bytes.
const maxMark = 4 << 10

// mark puts the file there, whole.
func (l *Ledger) mark(f guard.Freeze) error {
	body, err := encodeFreeze(f)
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(l.o.Dir, markName+".*") // of mode 0600
	if err != nil {
		return err
	}
	_, err = file.Write(body)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return os.Rename(file.Name(), l.inDir(markName))
}

// stoppedAnyway says of a freeze of reads that could not be recorded what holds.
func (l *Ledger) stoppedAnyway(err error) error {
	p := *schemas.AsProblem(l.problem(err))
	p.Message += " Writes and reads are stopped all the same, by the file " + l.inDir(markName) + "."
	return &p
}

// unmark takes the file away.
func (l *Ledger) unmark() error {
	err := os.Remove(l.inDir(markName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// marked reports whether the file is there. What cannot be looked at counts as
// there.
func (l *Ledger) marked() bool {
	_, err := os.Lstat(l.inDir(markName))
	return !errors.Is(err, fs.ErrNotExist)
}

// fromMark is the freeze that the file tells of, as far as it can be read.
func (l *Ledger) fromMark() guard.Freeze {
	freeze := guard.Freeze{Writes: true, Reads: true, By: "mcp-partner", Reason: "The file " + l.inDir(markName) + " says so."}
	file, err := os.Open(l.inDir(markName))
	if err != nil {
		return freeze
	}
	defer file.Close()
	body, err := io.ReadAll(io.LimitReader(file, maxMark))
	if err != nil || !json.Valid(body) {
		return freeze
	}
	told, err := decodeFreeze(body)
	if reason := schemas.Foreign(told.Reason); err == nil && reason != "" {
		freeze.Reason, freeze.By, freeze.Since = reason, schemas.Foreign(told.By), told.Since
	}
	return freeze
}
