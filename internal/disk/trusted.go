package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"mcp-partner/internal/phrase"
)

// Trust says what others must not be able to do with a file.
type Trust int

const (
	// Unchanged is for configuration, certificates and lists: nobody but the
	// owner and root may write it.
	Unchanged Trust = iota
	// Secret is for keys and passphrases: nobody else may read it either. A file
	// of root that the process's own group may read (0440, as container platforms
	// mount secrets) is accepted.
	Secret
)

// Untrusted says why a file is not used.
type Untrusted struct {
	// Path is the file or the directory above it that is at fault.
	Path string
	// What completes "PATH ...", such as "can be changed by other users".
	What string
	// Command fixes it, where one command does.
	Command string
}

// Error implements error. It holds no content of the file.
func (u *Untrusted) Error() string { return u.Path + " " + u.What }

// Next is the next step as a sentence.
func (u *Untrusted) Next() string {
	if u.Command == "" {
		return "Give a regular file that only this account and root can change."
	}
	return "Run: " + u.Command
}

func notTrusted(path, what, command string) *Untrusted {
	if command != "" {
		command += " " + phrase.ShellWord(path)
	}
	return &Untrusted{Path: path, What: what, Command: command}
}

// ReadTrusted reads a file of at most limit bytes after checking the file,
// every directory above it and every symbolic link on the way, as OpenSSH's
// StrictModes does: a user who can write one of them controls the content. An
// error is an *Untrusted or one of package os.
func ReadTrusted(path string, trust Trust, limit int64) ([]byte, error) {
	file, err := OpenTrusted(path, trust)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = notTrusted(path, fmt.Sprintf("is larger than %s", sizeText(limit)), "")
	}
	if err != nil {
		return nil, err
	}
	return data, nil
}

// OpenTrusted is ReadTrusted for a caller that reads by itself.
func OpenTrusted(path string, trust Trust) (*os.File, error) {
	checked, err := checkTrusted(path, trust)
	if err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if info, err := file.Stat(); err != nil || !os.SameFile(info, checked) {
		return nil, errors.Join(notTrusted(path, "was replaced while it was opened", ""), file.Close())
	}
	return file, nil
}

func checkRegular(path string, info fs.FileInfo) error {
	switch {
	case info.IsDir():
		return notTrusted(path, "is a directory, not a file", "")
	case !info.Mode().IsRegular():
		return notTrusted(path, "is not a regular file", "")
	}
	return nil
}

func sizeText(bytes int64) string {
	if bytes >= 1<<20 && bytes%(1<<20) == 0 {
		return fmt.Sprintf("%d MiB", bytes>>20)
	}
	return fmt.Sprintf("%d bytes", bytes)
}
