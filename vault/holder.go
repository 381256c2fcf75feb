package vault

import (
	"context"
	"fmt"

	"filippo.io/age"

	"mcp-partner/internal/disk"
	"mcp-partner/schemas"
	"mcp-partner/vault/internal/backend"
	"mcp-partner/vault/internal/keychain"
)

// keyHolder keeps the age identities that open vault.age, as text: the newest
// first, and during a change of the key the one before it.
type keyHolder interface {
	// read returns nil where there is nothing.
	read(ctx context.Context) ([]byte, error)
	write(ctx context.Context, text []byte) error
	// what names the place in a message, as in "the key file X".
	what() string
	// missing says that the vault is there and its key is not.
	missing() error
	// describe says what the place protects against.
	describe(vaultPath string) string
}

// fileHolder is vault.key beside the vault.
type fileHolder struct{ disk disk.Dir }

func (h fileHolder) read(context.Context) ([]byte, error) {
	text, _, err := h.disk.Read(keyName)
	return text, err
}

func (h fileHolder) write(_ context.Context, text []byte) error { return h.disk.Write(keyName, text) }

func (h fileHolder) what() string { return h.disk.File(keyName) }

func (h fileHolder) missing() error {
	return schemas.NewProblem(schemas.CodeVaultMissing,
		"The vault is there and its key file "+h.disk.File(keyName)+" is not.",
		schemas.WithCommand("Put the key file back, or start with --identity-file FILE where it is kept elsewhere.", "cp BACKUP/%s %[2]s && chmod 600 %[2]s",
			keyName, disk.ShellWord(h.disk.File(keyName))))
}

func (h fileHolder) describe(vaultPath string) string {
	return "The vault " + vaultPath + " is encrypted with the key file " + h.disk.File(keyName) + " beside it." +
		" That protects a copy of the vault without the key file, and no copy of the whole state directory: leave the key file out of backups."
}

// keychainHolder is an item in the keychain of the system.
type keychainHolder struct {
	keychain keychain.Keychain
	disk     disk.Dir
}

func (h keychainHolder) read(ctx context.Context) ([]byte, error) { return h.keychain.Read(ctx) }

func (h keychainHolder) write(ctx context.Context, text []byte) error {
	return h.keychain.Write(ctx, text)
}

func (h keychainHolder) what() string { return "the item " + h.keychain.ID + " of the keychain" }

func (h keychainHolder) missing() error {
	return schemas.NewProblem(schemas.CodeVaultMissing,
		"The vault "+h.disk.File(vaultName)+" is there, and the keychain of this user has no key for it (item mcp-partner, account "+h.keychain.ID+").",
		schemas.WithCommand("Sign in as the user who made it. If the keychain is lost, move the vault away, make a new one and restore a backup.", "mcp-partner vault restore FILE"))
}

func (h keychainHolder) describe(vaultPath string) string {
	return "The vault " + vaultPath + " is encrypted with a key in the keychain of this system." +
		" That protects every copy of the state directory, and the disk while nobody is signed in."
}

// remoteHolder is an item of a backend that is elsewhere.
type remoteHolder struct {
	backend backend.Backend
	name    string
	disk    disk.Dir
}

func (h remoteHolder) read(ctx context.Context) ([]byte, error) {
	item, err := h.backend.Get(ctx, h.name)
	return item.Value, err
}

func (h remoteHolder) write(ctx context.Context, text []byte) error {
	now, err := h.backend.Get(ctx, h.name)
	if err != nil {
		return err
	}
	return h.backend.Put(ctx, h.name, text, now.Version)
}

func (h remoteHolder) what() string { return "the item " + h.name + " of the backend" }

func (h remoteHolder) missing() error {
	return schemas.NewProblem(schemas.CodeVaultMissing,
		"The file "+h.disk.File(vaultName)+" with the program's own keys is there, and the backend has no item "+h.name+", which opens it.",
		schemas.WithCommand("Restore that item in the backend. If it is lost, move vault.age away, make a vault with the same settings and restore a backup.", "mcp-partner vault restore FILE"))
}

func (h remoteHolder) describe(string) string {
	return h.backend.Describe() + " The program's own keys are in " + h.disk.File(vaultName) + ", which opens with the item " + h.name + " of that backend."
}

// held reads the key that the holder keeps.
func held(ctx context.Context, h keyHolder) (*key, error) {
	text, err := h.read(ctx)
	if err != nil {
		return nil, err
	}
	if text == nil {
		return nil, h.missing()
	}
	defer clear(text)
	return parseIdentities(text, h.what())
}

// newIdentity makes an age identity.
func newIdentity() (*age.X25519Identity, error) {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, schemas.NewProblem(schemas.CodeInternal, "No key could be generated; nothing was changed.")
	}
	return identity, nil
}

// keyText is what a holder keeps. The comment is for people who find the file.
func keyText(identities ...string) []byte {
	text := []byte("# The key of " + vaultName + ". Both together open the secrets.\n")
	for _, identity := range identities {
		text = fmt.Appendf(text, "%s\n", identity)
	}
	return text
}
