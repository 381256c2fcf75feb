package tenants

import (
	"context"
	"time"

	"mcp-partner/internal/disk"
	"mcp-partner/schemas/problems"
)

// ArchivedEntry is an entry that was removed.
type ArchivedEntry struct {
	Entry     Entry
	RemovedAt time.Time
	Reason    string
}

// Archived returns the entries that were removed, oldest first.
func (d *Directory) Archived() ([]ArchivedEntry, error) {
	s, err := d.snapshot()
	if err != nil {
		return nil, err
	}
	return s.archived, nil
}

// Files are the directory as a backup carries it.
type Files struct{ Dir disk.Dir }

// Export returns the directory with its pins as JSON, nil where there is none.
func (f Files) Export() ([]byte, error) {
	have, err := newDirectory(&f.Dir).load()
	if err != nil || have.stamp.Missing() {
		return nil, err
	}
	return encodeDirectory(have.snapshot)
}

// Import puts it where there is no directory yet and reports whether it did. It
// returns a CodeVaultCorrupt problem for a directory that cannot be read.
func (f Files) Import(ctx context.Context, directory []byte) (bool, error) {
	unlock, err := f.Dir.Lock(ctx, directoryLock)
	if err != nil {
		return false, err
	}
	defer unlock()
	seen, err := f.Dir.Stat(DirectoryFile)
	if err != nil || !seen.Missing() || directory == nil {
		return false, err
	}
	if _, err := decodeDirectory(directory); err != nil {
		return false, problems.New(problems.CodeVaultCorrupt, "The backup cannot be used: its directory of tenants cannot be read: "+problems.Clause(err)+".",
			problems.WithHint("Nothing was changed. Check the key, or use another copy of the backup."))
	}
	return true, f.Dir.Write(DirectoryFile, directory)
}
