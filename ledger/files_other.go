//go:build !unix

package ledger

import "io/fs"

// Mode bits say nothing about access on this system: access follows from the
// user's profile folder.
func exposed(fs.FileInfo) bool { return false }

// timesTell: a file that is open may keep an older time until it is closed.
const timesTell = false
