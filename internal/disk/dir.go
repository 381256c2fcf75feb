// Package disk replaces, reads and locks the files of a state directory.
package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"mcp-partner/internal/phrase"
	"mcp-partner/schemas/problems"
)

const (
	dirMode       fs.FileMode = 0o700
	fileMode      fs.FileMode = 0o600
	MaxFileBytes              = 64 << 20
	lockPatience              = 10 * time.Second
	lockRetry                 = 20 * time.Millisecond
	PreviousMark              = ".previous"
	temporaryMark             = ".tmp-"
)

// ErrTooLarge means that a file is larger than anything this program writes.
var ErrTooLarge = errors.New("the file is larger than 64 MiB")

// Dir is the state directory. A file in it is replaced as a whole or not at
// all, and what it held before lies beside it.
type Dir struct {
	Path string
	// PlatformModes accepts whatever modes the files have, because the platform
	// sets them and chmod does not last (a volume with fsGroup, a Windows drive
	// under WSL). Who can enter the directory is then up to the platform.
	PlatformModes bool
	// Shared keeps the files where several machines need them; nil for this disk.
	Shared *Shared
	// step is called before each operation that changes the disk. An error ends
	// the work there and leaves everything as it is, as a crash would.
	Step func(operation string) error
}

// New returns a directory that need not exist yet.
func New(dir string) Dir {
	return Dir{Path: dir, Step: func(string) error { return nil }}
}

// Exposed reports whether anyone but the owner can read or write a file, where
// modes say so.
func (d Dir) Exposed(info fs.FileInfo) bool { return !d.PlatformModes && exposed(info) }

// Stamp tells one version of a file from the next. A replaced file is another
// file, so the stamp changes even within one tick of the clock.
type Stamp struct {
	info   fs.FileInfo
	shared Version
}

// StampOf returns the stamp of the file that a path leads to, through symbolic
// links as well; the zero stamp if none can be looked at.
func StampOf(path string) Stamp {
	info, err := os.Stat(path)
	if err != nil {
		return Stamp{}
	}
	return Stamp{info: info}
}

// Missing reports whether there was no file.
func (s Stamp) Missing() bool { return s.info == nil && s.shared == Version{} }

// Same reports whether two stamps are of one version of a file.
func (s Stamp) Same(other Stamp) bool {
	if s.info == nil || other.info == nil {
		return s.info == nil && other.info == nil && s.shared == other.shared
	}
	return os.SameFile(s.info, other.info) && s.info.Size() == other.info.Size() &&
		s.info.ModTime().Equal(other.info.ModTime())
}

// Extends reports whether this is the same file with more in it, or the first one
// where there was none.
func (s Stamp) Extends(older Stamp) bool {
	switch {
	case s.Missing() || older.Missing():
		return !s.Missing()
	case s.info == nil || older.info == nil:
		return s.shared.ID == older.shared.ID && s.shared.Size >= older.shared.Size
	}
	return os.SameFile(s.info, older.info) && s.info.Size() >= older.info.Size()
}

// File returns the path of a file in it, or says where else it is.
func (d Dir) File(name string) string {
	if d.Shared != nil {
		return name + " " + d.Shared.Place
	}
	return filepath.Join(d.Path, name)
}

// Where says where the files are, in messages.
func (d Dir) Where() string {
	if d.Shared != nil {
		return d.Shared.Place
	}
	return "in " + d.Path
}

// Local is the directory on this disk.
func (d Dir) Local() Dir {
	d.Shared = nil
	return d
}

// check refuses a state directory that others can look into. A missing one is
// no error.
func (d Dir) check() error {
	info, err := os.Stat(d.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, syscall.ENOTDIR), err == nil && !info.IsDir():
		return Unsafe(d.Path+" is not a directory: a file stands there, or on the way to it.", "Give another --state-dir.")
	case err != nil:
		return d.Unavailable("reached", d.Path, err)
	case d.Exposed(info):
		return OpenToOthers("The state directory "+d.Path, "chmod 700 "+phrase.ShellWord(d.Path))
	}
	return nil
}

