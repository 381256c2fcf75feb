package vault

import (
	"context"
	"fmt"

	"filippo.io/age"

	"mcp-partner/schemas"
)

// InitOptions says how a new vault is protected. The zero value makes a key
// file beside the vault.
type InitOptions struct {
	// Key with an identity file or a passphrase file uses that.
	Key KeySource
	// AskPassphrase asks at the terminal for a passphrase, twice.
	AskPassphrase bool
}

// Init makes an empty vault in a state directory, which is made too if need be.
// It never replaces a vault: then it returns a CodeInvalidArgument problem. A
// key file that lies there without a vault is used.
func Init(ctx context.Context, stateDir string, options InitOptions) error {
	if err := options.Key.check(); err != nil {
		return err
	}
	return initVault(ctx, newFileStore(newDisk(stateDir), options.Key), options)
}

func initVault(ctx context.Context, f *FileStore, options InitOptions) error {
	unlock, err := f.disk.lock(ctx, vaultLock)
	if err != nil {
		return err
	}
	defer unlock()
	seen, err := f.disk.stat(vaultName)
	if err != nil {
		return err
	}
	if seen.info != nil {
		return schemas.NewProblem(schemas.CodeInvalidArgument, "There is a vault already: "+f.disk.path(vaultName)+".",
			schemas.WithHint("Use it, or give another --state-dir. To start over, move it away yourself."))
	}
	k, err := f.newKey(ctx, options)
	if err != nil {
		return err
	}
	// A vault that was moved away may have left its mark.
	highest, err := f.highestGeneration()
	if err != nil {
		return err
	}
	return f.save(&payload{generation: highest + 1, secrets: map[string]storedSecret{}}, k)
}

func (f *FileStore) newKey(ctx context.Context, options InitOptions) (*key, error) {
	switch {
	case options.AskPassphrase && (options.Key.IdentityFile != "" || options.Key.PassphraseFile != ""):
		return nil, invalid("A passphrase is to be asked for and a key file was given: choose one.")
	case options.AskPassphrase:
		return f.askNewPassphrase(ctx, options.Key.prompter())
	case options.Key.IdentityFile != "":
		return identityKey(options.Key.IdentityFile)
	case options.Key.PassphraseFile != "":
		return f.newPassphraseFileKey(options.Key.PassphraseFile)
	}
	return f.newKeyFile()
}

func (f *FileStore) newPassphraseFileKey(path string) (*key, error) {
	text, err := readKeyFile(path, "passphrase file")
	if err != nil {
		return nil, err
	}
	defer clear(text)
	if err := checkPassphrase(trimNewline(text)); err != nil {
		return nil, err
	}
	return passphraseKey(trimNewline(text), "the passphrase in "+path, f.cost)
}

func (f *FileStore) askNewPassphrase(ctx context.Context, ask Prompter) (*key, error) {
	first, err := ask.Passphrase(ctx, "New passphrase of the vault: ")
	if err != nil {
		return nil, err
	}
	defer clear(first)
	if err := checkPassphrase(first); err != nil {
		return nil, err
	}
	second, err := ask.Passphrase(ctx, "The same once more: ")
	if err != nil {
		return nil, err
	}
	defer clear(second)
	if !seal(first).Equal(seal(second)) {
		return nil, invalid("The two passphrases differ; no vault was made.")
	}
	return passphraseKey(first, "the passphrase", f.cost)
}

func checkPassphrase(passphrase []byte) error {
	if len(passphrase) < minPassphraseBytes {
		return invalid("The passphrase is shorter than %d bytes; no vault was made.", minPassphraseBytes)
	}
	return nil
}

// newKeyFile makes vault.key, or takes the one that an interrupted Init left.
func (f *FileStore) newKeyFile() (*key, error) {
	seen, err := f.disk.stat(keyName)
	if err != nil {
		return nil, err
	}
	if seen.info != nil {
		return besideKey(f.disk)
	}
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, schemas.NewProblem(schemas.CodeInternal, "No key could be generated; no vault was made.")
	}
	text := fmt.Appendf(nil, "# The key of %s. Whoever has both files can read the secrets.\n# public key: %s\n%s\n",
		vaultName, identity.Recipient(), identity)
	defer clear(text)
	if err := f.disk.write(keyName, text); err != nil {
		return nil, err
	}
	return besideKey(f.disk)
}
