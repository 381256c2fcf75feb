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
type keyProvider interface {
	// read returns nil where there is nothing.
	read(ctx context.Context) ([]byte, error)
	write(ctx context.Context, text []byte) error
	// place names it in a message, as in "the key file X".
	place() string
	// missingKey says that the vault is there and its key is not.
	missingKey() error
	// describe says what the place protects against.
	describe(vaultPath string) string
}

// fileProvider is vault.key on this disk, beside the vault unless that is apart.
type fileProvider struct {
	disk  disk.Dir
	apart bool
}

func (p fileProvider) read(context.Context) ([]byte, error) {
	text, _, err := p.disk.Read(keyName)
	return text, err
}

func (p fileProvider) write(_ context.Context, text []byte) error {
	if err := p.disk.Prepare(); err != nil {
		return err
	}
	return p.disk.Write(keyName, text)
}

func (p fileProvider) place() string { return p.disk.File(keyName) }

func (p fileProvider) missingKey() error {
	return problems.New(problems.CodeVaultMissing,
		"The vault exists, but its key file "+p.disk.File(keyName)+" is not.",
		problems.WithCommand("Restore the key file, or start with --identity-file FILE if it is kept elsewhere.", "cp BACKUP/%s %[2]s && chmod 600 %[2]s",
			keyName, phrase.ShellWord(p.disk.File(keyName))))
}

func (p fileProvider) describe(vaultPath string) string {
	if p.apart {
		return "The vault " + vaultPath + " is encrypted with the key file " + p.disk.File(keyName) + " of this machine." +
			" Other machines open it with a copy of that file, which they name with --identity-file."
	}
	return "The vault " + vaultPath + " is encrypted with the key file " + p.disk.File(keyName) + " beside it." +
		" That protects copies of the vault without the key file, but not copies of the whole state directory: leave the key file out of backups."
}

// keychainProvider is an item in the keychain of the system.
type keychainProvider struct {
	keychain keychain.Keychain
	disk     disk.Dir
}

func (p keychainProvider) read(ctx context.Context) ([]byte, error) { return p.keychain.Read(ctx) }

func (p keychainProvider) write(ctx context.Context, text []byte) error {
	return p.keychain.Write(ctx, text)
}

func (p keychainProvider) place() string { return "the item " + p.keychain.ID + " of the keychain" }

func (p keychainProvider) missingKey() error {
	return problems.New(problems.CodeVaultMissing,
		"The vault "+p.disk.File(vaultName)+" is there, and the keychain of this user has no key for it (item mcp-partner, account "+p.keychain.ID+").",
		problems.WithCommand("Sign in as the user who created it. If the keychain is lost, move the vault away, create a new one and restore a backup.", "mcp-partner vault restore FILE"))
}

func (p keychainProvider) describe(vaultPath string) string {
	return "The vault " + vaultPath + " is encrypted with a key in the keychain of this system." +
		" That protects every copy of the state directory, and the disk while nobody is signed in."
}

// remoteProvider is an item of a backend that is elsewhere.
type remoteProvider struct {
	backend backend.Backend
	name    string
	disk    disk.Dir
}

func (p remoteProvider) read(ctx context.Context) ([]byte, error) {
	item, err := p.backend.Get(ctx, p.name)
	return item.Value, err
}

func (p remoteProvider) write(ctx context.Context, text []byte) error {
	now, err := p.backend.Get(ctx, p.name)
	if err != nil {
		return err
	}
	return p.backend.Put(ctx, p.name, text, now.Version)
}

func (p remoteProvider) place() string { return "the item " + p.name + " of the backend" }

func (p remoteProvider) missingKey() error {
	return problems.New(problems.CodeVaultMissing,
		"The file "+p.disk.File(vaultName)+" with the program's own keys is there, and the backend has no item "+p.name+", which opens it.",
		problems.WithCommand("Restore that item in the backend. If it is lost, move vault.age away, make a vault with the same settings and restore a backup.", "mcp-partner vault restore FILE"))
}

func (p remoteProvider) describe(string) string {
	return p.backend.Describe() + " The program's own keys are in " + p.disk.File(vaultName) + ", which opens with the item " + p.name + " of that backend."
}

func providedKey(ctx context.Context, p keyProvider) (*key, error) {
	text, err := p.read(ctx)
	if err != nil {
		return nil, err
	}
	if text == nil {
		return nil, p.missingKey()
	}
	defer clear(text)
	return parseIdentities(text, p.place())
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
