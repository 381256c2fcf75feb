package vault

import (
	"cmp"
	"context"
	"encoding/hex"

	"mcp-partner/internal/disk"
	"mcp-partner/internal/sealed"
	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas/problems"
)

// InitOptions says how a new vault is protected. The zero value makes a key
// file beside the vault.
type InitOptions struct {
	// Key names the key, if it is not one that the vault makes.
	Key KeySource
	// Settings choose the backend; the zero value is BackendFile. The ID is made
	// here.
	Settings Settings
	// OwnKeys are the names and sizes of the program's own keys.
	OwnKeys map[string]int
}

// Init makes an empty vault in a state directory, which is made too if need be.
// It never replaces a vault: then it returns a CodeInvalidArgument problem. A
// key file that lies there without a vault is used.
func Init(ctx context.Context, d disk.Dir, options InitOptions) error {
	if err := options.Key.check(); err != nil {
		return err
	}
	if options.Settings.Backend == "" || options.Settings.Backend == BackendFile {
		return initVault(ctx, newFileStore(d, options.Key), options)
	}
	if options.Key.Ask || options.Key.hasFile() {
		return problems.InvalidArgument("The key of a vault with the backend %s is in that backend: give no passphrase and no identity.", untrusted.Sanitize(string(options.Settings.Backend)))
	}
	options.Settings.ID = knownID(d, options.Settings.Backend)
	var err error
	if options.Settings, err = options.Settings.normal(); err != nil {
		return err
	}
	v, err := assemble(d, options.Settings, options.Key, nil)
	if err != nil {
		return err
	}
	defer v.Close()
	return initVault(ctx, v.keys, options)
}

func initVault(ctx context.Context, f *FileStore, options InitOptions) error {
	unlock, err := f.disk.Lock(ctx, vaultLock)
	if err != nil {
		return err
	}
	defer unlock()
	seen, err := f.disk.Stat(vaultName)
	if err != nil {
		return err
	}
	if !seen.Missing() {
		return problems.New(problems.CodeInvalidArgument, "The vault exists already: "+f.disk.File(vaultName)+".",
			problems.WithHint("Use it, or give another --state-dir. To start over, move it away yourself."))
	}
	if err := f.choose(options.Settings); err != nil {
		return err
	}
	k, err := options.Key.fresh(ctx, "vault", f.cost)
	if k == nil && err == nil {
		k, err = f.newProvidedKey(ctx)
	}
	if err != nil {
		return err
	}
	// A vault that was moved away may have left its mark.
	highest, err := f.highestGeneration()
	if err != nil {
		return err
	}
	content := &payload{generation: highest + 1, secrets: map[string]Stored{}}
	counter := randomBytes(counterKeySize)
	content.addUnused(counterKey, counter)
	for name, size := range options.OwnKeys {
		content.addUnused(internalPrefix+name, randomBytes(size))
	}
	if err := f.disk.Write(counterName, encodeCounter(counter, 0)); err != nil {
		return err
	}
	return f.save(content, k)
}

// addUnused adds a key on which nothing depends yet: it has no time.
func (p *payload) addUnused(name string, key []byte) {
	p.secrets[name] = Stored{Name: name, Secret: sealed.Seal(key)}
}

// knownID is the ID that an interrupted Init has written down for a backend, or
// a new one, which tells this state directory from others.
func knownID(d disk.Dir, b Backend) string {
	if before, err := readSettings(d); err == nil && before.Backend == b && before.ID != "" {
		return before.ID
	}
	return hex.EncodeToString(randomBytes(idBytes))
}

// choose writes the choice down before anything is made in the backend. Until
// there is a vault, another choice can still take its place.
func (f *FileStore) choose(settings Settings) error {
	settings.Backend = cmp.Or(settings.Backend, BackendFile)
	seen, err := f.disk.Stat(settingsName)
	if err != nil || settings.Backend == BackendFile && seen.Missing() {
		return err
	}
	return writeSettings(f.disk, settings)
}

func (f *FileStore) newProvidedKey(ctx context.Context) (*key, error) {
	text, err := f.provider.read(ctx)
	if err != nil {
		return nil, err
	}
	if text == nil {
		identity, err := newIdentity()
		if err != nil {
			return nil, err
		}
		if err := f.provide(ctx, keyText(identity.String())); err != nil {
			return nil, err
		}
	}
	clear(text)
	return providedKey(ctx, f.provider)
}