// Prepare makes a state directory that only its owner can enter, or checks that
// an existing one is so. It returns a CodeVaultUnavailable problem if it is not.
func (d Dir) Prepare() error {
	if err := d.check(); err != nil {
		return err
	}
	if err := os.MkdirAll(d.Path, dirMode); err != nil {
		return d.Unavailable("made", d.Path, err)
	}
	return nil
}

// Stat returns the stamp of a file, the zero stamp if there is none. A symbolic
// link, anything that is no file, and a file that others can read is refused.
func (d Dir) Stat(name string) (Stamp, error) {
	stamps, err := d.Stats(name)
	if err != nil {
		return Stamp{}, err
	}
	return stamps[0], nil
}

// Stats is Stat for several files at once, in the order of their names.
func (d Dir) Stats(names ...string) (stamps []Stamp, err error) {
	stamps = make([]Stamp, len(names))
	if d.Shared != nil {
		return stamps, d.Shared.stats(names, stamps)
	}
	for i, name := range names {
		if stamps[i], err = d.stat(name); err != nil {
			return nil, err
		}
	}
	return stamps, nil
}

func (d Dir) stat(name string) (Stamp, error) {
	path := d.File(name)
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Stamp{}, nil
	case err != nil:
		return Stamp{}, d.Unavailable("reached", path, err)
	case info.Mode()&fs.ModeSymlink != 0:
		return Stamp{}, Unsafe(path+" is a symbolic link, which is not followed.", "Put the file itself there.")
	case !info.Mode().IsRegular():
		return Stamp{}, Unsafe(path+" is not a regular file.", "Remove it, or give another --state-dir.")
	case d.Exposed(info):
		return Stamp{}, OpenToOthers(path, "chmod 600 "+phrase.ShellWord(path))
	}
	return Stamp{info: info}, nil
}

// Read returns a file and its stamp; nil and the zero stamp if there is none.
// Its previous version, which holds the same secrets, must have the same
// permissions.
func (d Dir) Read(name string) ([]byte, Stamp, error) { return d.ReadFrom(name, 0) }

// ReadFrom is Read without what stands before an offset.
func (d Dir) ReadFrom(name string, offset int64) ([]byte, Stamp, error) {
	if d.Shared != nil {
		data, version, err := d.Shared.Read(name, offset)
		return data, Stamp{shared: version}, err
	}
	if err := d.check(); err != nil {
		return nil, Stamp{}, err
	}
	seen, err := d.Stat(name)
	if err != nil || seen.Missing() {
		return nil, Stamp{}, err
	}
	if _, err := d.Stat(name + PreviousMark); err != nil {
		return nil, Stamp{}, err
	}
	file, err := os.Open(d.File(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, Stamp{}, nil
	}
	if err != nil {
		return nil, Stamp{}, d.Unavailable("read", d.File(name), err)
	}
	defer file.Close()
	return d.readOpen(file, offset)
}

// readOpen reads an open file and checks once more what was opened: between a
// look at a name and its opening, somebody may have put something else there.
func (d Dir) readOpen(file *os.File, offset int64) ([]byte, Stamp, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, Stamp{}, d.Unavailable("read", file.Name(), err)
	}
	if !info.Mode().IsRegular() || d.Exposed(info) {
		return nil, Stamp{}, Unsafe(file.Name()+" was replaced while it was opened.", "Check the state directory, then try again.")
	}
	data, err := io.ReadAll(io.NewSectionReader(file, offset, MaxFileBytes+1))
	if err == nil && len(data) > MaxFileBytes {
		err = ErrTooLarge
	}
	if err != nil {
		return nil, Stamp{}, d.Unavailable("read", file.Name(), err)
	}
	return data, Stamp{info: info}, nil
}

// Replace puts data in the place of a file and keeps what was there before as
// NAME.previous. Whenever it is interrupted, NAME is either the old or the new
// version, whole. The caller holds the lock.
func (d Dir) Replace(name string, data []byte) error {
	old, _, err := d.Read(name)
	if err != nil {
		return err
	}
	if old != nil {
		if err := d.Write(name+PreviousMark, old); err != nil {
			return err
		}
	}
	return d.Write(name, data)
}

