package vault

import (
	"os"
	"strings"
)

// mending says what brings a damaged file back into use. Whoever follows it has
// to succeed, so it names every file that is involved: an older vault is
// refused for as long as vault.generation remembers the newer one.
func (d disk) mending(name string) string {
	path := d.path(name)
	if name == markName {
		return "A person runs: rm " + shellWord(path) + " (if the vault itself is the newest; the file is made anew)"
	}
	if _, err := os.Lstat(path + previousMark); err != nil {
		return "There is no previous version beside it; " + d.fromBackup(name)
	}
	return "A person runs: " + d.backToPrevious(name) + " (the previous version, which lacks the last change: " + lastChange(name) + ")"
}

// backToPrevious is the command that puts the previous version of a file back.
func (d disk) backToPrevious(name string) string {
	path := d.path(name)
	command := "cp " + shellWord(path+previousMark) + " " + shellWord(path)
	if name == vaultName {
		command += " && rm -f " + shellWord(d.path(markName))
	}
	return command
}

func (d disk) fromBackup(name string) string {
	if name != vaultName {
		return "restore it from a backup."
	}
	return "a person restores it from a backup and runs: rm -f " + shellWord(d.path(markName)) +
		" (without a backup: move it away, make a new vault with mcp-partner vault init, and give each secret again)"
}

func lastChange(name string) string {
	switch name {
	case vaultName:
		return "a secret that was stored last has to be given again"
	case directoryName:
		return "what was changed last has to be changed again"
	}
	return "what was added last is missing"
}

// shellWord quotes a path for a POSIX shell if it needs it: the default state
// directory of macOS has a space in it.
func shellWord(path string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:@%+=,~", r)
	}
	if strings.IndexFunc(path, func(r rune) bool { return !plain(r) }) < 0 {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
