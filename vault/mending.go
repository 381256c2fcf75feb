package vault

import "mcp-partner/schemas"

// corrupt says that a file is not what it should be and what brings it back
// into use. Whoever follows that has to succeed, so it names every file that is
// involved: an older vault is refused for as long as vault.generation remembers
// the newer one.
func corrupt(d disk, name, what string) *schemas.Problem {
	const restore = "restore it from a backup."
	switch name {
	case markName:
		return d.corrupt(name, what, "A person runs: rm "+shellWord(d.path(name))+" (if the vault itself is the newest; the file is made anew)")
	case vaultName:
		return d.corrupt(name, what, d.previousHint(name, removeMark(d), "a secret that was stored last has to be given again", fromBackup(d)))
	}
	return d.corrupt(name, what, d.previousHint(name, "", "what was added last is missing", restore))
}

// removeMark goes on from putting an older vault in its place.
func removeMark(d disk) string { return " && rm -f " + shellWord(d.path(markName)) }

func fromBackup(d disk) string {
	return "a person restores it from a backup and runs: rm -f " + shellWord(d.path(markName)) +
		" (without a backup: move it away, make a new vault with mcp-partner vault init, and give each secret again)"
}
