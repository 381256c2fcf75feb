package vault

import (
	"context"
	"fmt"

	"filippo.io/age"

	"mcp-partner/internal/disk"
	"mcp-partner/internal/phrase"
	"mcp-partner/schemas/problems"
	"mcp-partner/vault/internal/backend"
	"mcp-partner/vault/internal/keychain"
)

// keyProvider keeps the age identities that open vault.age, as text: the newest
// first, and during a change of the key the one before it.
type keyProvider struct {
	// read returns nil where there is nothing.
	read  func(context.Context) ([]byte, error)
	write func(ctx context.Context, text []byte) error
	// place names it in a message, as in "the key file X".
	place string
	// missing says that the vault is there and its key is not, and next what to do.
	missing string
	next    problems.Option
	// protects says what the place protects against.
	protects string
}

// fileProvider is vault.key on this disk, beside the vault unless that is apart.
func fileProvider(d disk.Dir) keyProvider {
	local, file := d.Local(), d.Local().File(keyName)
	p := keyProvider{
		read: func(context.Context) ([]byte, error) {
			text, _, err := local.Read(keyName)
			return text, err
		},
		write: func(_ context.Context, text []byte) error {
			if err := local.Prepare(); err != nil {
				return err
			}
			return local.Write(keyName, text)
		},
		place:   file,
		missing: "The vault exists, but its key file " + file + " is not.",
		next: problems.WithCommand("Restore the key file, or start with --identity-file FILE if it is kept elsewhere.", "cp BACKUP/%s %[2]s && chmod 600 %[2]s",
			keyName, phrase.ShellWord(file)),
		protects: "The vault " + d.File(vaultName) + " is encrypted with the key file " + file + " beside it." +
			" That protects copies of the vault without the key file, but not copies of the whole state directory: leave the key file out of backups.",
	}
	if d.Shared != nil {
		p.protects = "The vault " + d.File(vaultName) + " is encrypted with the key file " + file + " of this machine." +
			" Other machines open it with a copy of that file, which they name with --identity-file."
	}
	return p
}

// keychainProvider is an item in the keychain of the system.
func keychainProvider(k keychain.Keychain, d disk.Dir) keyProvider {
	return keyProvider{
		read: k.Read, write: k.Write, place: "the item " + k.ID + " of the keychain",
		missing: "The vault " + d.File(vaultName) + " is there, and the keychain of this user has no key for it (item mcp-partner, account " + k.ID + ").",
		next:    problems.WithCommand("Sign in as the user who created it. If the keychain is lost, move the vault away, create a new one and restore a backup.", "mcp-partner vault restore FILE"),
		protects: "The vault " + d.File(vaultName) + " is encrypted with a key in the keychain of this system." +
			" That protects every copy of the state directory, and the disk while nobody is signed in.",
	}
}

// remoteProvider is an item of a backend that is elsewhere.
func remoteProvider(b backend.Backend, name string, d disk.Dir) keyProvider {
	return keyProvider{
		read: func(ctx context.Context) ([]byte, error) {
			item, err := b.Get(ctx, name)
			return item.Value, err
		},
		write: func(ctx context.Context, text []byte) error {
			now, err := b.Get(ctx, name)
			if err != nil {
				return err
			}
			return b.Put(ctx, name, text, now.Version)
		},
		place:    "the item " + name + " of the backend",
		missing:  "The file " + d.File(vaultName) + " with the program's own keys is there, and the backend has no item " + name + ", which opens it.",
		next:     problems.WithCommand("Restore that item in the backend. If it is lost, move vault.age away, make a vault with the same settings and restore a backup.", "mcp-partner vault restore FILE"),
		protects: b.Describe() + " The program's own keys are in " + d.File(vaultName) + ", which opens with the item " + name + " of that backend.",
	}
}

func providedKey(ctx context.Context, p keyProvider) (*key, error) {
	text, err := p.read(ctx)
	if err != nil {
		return nil, err
	}
	if text == nil {
		return nil, problems.New(problems.CodeVaultMissing, p.missing, p.next)
	}
	defer clear(text)
	return parseIdentities(text, p.place)
}

func newIdentity() (*age.X25519Identity, error) {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, problems.New(problems.CodeInternal, "No key could be generated; nothing was changed.")
	}
	return identity, nil
}

// keyText is what a provider keeps. The comment is for people who find the file.
func keyText(identities ...string) []byte {
	text := []byte("# The key of " + vaultName + ". Both together open the secrets.\n")
	for _, identity := range identities {
		text = fmt.Appendf(text, "%s\n", identity)
	}
	return text
}

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
