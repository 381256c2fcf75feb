package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// printLine writes a value as JSON on one line, on a terminal too: it is read
// by programs.
func (s *Streams) printLine(value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	_, err = s.Out.Write(append(text, '\n'))
	return err
}

// writeOutput writes a file that only its owner can read. It replaces a file
// only when forced, and never goes through a symbolic link.
func writeOutput(path string, data []byte, force bool) error {
	return streamOutput(path, force, whole(data))
}

// content writes what belongs into a file.
type content func(io.Writer) error

func whole(data []byte) content {
	return func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	}
}

// streamOutput is writeOutput for what is too long to be held in memory. Where
// the content fails, its error is returned and the place is as it was.
func streamOutput(path string, force bool, c content) error {
	if err := checkOutput(path, force); err != nil {
		return err
	}
	if force {
		return replace(path, c)
	}
	return create(path, c)
}

// checkOutput refuses a place that cannot be written to. What takes long asks
// before it begins, so that its result has somewhere to go.
func checkOutput(path string, force bool) error {
	info, err := os.Lstat(path)
	switch {
	case err == nil && !info.Mode().IsRegular():
		return refused("give the path of a file that is not there yet", "%s is a symbolic link or no file, and is not written to", path)
	case err == nil && !force:
		return refused("give --force to replace it, or another file", "%s is there already", path)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return unwritable(path)
	}
	if folder, err := os.Stat(filepath.Dir(path)); err != nil || !folder.IsDir() {
		return unwritable(path)
	}
	return nil
}

// create makes a new file; the exclusive flag also refuses a link that came
// after the look.
func create(path string, c content) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return unwritable(path)
	}
	return fill(file, path, c)
}

// replace puts a new file in the place of a name, whatever the name has become
// since it was looked at.
func replace(path string, c content) error {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // with mode 0600
	if err != nil {
		return unwritable(path)
	}
	if err := fill(file, path, c); err != nil {
		return err
	}
	if os.Rename(file.Name(), path) != nil {
		_ = os.Remove(file.Name())
		return unwritable(path)
	}
	return nil
}

// fill writes and closes a file that is to be at a path, or removes it.
func fill(file *os.File, path string, c content) error {
	out := &outputFile{file: file}
	failure := c(out)
	closed := errors.Join(file.Sync(), file.Close())
	if failure == nil && out.err == nil && closed == nil {
		return nil
	}
	_ = os.Remove(file.Name())
	if failure != nil && out.err == nil {
		return failure
	}
	return unwritable(path)
}

// outputFile tells the errors of a file from those of what is written to it.
type outputFile struct {
	file *os.File
	err  error
}

func (w *outputFile) Write(data []byte) (n int, err error) {
	n, err = w.file.Write(data)
	w.err = cmp.Or(w.err, err)
	return n, err
}

func unwritable(path string) error {
	return failed("check that the folder exists and is writable, and that the disk has room", "%s cannot be written", path)
}
