package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"mcp-partner/schemas"
)

const (
	dirMode       fs.FileMode = 0o700
	fileMode      fs.FileMode = 0o600
	maxFileBytes              = 64 << 20
	lockPatience              = 10 * time.Second
	lockRetry                 = 20 * time.Millisecond
	previousMark              = ".previous"
	temporaryMark             = ".tmp-"
)

// errTooLarge means that a file is larger than anything this program writes.
var errTooLarge = errors.New("the file is larger than 64 MiB")

// disk is the state directory. A file in it is replaced as a whole or not at
// all, and what it held before lies beside it.
type disk struct {
	dir string
	// step is called before each operation that changes the disk. An error ends
	// the work there and leaves everything as it is, as a crash would.
	step func(operation string) error
}

func newDisk(dir string) disk {
	return disk{dir: dir, step: func(string) error { return nil }}
}

// stamp tells one version of a file from the next. A replaced file is another
// file, so the stamp changes even within one tick of the clock.
type stamp struct {
	info fs.FileInfo
}

// missing reports whether there was no file.
func (s stamp) missing() bool { return s.info == nil }

// same reports whether two stamps are of one version of a file.
func (s stamp) same(other stamp) bool {
	if s.info == nil || other.info == nil {
		return s.info == nil && other.info == nil
	}
	return os.SameFile(s.info, other.info) && s.info.Size() == other.info.Size() &&
		s.info.ModTime().Equal(other.info.ModTime())
}

func (d disk) path(name string) string { return filepath.Join(d.dir, name) }

// check refuses a state directory that others can look into. A missing one is
// no error.
func (d disk) check() error {
	info, err := os.Stat(d.dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return d.unavailable("reached", d.dir, err)
	case !info.IsDir():
		return unsafe(d.dir+" is not a directory.", "Give another --state-dir.")
	case exposed(info):
		return unsafe("The state directory "+d.dir+" is open to other users.", "Run: chmod 700 "+shellWord(d.dir))
	}
	return nil
}

// prepare makes a state directory that only its owner can enter, or checks that
// an existing one is so. It returns a CodeVaultUnavailable problem if it is not.
func (d disk) prepare() error {
	if err := d.check(); err != nil {
		return err
	}
	if err := os.MkdirAll(d.dir, dirMode); err != nil {
		return d.unavailable("made", d.dir, err)
	}
	return nil
}

// stat returns the stamp of a file, the zero stamp if there is none. A symbolic
// link, anything that is no file, and a file that others can read is refused.
func (d disk) stat(name string) (stamp, error) {
	path := d.path(name)
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return stamp{}, nil
	case err != nil:
		return stamp{}, d.unavailable("reached", path, err)
	case info.Mode()&fs.ModeSymlink != 0:
		return stamp{}, unsafe(path+" is a symbolic link, which is not followed.", "Put the file itself there.")
	case !info.Mode().IsRegular():
		return stamp{}, unsafe(path+" is not a regular file.", "Remove it, or give another --state-dir.")
	case exposed(info):
		return stamp{}, unsafe(path+" is open to other users.", "Run: chmod 600 "+shellWord(path))
	}
	return stamp{info}, nil
}

// read returns a file and its stamp; nil and the zero stamp if there is none.
func (d disk) read(name string) ([]byte, stamp, error) {
	if err := d.check(); err != nil {
		return nil, stamp{}, err
	}
	seen, err := d.stat(name)
	if err != nil || seen.missing() {
		return nil, stamp{}, err
	}
	file, err := os.Open(d.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, stamp{}, nil
	}
	if err != nil {
		return nil, stamp{}, d.unavailable("read", d.path(name), err)
	}
	defer file.Close()
	return d.readOpen(file)
}

// readOpen reads an open file and checks once more what was opened: between a
// look at a name and its opening, somebody may have put something else there.
func (d disk) readOpen(file *os.File) ([]byte, stamp, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, stamp{}, d.unavailable("read", file.Name(), err)
	}
	if !info.Mode().IsRegular() || exposed(info) {
		return nil, stamp{}, unsafe(file.Name()+" changed into something else while it was opened.", "Look at the state directory, then try again.")
	}
	data, err := io.ReadAll(io.LimitReader(file, maxFileBytes+1))
	if err == nil && len(data) > maxFileBytes {
		err = errTooLarge
	}
	if err != nil {
		return nil, stamp{}, d.unavailable("read", file.Name(), err)
	}
	return data, stamp{info}, nil
}

// replace puts data in the place of a file and keeps what was there before as
// NAME.previous. Whenever it is interrupted, NAME is either the old or the new
// version, whole. The caller holds the lock.
func (d disk) replace(name string, data []byte) error {
	old, _, err := d.read(name)
	if err != nil {
		return err
	}
	if old != nil {
		if err := d.write(name+previousMark, old); err != nil {
			return err
		}
	}
	return d.write(name, data)
}

// write puts data in the place of a file by way of a temporary one in the same
// directory. The caller holds the lock.
func (d disk) write(name string, data []byte) error {
	if _, err := d.stat(name); err != nil {
		return err
	}
	d.sweep(name)
	err := d.writeSteps(name, data)
	var problem *schemas.Problem
	if err == nil || errors.As(err, &problem) {
		return err
	}
	return d.unavailable("written", d.path(name), err)
}

