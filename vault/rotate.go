package vault

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"filippo.io/age"

	"mcp-partner/internal/disk"
	"mcp-partner/internal/sealed"
	"mcp-partner/schemas/problems"
)

// RotateOptions say what the new key of a vault is. The zero value makes a new
// key where the old one is kept.
type RotateOptions struct {
	// DryRun changes nothing.
	DryRun bool
	// To names the new identity or passphrase.
	To KeySource
	// KeyFile gives a vault with a passphrase or an identity file a key beside it.
	KeyFile bool
	// Fresh names keys of the program that are replaced too.
	Fresh []string
}

// Rotation says what a change of the key did, or would do.
type Rotation struct {
	// Secrets and Keys are how many secrets and keys of the program were
	// encrypted again.
	Secrets int `json:"secrets"`
	Keys    int `json:"keys"`
	// Resumed is true where an earlier change was interrupted and was finished.
	Resumed bool `json:"resumed"`
	// From and To name the old and the new key.
	From string `json:"from"`
	To   string `json:"to"`
}

// pendingMark is in the text of a provider while two keys are there.
const pendingMark = "# The key is being changed: the first identity is the new one.\n"

// RotateKey encrypts the vault again under a new key. Whenever it is killed, the
// vault opens with what is there, and calling it again finishes the change.
// Problems: those of Open, CodeInvalidArgument where it is not said what the new
// key is.
func (v *Vault) RotateKey(ctx context.Context, o RotateOptions) (Rotation, error) {
	if err := o.To.check(); err != nil {
		return Rotation{}, err
	}
	named := o.To.hasFile() || o.To.Ask
	if named && o.KeyFile {
		return Rotation{}, problems.InvalidArgument("More than one new key was named: choose one.")
	}
	if (named || o.KeyFile) && v.settings.Backend != BackendFile {
		return Rotation{}, problems.InvalidArgument("The key of this vault is in its backend, %s, and stays there: name no other.", v.settings.Backend)
	}
	return v.keys.rotate(ctx, o, named)
}

func (f *FileStore) rotate(ctx context.Context, o RotateOptions, named bool) (done Rotation, err error) {
	err = f.exclusive(ctx, func(state *openVault) error {
		secrets := len(withoutInternal(state.payload.names()))
		done = Rotation{Secrets: secrets, Keys: len(state.payload.secrets) - secrets, From: state.key.what}
		_, typed := state.key.recipient.(*age.ScryptRecipient)
		heldNow := !f.source.hasFile() && !typed
		switch {
		case named:
			done, err = f.rotateTo(ctx, state, o, done)
		case heldNow || o.KeyFile:
			done, err = f.rotateProvided(ctx, state, o, done)
		default:
			err = problems.New(problems.CodeInvalidArgument, "The key of this vault is not kept here, so name the new one.",
				problems.WithHint("Give --new-passphrase, --new-passphrase-file FILE, --new-identity-file FILE, or --new-key-file for a key beside the vault."))
		}
		return err
	})
	return done, err
}

// rotateTo changes to a key that a person keeps. One file is replaced, so there
// is nothing to resume.
func (f *FileStore) rotateTo(ctx context.Context, state *openVault, o RotateOptions, done Rotation) (Rotation, error) {
	o.To.Terminal = f.source.Terminal
	next, err := o.To.fresh(ctx, "vault", f.cost)
	if err != nil {
		return done, err
	}
	done.To = next.what
	if err := f.rewrap(state, next, o); err != nil || o.DryRun {
		return done, err
	}
	return done, f.disk.Local().Remove(keyName) // it opens nothing any more
}

// rotateProvided changes the key that the provider keeps, in three steps: the new key
// beside the old one, the vault under the new one, the new key alone. After each
// of them the vault opens with what the provider has.
func (f *FileStore) rotateProvided(ctx context.Context, state *openVault, o RotateOptions, done Rotation) (Rotation, error) {
	text, err := f.provider.read(ctx)
	defer clear(text)
	if err != nil {
		return done, err
	}
	before := identitiesIn(text)
	pending := bytes.Contains(text, []byte(pendingMark)) && len(before) > 0
	done.To, done.Resumed = "a new one in "+f.provider.place, pending
	if o.DryRun {
		return done, nil
	}
	if !pending {
		identity, err := newIdentity()
		if err != nil {
			return done, err
		}
		before = append([]string{identity.String()}, before...)
		if err := f.provide(ctx, append([]byte(pendingMark), keyText(before...)...)); err != nil {
			return done, err
		}
	}
	next, err := parseIdentities([]byte(before[0]), f.provider.place)
	if err != nil {
		return done, err
	}
	if !pending || !f.opens(next) {
		if err := f.rewrap(state, next, o); err != nil {
			return done, err
		}
	}
	return done, f.provide(ctx, keyText(before[0]))
}

func (f *FileStore) provide(ctx context.Context, text []byte) error {
	defer clear(text)
	return f.provider.write(ctx, text)
}

func identitiesIn(text []byte) []string {
	var found []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			found = append(found, line)
		}
	}
	return found
}

func (f *FileStore) opens(k *key) bool {
	sealedFile, _, err := f.disk.Read(vaultName)
	if err != nil {
		return false
	}
	_, err = f.unseal(k, sealedFile)
	return err == nil
}

// refreshed is the payload for a new key: the list of recipients has the new
// one in place of the old one, and some of the program's own keys are new.
func refreshed(now *payload, old, next *key, fresh []string) (*payload, error) {
	content := now.next()
	for _, name := range fresh {
		if now, ok := content.secrets[internalPrefix+name]; ok {
			content.replaceKey(internalPrefix+name, len(sealed.Bytes(now.Secret)))
		}
	}
	if len(content.recipients) == 0 {
		return content, nil
	}
	own, ok := next.recipient.(*age.X25519Recipient)
	i := slices.IndexFunc(content.recipients, func(r Recipient) bool { return old.owns(r.Key) || ok && r.Key == own.String() })
	if !ok || i < 0 {
		return nil, problems.InvalidArgument("This vault has recipients, so its new key must be of the kind X25519, as that of a recipient.")
	}
	content.recipients[i].Key = own.String()
	return content, nil
}

// rewrap writes the vault for a new key and reads it back with that, before the
// old one is let go of. The version before it, which the old key opens, goes.
func (f *FileStore) rewrap(state *openVault, k *key, o RotateOptions) error {
	content, err := refreshed(state.payload, state.key, k, o.Fresh)
	if err != nil || o.DryRun {
		return err
	}
	if err := f.save(content, k); err != nil {
		return err
	}
	if !f.opens(k) {
		return corrupt(f.disk, vaultName, "it was written but does not open with the new key; the old key was kept")
	}
	return f.overwritePrevious()
}

// overwritePrevious puts the newest version in the place of the one before it,
// which others than those of the newest can read.
func (f *FileStore) overwritePrevious() error {
	sealedFile, _, err := f.disk.Read(vaultName)
	if err != nil {
		return err
	}
	return f.disk.Write(vaultName+disk.PreviousMark, sealedFile)
}
