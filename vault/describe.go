package vault

// NeedsPerson reports whether the vault opens with a passphrase that somebody
// has to type, as no server can.
func (v *Vault) NeedsPerson() bool {
	if v.keys.source.hasFile() {
		return false
	}
	sealedFile, seen, err := v.keys.disk.Read(vaultName)
	return err == nil && !seen.Missing() && wantsPassphrase(sealedFile)
}

// KeyDescription implements Store. It looks at what is there without opening
// the vault or asking for a passphrase.
func (f *FileStore) KeyDescription() string {
	vaultPath := f.disk.File(vaultName)
	const running = " It does not protect against programs of your account or administrators of this machine while the program runs."
	switch {
	case f.source.IdentityFile != "":
		return "The vault " + vaultPath + " is encrypted for the age identity in " + f.source.IdentityFile +
			". That protects copies of the vault without that file (a backup, a lost disk)." + running
	case f.source.PassphraseFile != "":
		return "The vault " + vaultPath + " is encrypted with the passphrase in " + f.source.PassphraseFile +
			". That protects copies of the vault without that file, as long as the passphrase cannot be guessed." + running
	}
	sealedFile, seen, err := f.disk.Read(vaultName)
	switch {
	case err != nil:
		return "The vault " + vaultPath + " cannot be read, so its protection is unknown."
	case seen.Missing():
		return "There is no vault at " + vaultPath + " yet."
	case wantsPassphrase(sealedFile):
		return "The vault " + vaultPath + " is encrypted with a passphrase that you type on the terminal and that stays in memory." +
			" That protects it on disk and in every copy, as long as the passphrase cannot be guessed." + running
	}
	return f.provider.protects + running
}
