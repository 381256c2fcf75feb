package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Replacement is a file on its way to the place of another one: whenever it is
// interrupted, the path names the old file or the new one, whole.
type Replacement struct {
	file *os.File
	path string
}

// Replace begins to replace the file at a path, which need not exist, by way of
// a temporary one in the same directory whose name begins with prefix. The
// caller commits or aborts.
func Replace(path, prefix string) (*Replacement, error) {
	file, err := os.CreateTemp(filepath.Dir(path), prefix) // with mode 0600
	if err != nil {
		return nil, err
	}
	return &Replacement{file, path}, nil
}

// Write implements io.Writer.
func (r *Replacement) Write(data []byte) (int, error) { return r.file.Write(data) }

// Commit gives the new file its mode and puts it in its place. What fails leaves
// the old one and removes the new one.
func (r *Replacement) Commit(mode fs.FileMode) error {
	if err := r.sync(mode); err != nil {
		return err
	}
	if err := r.rename(); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(r.path))
}

// Abort removes the new file; after Commit it does nothing.
func (r *Replacement) Abort() {
	if r.file.Close() == nil {
		_ = os.Remove(r.file.Name())
	}
}

// orRemove removes the new file if something failed.
func (r *Replacement) orRemove(err error) error {
	if err != nil {
		_ = os.Remove(r.file.Name())
	}
	return err
}

func (r *Replacement) fill(data []byte) error {
	_, err := r.file.Write(data)
	return r.orRemove(err)
}

// sync writes the file to the disk and closes it.
func (r *Replacement) sync(mode fs.FileMode) error {
	return r.orRemove(errors.Join(r.file.Chmod(mode), r.file.Sync(), r.file.Close()))
}

func (r *Replacement) rename() error { return r.orRemove(os.Rename(r.file.Name(), r.path)) }

// ReplaceFile puts data in the place of a file.
func ReplaceFile(path, prefix string, data []byte, mode fs.FileMode) error {
	r, err := Replace(path, prefix)
	if err != nil {
		return err
	}
	defer r.Abort()
	if _, err := r.Write(data); err != nil {
		return err
	}
	return r.Commit(mode)
}
