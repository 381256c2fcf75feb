package ledger

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"mcp-partner/internal/phrase"

	"github.com/gofrs/flock"
)

const (
	fileName = "ledger.db"
	lockName = "ledger.lock"

	dirMode  fs.FileMode = 0o700
	fileMode fs.FileMode = 0o600

	lockRetry = 10 * time.Millisecond
)

// checkFiles refuses a state directory or a file of the database that others
// can look into or that is something else than a file. Missing ones are no
// error.
func (l *Ledger) checkFiles() error {
	if err := l.checkDir(); err != nil {
		return err
	}
	for _, path := range []string{l.path, l.path + "-wal", l.path + "-shm", l.path + "-journal", l.lockPath()} {
		if err := l.checkFile(path); err != nil {
			return err
		}
	}
	return nil
}

func (l *Ledger) checkDir() error {
	info, err := os.Stat(l.o.Dir.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return os.MkdirAll(l.o.Dir.Path, dirMode)
	case err != nil:
		return err
	case !info.IsDir():
		return l.unsafe(l.o.Dir.Path, "is not a directory", "Give another --state-dir.")
	case l.o.Dir.Exposed(info):
		return l.exposed("The state directory "+l.o.Dir.Path, "chmod 700 "+phrase.ShellWord(l.o.Dir.Path))
	}
	return nil
}

func (l *Ledger) checkFile(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode()&fs.ModeSymlink != 0:
		return l.unsafe(path, "is a symbolic link, which is not followed", "Put the file itself there.")
	case !info.Mode().IsRegular():
		return l.unsafe(path, "is not a regular file", "Remove it, or give another --state-dir.")
	case l.o.Dir.Exposed(info):
		return l.exposed(path, "chmod 600 "+path)
	}
	return nil
}

// create makes an empty file that only its owner can read. SQLite gives its
// write-ahead log and shared memory the mode of the database.
func create(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return file.Close()
}

func (l *Ledger) lockPath() string { return l.inDir(lockName) }

// lock keeps other processes from opening or migrating the file at the same
// time: SQLite does not wait for a change of the journal mode.
func (l *Ledger) lock(ctx context.Context) (func(), error) {
	ctx, cancel := context.WithTimeout(ctx, l.o.Patience)
	defer cancel()
	lock := flock.New(l.lockPath(), flock.SetPermissions(fileMode))
	locked, err := lock.TryLockContext(ctx, lockRetry)
	if err != nil && ctx.Err() == nil {
		return nil, err
	}
	if !locked {
		return nil, l.unavailable("is being opened by another process, which did not finish", "The lock file is "+l.lockPath()+".")
	}
	return func() { _ = lock.Close() }, nil
}