func (d disk) writeSteps(name string, data []byte) error {
	if err := d.step("create " + name); err != nil {
		return err
	}
	temporary, err := os.CreateTemp(d.dir, name+temporaryMark)
	if err != nil {
		return err
	}
	defer temporary.Close()
	if err := d.fill(temporary, name, data); err != nil {
		return err
	}
	if err := d.step("rename " + name); err != nil {
		return err
	}
	if err := os.Rename(temporary.Name(), d.path(name)); err != nil {
		os.Remove(temporary.Name())
		return err
	}
	if err := d.step("sync folder " + name); err != nil {
		return err
	}
	return syncFolder(d.dir)
}

// fill writes and syncs a temporary file. Only a real failure removes it.
func (d disk) fill(file *os.File, name string, data []byte) error {
	if err := d.step("write " + name); err != nil {
		return err
	}
	_, err := io.Copy(file, bytes.NewReader(data))
	if err == nil {
		if crash := d.step("sync " + name); crash != nil {
			return crash
		}
		err = errors.Join(file.Chmod(fileMode), file.Sync(), file.Close())
	}
	if err != nil {
		os.Remove(file.Name())
	}
	return err
}

// sweep removes what an interrupted write left behind.
func (d disk) sweep(name string) {
	leftovers, _ := filepath.Glob(filepath.Join(escapeGlob(d.dir), name+temporaryMark+"*"))
	for _, path := range leftovers {
		os.Remove(path)
	}
}

// lock keeps other writers out, those of this process and others, until the
// returned function is called. It waits for at most lockPatience.
func (d disk) lock(ctx context.Context, name string) (func(), error) {
	if err := d.prepare(); err != nil {
		return nil, err
	}
	if _, err := d.stat(name); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	lock := flock.New(d.path(name), flock.SetPermissions(fileMode))
	locked, err := lock.TryLockContext(ctx, lockRetry)
	if err != nil && ctx.Err() == nil {
		return nil, d.unavailable("locked", d.path(name), err)
	}
	if !locked {
		return nil, schemas.NewProblem(schemas.CodeVaultUnavailable,
			"Another process is writing in "+d.dir+" and did not finish in time.",
			schemas.WithHint("Try again when it has finished. The lock file is %s.", d.path(name)))
	}
	return func() { _ = lock.Close() }, nil
}

// unavailable names the file and the cause, never the content.
func (d disk) unavailable(verb, path string, err error) *schemas.Problem {
	message := fmt.Sprintf("%s cannot be %s: %s.", path, verb, cause(err))
	return schemas.NewProblem(schemas.CodeVaultUnavailable, message, schemas.WithHint("%s", remedy(err, d.dir)))
}

// cause returns the innermost text of a file error, without the names of
// temporary files.
func cause(err error) string {
	var number syscall.Errno
	switch {
	case errors.As(err, &number):
		return number.Error()
	case errors.Is(err, errTooLarge):
		return errTooLarge.Error()
	}
	return "input or output failed"
}

func remedy(err error, dir string) string {
	switch {
	case errors.Is(err, syscall.EROFS):
		return "The disk is read-only: nothing was changed. Make " + dir + " writable, or give another --state-dir."
	case errors.Is(err, syscall.ENOSPC):
		return "The disk is full: nothing was changed. Free some space, then try again."
	case errors.Is(err, fs.ErrPermission):
		return "Nothing was changed. Check who owns " + dir + " and that it is writable for you."
	}
	return "Nothing was changed. Run: mcp-partner doctor"
}

// unsafe makes a problem that stays until a person acts.
func unsafe(message, hint string) *schemas.Problem {
	p := schemas.NewProblem(schemas.CodeVaultUnavailable, message, schemas.WithHint("%s", hint))
	p.Retryable = false
	return p
}

// corrupt says that a file is not what it should be and that nothing was
// changed.
func (d disk) corrupt(name, what, hint string) *schemas.Problem {
	return schemas.NewProblem(schemas.CodeVaultCorrupt, d.path(name)+" cannot be used: "+what+".",
		schemas.WithHint("The file was left as it is. %s", hint))
}

// previousHint says how the previous version of a file is put back, by a command
// that goes on after the copy, and what the last change was that it lacks.
// Without a previous version it says otherwise.
func (d disk) previousHint(name, after, lastChange, otherwise string) string {
	if _, err := os.Lstat(d.path(name) + previousMark); err != nil {
		return "There is no previous version beside it; " + otherwise
	}
	return "A person runs: " + d.copyBack(name) + after + " (the previous version, which lacks the last change: " + lastChange + ")"
}

// copyBack is the command that puts the previous version of a file back.
func (d disk) copyBack(name string) string {
	path := d.path(name)
	return "cp " + shellWord(path+previousMark) + " " + shellWord(path)
}

// shellWord quotes a path for a POSIX shell if it needs it: the default state
// directory of macOS has a space in it.
func shellWord(path string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:@%+=,~", r)
	}
	if strings.IndexFunc(path, func(r rune) bool { return !plain(r) }) < 0 {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

