package clientfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"mcp-partner/internal/disk"
)

// maxFile bounds a configuration; Claude Code's also holds its history.
const maxFile = 64 << 20

// File is a client's configuration as it was read.
type File struct {
	// Path is the file's path with symbolic links resolved: people link to files
	// in folders of their own.
	Path string
	// Exists is false for one that is not there yet.
	Exists bool
	Text   []byte
	mode   fs.FileMode
}

// Open reads a configuration; a missing file is empty. The error says why it
// cannot be read and repeats no contents.
func Open(path string) (File, error) {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return File{Path: path, mode: 0o600}, nil
	case err != nil:
		return File{}, errors.New("its folder cannot be read")
	case info.Mode()&fs.ModeSymlink != 0:
		return File{}, errors.New("it is a broken symbolic link")
	case !info.Mode().IsRegular():
		return File{}, errors.New("it is not a regular file")
	case info.Size() > maxFile:
		return File{}, fmt.Errorf("it is larger than %d bytes", maxFile)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return File{}, errors.New("it cannot be read")
	}
	return File{Path: path, Exists: true, Text: text, mode: info.Mode().Perm()}, nil
}

// Shared makes a new file readable for others, as files of a project's folder
// are.
func (f File) Shared() File {
	if !f.Exists {
		f.mode = 0o644
	}
	return f
}

// Replace replaces the file atomically and keeps a backup. It returns the
// backup's path, or "" for a new file. A file that another program changed in the
// meantime is left alone.
func (f File) Replace(text []byte, now time.Time) (backup string, err error) {
	if err := os.MkdirAll(filepath.Dir(f.Path), 0o755); err != nil {
		return "", errors.New("its folder cannot be created")
	}
	if f.Exists {
		backup = f.Path + ".backup-" + now.UTC().Format("20060102T150405.000Z")
		if err := write(backup, f.Text, f.mode); err != nil {
			return "", fmt.Errorf("no backup can be written beside it: %w", err)
		}
	}
	if err := f.swap(text); err != nil {
		if backup != "" {
			err = errors.Join(err, os.Remove(backup))
		}
		return "", err
	}
	return backup, nil
}

func (f File) swap(text []byte) error {
	var own error
	err := disk.Replace(f.Path, filepath.Base(f.Path)+".new-", f.mode, func(w io.Writer) error {
		if _, err := w.Write(text); err != nil {
			return err
		}
		own = f.unchanged()
		return own
	})
	switch {
	case own != nil:
		return own
	case errors.Is(err, fs.ErrPermission):
		return errors.New("the folder cannot be written to")
	case err != nil:
		return errors.New("it cannot be replaced: the disk is full or cannot be written to")
	}
	return nil
}

// unchanged checks that the file is still what was read: a running client may
// write to it too.
func (f File) unchanged() error {
	now, err := os.Open(f.Path)
	if errors.Is(err, fs.ErrNotExist) && !f.Exists {
		return nil
	}
	if err != nil {
		return errors.New("it was moved or removed meanwhile; try again")
	}
	defer now.Close()
	text, err := io.ReadAll(io.LimitReader(now, maxFile+1))
	if err != nil || !f.Exists || !bytes.Equal(text, f.Text) {
		return errors.New("another program changed it meanwhile; try again")
	}
	return nil
}

// write creates a file and never replaces one.
func write(path string, text []byte, mode fs.FileMode) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists already; move it away", filepath.Base(path))
	}
	if err != nil {
		return errors.New("the folder cannot be written to")
	}
	_, err = file.Write(text)
	if errors.Join(err, file.Sync(), file.Close()) != nil {
		_ = os.Remove(path) // what is there is not whole
		return errors.New("the disk is full or cannot be written to")
	}
	return nil
}
