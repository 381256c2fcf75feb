//go:build unix

package ledger

import "io/fs"

// exposed reports whether anyone but the owner can read or write a file.
func exposed(info fs.FileInfo) bool { return info.Mode().Perm()&0o077 != 0 }
