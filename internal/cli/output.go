package cli

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// printLine writes a value as JSON on one line, on a terminal too: it is read
// by programs.
func (f *Factory) printLine(value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	_, err = f.IO.Out.Write(append(text, '\n'))
	return err
}

// writeOutput writes a file that only its owner can read. It replaces a file
// only when forced, and never goes through a symbolic link.
func writeOutput(path string, data []byte, force bool) error {
	info, err := os.Lstat(path)
	switch {
	case err == nil && !info.Mode().IsRegular():
		return refused("give the path of a file that is not there yet", "%s is a symbolic link or no file, and is not written to", path)
	case err == nil && !force:
		return refused("give --force to replace it, or another file", "%s is there already", path)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return unwritable(path)
	}
	if force {
		return replace(path, data)
	}
	return create(path, data)
}

// create makes a new file; the exclusive flag also refuses a link that came
// after the look.
func create(path string, data []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return unwritable(path)
	}
	return fill(file, data)
}

// replace puts a new file in the place of a name, whatever the name has become
// since it was looked at.
func replace(path string, data []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // with mode 0600
	if err != nil {
		return unwritable(path)
	}
	if err := fill(file, data); err != nil {
		return unwritable(path)
	}
	if os.Rename(file.Name(), path) != nil {
		_ = os.Remove(file.Name())
		return unwritable(path)
	}
	return nil
}

// fill writes and closes a file, or removes it.
func fill(file *os.File, data []byte) error {
	_, err := file.Write(data)
	if errors.Join(err, file.Sync(), file.Close()) == nil {
		return nil
	}
	_ = os.Remove(file.Name())
	return unwritable(file.Name())
}

func unwritable(path string) error {
	return failed("check that the folder exists and is writable, and that the disk has room", "%s cannot be written", path)
}
