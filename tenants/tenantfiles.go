package tenants

import (
	"context"
	"encoding/json"

	"mcp-partner/internal/disk"
	"mcp-partner/schemas"
)

// Files are the directory and its archive as a backup carries them: bytes that
// are put back as they were.
type Files struct{ Dir disk.Dir }

// FilesIn returns those of a state directory.
func FilesIn(where disk.Dir) Files { return Files{where} }

// Export returns the directory and its archive as JSON, each nil where there is
// none.
func (f Files) Export() (directory, archive []byte, err error) {
	if directory, err = f.export(DirectoryFile); err != nil {
		return nil, nil, err
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
		return false, schemas.NewProblem(schemas.CodeVaultCorrupt, "The backup cannot be used: its directory of tenants cannot be read: "+schemas.Clause(err)+".",
			schemas.WithHint("Nothing was changed. Check the key, or use another copy of the backup."))
	}
	if archive != nil {
		if err := f.Dir.Write(archiveName, archive); err != nil {
			return false, err
		}
	}
	return true, f.Dir.Write(DirectoryFile, directory)
}
