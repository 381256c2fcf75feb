package app

import (
	"os"

	"mcp-partner/internal/database"
	"mcp-partner/internal/disk"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/sharedfiles"
	"mcp-partner/internal/untrusted"
	"mcp-partner/ledger"
	"mcp-partner/tenants"
)

// maxDatabaseURL bounds the file with the URL, in bytes.
const maxDatabaseURL = 4 << 10

// sharedDatabase is the database of all servers, and the files that are in it.
type sharedDatabase struct {
	server *database.Server
	files  *sharedfiles.Files
}

// database is nil where everything is in the state directory.
func (s *Settings) database() (*sharedDatabase, error) {
	if s.DatabaseURLFile == "" || s.shared != nil {
		return s.shared, nil
	}
	text, err := disk.ReadTrusted(s.DatabaseURLFile, disk.Secret, maxDatabaseURL)
	if err != nil {
		return nil, exit.FileError("--database-url-file", s.DatabaseURLFile, "give a file that you can read", err)
	}
	server, err := database.ParseURL(string(text))
	if err != nil {
		return nil, exit.Usage("correct the file", "the URL in %s %s", s.DatabaseURLFile, err)
	}
	s.shared = &sharedDatabase{server, sharedfiles.New(server, ledger.Migrations())}
	return s.shared, nil
}

// Files is where vault and directory are kept: the database where there is one, else
// the state directory.
func (s *Settings) Files() (disk.Dir, error) {
	where := s.Disk()
	shared, err := s.database()
	if err != nil {
		return where, err
	}
	if err := s.checkMoved(where, shared != nil); err != nil || shared == nil {
		return where, err
	}
	where.Shared = &disk.Shared{Files: shared.files, Place: shared.files.Place(), URLFile: s.DatabaseURLFile}
	return where, nil
}

// MovedMark is a file in a state directory whose files are in the database. It
// names the database.
const MovedMark = "moved-to-database"

// ownFiles are files that a state directory has while it is in use.
var ownFiles = []string{"vault.age", tenants.DirectoryFile}

// checkMoved refuses a state directory that is not where changes belong: they
// would be seen by nobody else.
func (s *Settings) checkMoved(where disk.Dir, shared bool) error {
	_, err := os.Lstat(where.File(MovedMark))
	moved := err == nil && !s.migrating
	if moved && !shared {
		place, _ := os.ReadFile(where.File(MovedMark)) // one that cannot be read counts too
		return exit.Refused("give --database-url-file FILE, or go back: mcp-partner migrate --back --database-url-file FILE",
			"the files of %s were moved and are %s", where.Path, untrusted.Sanitize(string(place)))
	}
	if moved || !shared {
		return nil
	}
	for _, name := range ownFiles {
		if _, err := os.Lstat(where.File(name)); err == nil {
			return &exit.Error{Code: exit.CodeRefused, Message: where.File(name) + " is not in the database",
				Next: "move it there, or move it away if it is of no use any more", Command: "mcp-partner migrate --to-database"}
		}
	}
	return nil
}
