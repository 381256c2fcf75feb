//go:build !unix

package disk

import "io/fs"

// Mode bits say nothing about access on this system: access follows from the
// user's profile folder.
func exposed(fs.FileInfo) bool { return false }

// A folder cannot be synced on this system.
func syncFolder(string) error { return nil }

// escapeGlob changes nothing where the backslash separates folders.
func escapeGlob(path string) string { return path }
