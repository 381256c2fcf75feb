package tenants

import (
	"context"
	"encoding/json"
	"time"

	"mcp-partner/internal/disk"
	"mcp-partner/schemas/problems"
)

const (
	archiveName    = "archive.json"
	archiveVersion = 1
)

// ArchivedEntry is an entry that was removed.
type ArchivedEntry struct {
	Entry     Entry
	RemovedAt time.Time
	Reason    string
}

type archiveFile struct {
	Version int              `json:"version"`
	Clouds  map[string]Cloud `json:"clouds,omitempty"`
	Entries []archiveRecord  `json:"entries"`
}

type archiveRecord struct {
	entryRecord
	RemovedAt time.Time `json:"removed_at"`
	Reason    string    `json:"reason,omitempty"`
}

// Archived returns the entries that were removed, oldest first. A directory in
// memory has none.
func (d *Directory) Archived() ([]ArchivedEntry, error) {
	if d.disk == nil {
		return nil, nil
	}
	data, seen, err := d.disk.Read(archiveName)
	if err != nil || seen.Missing() {
		return nil, err
	}
	archived, err := decodeArchive(data)
	if err != nil {
		return nil, corruptFile(*d.disk, archiveName, problems.Clause(err), "the last addition is missing")
	}
	return archived, nil
}

func decodeArchive(data []byte) ([]ArchivedEntry, error) {
	var file archiveFile
	if err := disk.DecodeVersioned(data, archiveVersion, &file, &file.Version); err != nil {
		return nil, err
	}
	archived := make([]ArchivedEntry, 0, len(file.Entries))
	for _, record := range file.Entries {
		entry, err := record.entry(file.Clouds)
		if err != nil {
			return nil, err
		}
		archived = append(archived, ArchivedEntry{entry, record.RemovedAt, record.Reason})
	}
	return archived, nil
}

// archive appends an entry; the caller holds the directory's lock. An archive
// that cannot be read is not overwritten, and so the removal fails.
func (d *Directory) archive(entry ArchivedEntry) error {
	if d.disk == nil {
		return nil
	}
	archived, err := d.Archived()
	if err != nil {
		return err
	}
	table := cloudTable{map[string]Cloud{}, map[Cloud]string{}}
	file := archiveFile{Version: archiveVersion}
	for _, a := range append(archived, entry) {
		file.Entries = append(file.Entries, archiveRecord{entryRecord{a.Entry, table.key(a.Entry.Cloud)}, a.RemovedAt, a.Reason})
	}
	file.Clouds = table.clouds
	data, err := disk.EncodeJSON(file)
	if err != nil {
		return err
	}
	return d.disk.Replace(archiveName, data)
}

// Files are the directory and its archive as a backup carries them: bytes that
// are put back as they were.
type Files struct{ Dir disk.Dir }

// Export returns the directory and its archive as JSON, each nil where there is
// none.
func (f Files) Export() (directory, archive []byte, err error) {
	if directory, err = f.export(DirectoryFile); err != nil {
		return nil, nil, err
	}
	if pins, err := f.Dir.Stat(pinsFile); err != nil || !pins.Missing() {
		have, err := newDirectory(&f.Dir).load()
		if err == nil {
			directory, err = encodeDirectory(have.snapshot)
		}
		if err != nil {
			return nil, nil, err
		}
	}
	archive, err = f.export(archiveName)
	return directory, archive, err
}

func (f Files) export(name string) ([]byte, error) {
	data, seen, err := f.Dir.Read(name)
	if err != nil {
		return nil, err
	}
	if !seen.Missing() && !json.Valid(data) {
		return nil, corruptFile(f.Dir, name, "it is not JSON", "the last change must be repeated")
	}
	return data, nil
}

// Import puts both where there is no directory yet and reports whether it did.
// It returns a CodeVaultCorrupt problem for a directory that cannot be read.
func (f Files) Import(ctx context.Context, directory, archive []byte) (bool, error) {
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
	if archive != nil {
		if err := f.Dir.Write(archiveName, archive); err != nil {
			return false, err
		}
	}
	return true, f.Dir.Write(DirectoryFile, directory)
}
