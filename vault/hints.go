package vault

import (
	"mcp-partner/internal/disk"
	"mcp-partner/internal/phrase"
	"mcp-partner/schemas"
)

// corrupt says that a file is not what it should be and what brings it back
// into use. Whoever follows that has to succeed, so it names every file that is
// involved: an older vault is refused for as long as vault.generation remembers
// the newer one.
func corrupt(d disk.Dir, name, what string) *schemas.Problem {
	switch name {
	case markName:
		return d.Corrupt(name, what, schemas.WithCommand("If the vault itself is the newest, remove the file; it is written again.", "rm %s", phrase.ShellWord(d.File(name))))
	case vaultName:
		return d.Corrupt(name, what, d.PreviousHint(name, " && rm -f "+phrase.ShellWord(d.File(markName)), "a secret that was stored last must be stored again",
			"restore it from a backup and remove "+d.File(markName)+
				" (without a backup: move it away, create a new vault with mcp-partner vault init, and store each secret again)"))
	}
	return d.Corrupt(name, what, d.PreviousHint(name, "", "the last addition is missing", "restore it from a backup."))
}
