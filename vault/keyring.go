package vault

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"mcp-partner/internal/naming"
	"mcp-partner/internal/sealed"
	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas/problems"
)

const (
	// internalPrefix begins the names of keys that the program made for itself.
	// They are not listed, and cannot be read or replaced by name: one that a
	// tenant's credential named would be sent to Entra ID.
	internalPrefix = "internal-"
	// previousSuffix ends the name of the key that was replaced last.
	previousSuffix = "-previous"

	counterKey     = internalPrefix + "counter"
	counterKeySize = 32
	counterName    = "vault.counter"
	counterLock    = "vault.counter.lock"
)

func isInternal(name string) bool { return strings.HasPrefix(naming.Fold(name), internalPrefix) }

// Keyring keeps the program's own keys in the vault, and a number that only
// grows. Its methods return problems only, those of FileStore among them. It is
// safe for concurrent use, by several processes too.
//
// The number is in vault.counter, authenticated by a key of the vault: it
// changes far more often than secrets do, and each change of the vault itself
// makes every process decrypt it again. Like vault.generation it reveals a
// restored older state, unless this file was restored with it.
type Keyring struct{ store *FileStore }

// Keyring returns the keys that the program keeps in this vault.
func (f *FileStore) Keyring() *Keyring { return &Keyring{f} }

// Key returns the key of that name, of size bytes. With create, something begins
// to depend on it: a restore keeps it from then on, and one that is not there is
// made at random. Without, a missing one is a CodeVaultMissing problem.
func (k *Keyring) Key(ctx context.Context, name string, size int, create bool) ([]byte, error) {
	known, used, err := k.find(ctx, internalPrefix+name, size)
	if err != nil || known != nil && (used || !create) {
		return known, err
	}
	if !create {
		return nil, problems.New(problems.CodeVaultMissing, "The vault does not hold the key \""+untrusted.Sanitize(name)+"\".",
			problems.WithHint("This is a different vault. Restore the one of this state directory from a backup."))
	}
	err = k.store.revise(ctx, func(content *payload, _ *key) (bool, error) {
		now, there := content.secrets[internalPrefix+name]
		switch {
		case !there:
			now = freshKey(internalPrefix+name, size)
		case now.UpdatedAt.IsZero():
			now.UpdatedAt = time.Now().UTC()
		default:
			return false, nil
		}
		content.secrets[internalPrefix+name] = now
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	known, _, err = k.find(ctx, internalPrefix+name, size)
	return known, err
}

// Keys returns the key of that name, made if need be, and the one that it
// replaced if there was one: newest first.
func (k *Keyring) Keys(ctx context.Context, name string, size int) ([][]byte, error) {
	newest, err := k.Key(ctx, name, size, true)
	if err != nil {
		return nil, err
	}
	previous, _, err := k.find(ctx, internalPrefix+name+previousSuffix, size)
	if err != nil || previous == nil {
		return [][]byte{newest}, err
	}
	return [][]byte{newest, previous}, nil
}

// Rotate replaces the key of that name and keeps the replaced one, which Keys
// returns as the second. The one before that is forgotten.
func (k *Keyring) Rotate(ctx context.Context, name string, size int) error {
	return k.store.revise(ctx, func(content *payload, _ *key) (bool, error) {
		content.replaceKey(internalPrefix+name, size)
		return true, nil
	})
}

// replaceKey makes a key and keeps the one that was there.
func (p *payload) replaceKey(name string, size int) {
	if now, ok := p.secrets[name]; ok {
		now.Name += previousSuffix
		p.secrets[name+previousSuffix] = now
	}
	p.secrets[name] = freshKey(name, size)
}

// find returns the key of that full name, nil where there is none, and whether
// something depends on it.
func (k *Keyring) find(ctx context.Context, name string, size int) (key []byte, used bool, err error) {
	state, err := k.store.open(ctx)
	if err != nil {
		return nil, false, err
	}
	stored, ok := state.payload.secrets[name]
	if !ok {
		return nil, false, nil
	}
	if key := sealed.Bytes(stored.Secret); len(key) == size {
		return bytes.Clone(key), !stored.UpdatedAt.IsZero(), nil
	}
	return nil, false, corrupt(k.store.disk, vaultName, "the key "+name+" in it has the wrong size")
}

func freshKey(name string, size int) Stored {
	return Stored{Name: name, Secret: sealed.Seal(randomBytes(size)), UpdatedAt: time.Now().UTC()}
}

func randomBytes(size int) []byte {
	b := make([]byte, size)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the process instead
	return b
}

// Counter returns the highest number that was set, 0 if none was. A number that
// was changed or removed is a CodeVaultCorrupt problem.
func (k *Keyring) Counter(ctx context.Context) (int64, error) {
	value, _, err := k.counter(ctx)
	return value, err
}

func (k *Keyring) counter(ctx context.Context) (value int64, key []byte, err error) {
	key, _, err = k.find(ctx, counterKey, counterKeySize)
	if err == nil && key == nil {
		err = corrupt(k.store.disk, vaultName, "the key of "+counterName+" is not in it")
	}
	if err != nil {
		return 0, nil, err
	}
	data, seen, err := k.store.disk.Read(counterName)
	switch {
	case err != nil:
		return 0, nil, err
	case seen.Missing():
		return 0, nil, corrupt(k.store.disk, counterName, "it was removed")
	}
	text, _, _ := strings.Cut(string(data), " ")
	value, err = strconv.ParseInt(text, 10, 64)
	if err != nil || !hmac.Equal(data, encodeCounter(key, value)) {
		return 0, nil, corrupt(k.store.disk, counterName, "it was changed by another program")
	}
	return value, key, nil
}

func encodeCounter(key []byte, value int64) []byte {
	text := strconv.FormatInt(value, 10)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return fmt.Appendf(nil, "%s %s\n", text, hex.EncodeToString(mac.Sum(nil)))
}

// SetCounter remembers a number for good. A lower one than the highest so far
// changes nothing and is no error.
func (k *Keyring) SetCounter(ctx context.Context, value int64) error {
	// Before the lock, because a person may be asked for the passphrase.
	if err := k.store.Open(ctx); err != nil {
		return err
	}
	unlock, err := k.store.disk.Lock(ctx, counterLock)
	if err != nil {
		return err
	}
	defer unlock()
	now, key, err := k.counter(ctx)
	if err != nil || now >= value {
		return err
	}
	return k.store.disk.Write(counterName, encodeCounter(key, value))
}

// withoutInternal leaves out the names of the program's own keys.
func withoutInternal(names []string) []string { return slices.DeleteFunc(names, isInternal) }