// Write puts data in the place of a file by way of a temporary one in the same
// directory, and refuses what Read would not take. The caller holds the lock.
func (d Dir) Write(name string, data []byte) error {
	if len(data) > MaxFileBytes {
		return d.Unavailable("written", d.File(name), ErrTooLarge)
	}
	if d.Shared != nil {
		return d.inStep("write "+name, func() error { return d.Shared.Write(name, 0, data) })
	}
	if _, err := d.Stat(name); err != nil {
		return err
	}
	d.sweep(name)
	err := replace(d.File(name), name+temporaryMark, fileMode, Whole(data), func(step string) error { return d.Step(step + " " + name) })
	var problem *problems.Problem
	if err == nil || errors.As(err, &problem) {
		return err
	}
	return d.Unavailable("written", d.File(name), err)
}

// Append puts data behind the first bytes of a file, which it makes where there is
// none, and cuts off what else is behind them. Where it is interrupted, a part of
// data may be there. The caller holds the lock.
func (d Dir) Append(name string, at int64, data []byte) (Stamp, error) {
	if d.Shared != nil {
		if err := d.inStep("append "+name, func() error { return d.Shared.Write(name, at, data) }); err != nil {
			return Stamp{}, err
		}
		return d.Stat(name)
	}
	if _, err := d.Stat(name); err != nil {
		return Stamp{}, err
	}
	if err := d.Step("append " + name); err != nil {
		return Stamp{}, err
	}
	file, err := os.OpenFile(d.File(name), os.O_WRONLY|os.O_CREATE, fileMode)
	if err != nil {
		return Stamp{}, d.Unavailable("written", d.File(name), err)
	}
	defer file.Close()
	err = file.Truncate(at)
	if err == nil {
		_, err = file.WriteAt(data, at)
	}
	if err = errors.Join(err, file.Sync()); err != nil {
		return Stamp{}, d.Unavailable("written", d.File(name), err)
	}
	return d.Stat(name)
}

// Remove removes a file, which need not be there. The caller holds the lock.
func (d Dir) Remove(name string) error {
	if d.Shared != nil {
		return d.inStep("remove "+name, func() error { return d.Shared.Remove(name) })
	}
	if seen, err := d.Stat(name); err != nil || seen.Missing() {
		return err
	}
	if err := d.Step("remove " + name); err != nil {
		return err
	}
	if err := os.Remove(d.File(name)); err != nil {
		return d.Unavailable("removed", d.File(name), err)
	}
	return nil
}

// inStep does one operation, unless its step fails.
func (d Dir) inStep(operation string, do func() error) error {
	if err := d.Step(operation); err != nil {
		return err
	}
	return do()
}

// sweep removes what an interrupted write left behind.
func (d Dir) sweep(name string) {
	leftovers, _ := filepath.Glob(filepath.Join(escapeGlob(d.Path), name+temporaryMark+"*"))
	for _, path := range leftovers {
		os.Remove(path)
	}
}

// Lock keeps other writers out, those of this process and others, until the
// returned function is called. It waits for at most lockPatience.
func (d Dir) Lock(ctx context.Context, name string) (func(), error) {
	ctx, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	if d.Shared != nil {
		return d.Shared.Lock(ctx, name)
	}
	if err := d.Prepare(); err != nil {
		return nil, err
	}
	if _, err := d.Stat(name); err != nil {
		return nil, err
	}
	lock := flock.New(d.File(name), flock.SetPermissions(fileMode))
	locked, err := lock.TryLockContext(ctx, lockRetry)
	if err != nil && ctx.Err() == nil {
		return nil, d.Unavailable("locked", d.File(name), err)
	}
	if !locked {
		return nil, problems.New(problems.CodeVaultUnavailable,
			"Another process is writing in "+d.Path+" and did not finish in time.",
			problems.WithHint("Try again when it has finished. The lock file is %s.", d.File(name)))
	}
	return func() { _ = lock.Close() }, nil
}

