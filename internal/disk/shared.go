package disk

import (
	"context"
	"fmt"
	"strings"

	"mcp-partner/internal/phrase"
)

// Files keeps the files of a state directory for several machines. Its errors are
// problems.
type Files interface {
	// Versions returns the version of every file, not older than the call.
	Versions() (map[string]Version, error)
	// Read returns what a file holds from an offset on; nil if there is none.
	Read(name string, offset int64) ([]byte, Version, error)
	// Write puts data behind the first bytes of a file, whole or not at all. It and
	// Remove fail if a lock that this process took was lost meanwhile.
	Write(name string, at int64, data []byte) error
	// Remove removes a file, which need not be there.
	Remove(name string) error
	// Lock keeps other writers out, until the returned function is called. Who holds a
	// lock takes no other one.
	Lock(ctx context.Context, name string) (func(), error)
}

// Version is one version of a shared file. What is appended changes its size alone.
type Version struct {
	ID   string
	Size int64
}

// Shared is where shared files are.
type Shared struct {
	Files
	// Place follows the name of a file in messages. URLFile is the file with the
	// URL, for commands.
	Place, URLFile string
}

func (s *Shared) stats(names []string, stamps []Stamp) error {
	versions, err := s.Versions()
	for i, name := range names {
		stamps[i].shared = versions[name]
	}
	return err
}

// command is how a person changes files, as the owner of the tables.
func (s *Shared) command(sql string) string {
	return fmt.Sprintf(`psql "$(cat %s)" -c "%s"`, phrase.ShellWord(s.URLFile), sql)
}

func removal(names ...string) string {
	return "DELETE FROM files WHERE name IN ('" + strings.Join(names, "', '") + "')"
}
