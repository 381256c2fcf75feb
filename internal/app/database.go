package app

import (
	"mcp-partner/internal/database"
	"mcp-partner/internal/disk"
	"mcp-partner/internal/exit"
)

// maxDatabaseURL bounds the file with the URL, in bytes.
const maxDatabaseURL = 4 << 10

// databaseServer is where the ledger is, or nil for a file in the state directory.
func (s *Settings) databaseServer() (*database.Server, error) {
	if s.DatabaseURLFile == "" {
		return nil, nil
	}
	text, err := disk.ReadTrusted(s.DatabaseURLFile, disk.Secret, maxDatabaseURL)
	if err != nil {
		return nil, exit.FileError("--database-url-file", s.DatabaseURLFile, "give a file that you can read", err)
	}
	server, err := database.ParseURL(string(text))
	if err != nil {
		return nil, exit.Usage("correct the file", "the URL in %s %s", s.DatabaseURLFile, err)
	}
	return server, nil
}
