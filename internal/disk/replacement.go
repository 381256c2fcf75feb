package disk

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Replace puts what write writes in the place of the file at a path, which need
// not exist, by way of a temporary one in the same directory whose name begins with
// prefix. Whenever it is interrupted, the path names the old file or the new one,
// whole. What fails, write among it, leaves the old one and removes the new one.
func Replace(path, prefix string, mode fs.FileMode, write func(io.Writer) error) error {
	return replace(path, prefix, mode, write, func(string) error { return nil })
}

// replace stops at a step that fails and leaves everything as it is, as a crash
// would.
func replace(path, prefix string, mode fs.FileMode, write func(io.Writer) error, step func(string) error) error {
	if err := step("create"); err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), prefix) // with mode 0600
	if err != nil {
		return err
	}
	defer file.Close()
	for _, next := range []struct {
		step string
		do   func() error
	}{
		{"write", func() error { return write(file) }},
		{"sync", func() error { return errors.Join(file.Chmod(mode), file.Sync(), file.Close()) }},
		{"rename", func() error { return os.Rename(file.Name(), path) }},
	} {
		if err := step(next.step); err != nil {
			return err
		}
		if err := next.do(); err != nil {
			_ = file.Close() // an open file cannot be removed everywhere
			_ = os.Remove(file.Name())
			return err
		}
	}
	if err := step("sync folder"); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// Whole writes data.
func Whole(data []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	}
}