// Use marks the directory as in use until the returned function is called: together
// with others, or alone; ok is false where others are in the way. What keeps a lock
// from being made is an error only for who would be alone.
func (d Dir) Use(alone bool) (release func(), ok bool, err error) {
	const name = "use.lock"
	lock := flock.New(d.File(name), flock.SetPermissions(fileMode))
	try := lock.TryRLock
	if alone {
		try = lock.TryLock
	}
	if _, err = d.Stat(name); err == nil {
		ok, err = try()
	}
	switch {
	case err != nil && alone:
		err = d.Unavailable("locked", d.File(name), err)
	case err != nil:
		ok, err = true, nil
	}
	return func() { _ = lock.Close() }, ok, err
}

// Unavailable names the file and the cause, never the content.
func (d Dir) Unavailable(verb, path string, err error) *problems.Problem {
	message := fmt.Sprintf("%s cannot be %s: %s.", path, verb, Cause(err))
	return problems.New(problems.CodeVaultUnavailable, message, problems.WithCommand(remedy(err, d.Path), "mcp-partner doctor"))
}

// Cause returns the innermost text of a file error, without the names of
// temporary files.
func Cause(err error) string {
	var number syscall.Errno
	switch {
	case errors.As(err, &number):
		return number.Error()
	case errors.Is(err, ErrTooLarge):
		return ErrTooLarge.Error()
	}
	return "input or output failed"
}

func remedy(err error, dir string) string {
	switch {
	case errors.Is(err, ErrTooLarge):
		return "Nothing was changed. Remove what is not needed any more (a directory holds some 250 000 tenants), or divide it between two state directories."
	case errors.Is(err, syscall.EROFS):
		return "The disk is read-only: nothing was changed. Make " + dir + " writable, or give another --state-dir."
	case errors.Is(err, syscall.ENOSPC):
		return "The disk is full: nothing was changed. Free some space, then try again."
	case errors.Is(err, fs.ErrPermission):
		return "Nothing was changed. Check who owns " + dir + " and that it is writable for you."
	}
	return "Nothing was changed. Examine the state directory."
}

// Unsafe makes a problem that stays until a person acts.
func Unsafe(message, hint string) *problems.Problem {
	p := problems.New(problems.CodeVaultUnavailable, message, problems.WithHint("%s", hint))
	p.Retryable = false
	return p
}

// OpenToOthers makes the problem of a path that other users can read or write,
// with the command that closes it.
func OpenToOthers(path, command string) *problems.Problem {
	p := Unsafe(path+" is open to other users.", "Restrict its mode to its owner. Where the platform sets the modes (a Kubernetes volume with fsGroup, a Windows drive under WSL), start with --platform-modes.")
	p.Command = command
	return p
}

// Corrupt says that a file is not what it should be and that nothing was
// changed.
func (d Dir) Corrupt(name, what string, next problems.Option) *problems.Problem {
	return problems.New(problems.CodeVaultCorrupt, d.File(name)+" cannot be used: "+what+". The file was not changed.", next)
}

// RemoveCommand is the command with which a person removes a file.
func (d Dir) RemoveCommand(name string) string {
	if d.Shared != nil {
		return d.Shared.command(removal(name))
	}
	return "rm " + phrase.ShellWord(d.File(name))
}

// PreviousHint says how the previous version of a file is put back, without other
// files that would refuse it, and what the last change was that it lacks. Without
// a previous version it says otherwise.
func (d Dir) PreviousHint(name, lastChange, otherwise string, without ...string) problems.Option {
	if seen, err := d.Stat(name + PreviousMark); err != nil || seen.Missing() {
		return problems.WithHint("There is no previous version beside it; %s", otherwise)
	}
	path := d.File(name)
	command := "cp " + phrase.ShellWord(path+PreviousMark) + " " + phrase.ShellWord(path)
	if d.Shared != nil {
		command = d.Shared.command(removal(append(without, name)...) + fmt.Sprintf("; UPDATE files SET name = '%s' WHERE name = '%[1]s%s'", name, PreviousMark))
	} else {
		for _, name := range without {
			command += " && rm -f " + phrase.ShellWord(d.File(name))
		}
	}
	return problems.WithCommand("Restore the previous version, which lacks the last change: "+lastChange+".", "%s", command)
}
