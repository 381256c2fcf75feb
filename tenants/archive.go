package tenants

import (
	"time"

	"mcp-partner/internal/disk"
	"mcp-partner/schemas"
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
		return nil, corruptFile(*d.disk, archiveName, schemas.Clause(err), "the last addition is missing")
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
	table := newCloudTable()
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
