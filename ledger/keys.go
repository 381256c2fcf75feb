package ledger

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"sync"

	"mcp-partner/schemas/problems"
)

// The names under which the ledger asks for its keys.
const (
	// KeyMAC is the key of the authenticated chain and of the rows: 32 bytes.
	KeyMAC = "ledger-mac"
	// KeySigning is the Ed25519 seed (RFC 8032) that signs heads: 32 bytes.
	KeySigning = "ledger-signing"

	macKeySize = 32
)

// Keys is what the ledger needs of the vault. It is safe for concurrent use,
// by several processes too. Errors that are no problems are not shown.
type Keys interface {
	// Key returns the key of that name, of size bytes. One that is not there is
	// made at random and kept, once for all processes, if create is set, and is
	// a problem otherwise.
	Key(ctx context.Context, name string, size int, create bool) ([]byte, error)
	// Counter returns the highest value that was set, 0 if none was.
	Counter(ctx context.Context) (int64, error)
	// SetCounter remembers a value for good. A lower one than the highest so
	// far changes nothing and is no error.
	SetCounter(ctx context.Context, value int64) error
}

func (l *Ledger) signingKey(ctx context.Context) (ed25519.PrivateKey, error) {
	seed, err := l.key(ctx, KeySigning, ed25519.SeedSize, true)
	if err != nil {
		return nil, err
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

func (l *Ledger) key(ctx context.Context, name string, size int, create bool) ([]byte, error) {
	key, err := l.o.Keys.Key(ctx, name, size, create)
	if err == nil && len(key) != size {
		err = errDamaged
	}
	if err != nil {
		return nil, l.keysProblem(err)
	}
	return key, nil
}

func (l *Ledger) keysProblem(err error) error {
	if known, ok := errors.AsType[*problems.Problem](err); ok {
		return known
	}
	return problems.New(problems.CodeVaultUnavailable,
		"The vault does not give the key of the ledger "+l.name+". "+nothingWritten, problems.WithCommand("Ask a person to examine the state directory.", "mcp-partner doctor"))
}

// PublicKey returns the key with which an auditor checks heads and exports.
func (l *Ledger) PublicKey(ctx context.Context) (ed25519.PublicKey, error) {
	key, err := l.signingKey(ctx)
	if err != nil {
		return nil, err
	}
	return key.Public().(ed25519.PublicKey), nil
}

// Fingerprint names a public key: the SHA-256 of its 32 bytes, in hexadecimal.
func Fingerprint(key ed25519.PublicKey) string {
	d := sha256.Sum256(key)
	return hex.EncodeToString(d[:])
}

// MarshalPublicKey writes a public key as PEM (SubjectPublicKeyInfo, RFC 8410),
// as other tools read it.
func MarshalPublicKey(key ed25519.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}

// ParsePublicKey reads what MarshalPublicKey wrote.
func ParsePublicKey(text []byte) (ed25519.PublicKey, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "PUBLIC KEY" {
		return nil, problems.InvalidArgument("The public key is not in PEM form: it begins with -----BEGIN PUBLIC KEY-----.")
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	key, ok := parsed.(ed25519.PublicKey)
	if err != nil || !ok {
		return nil, problems.InvalidArgument("The public key is not an Ed25519 key.")
	}
	return key, nil
}

// counter is what the vault remembers of how far the record had come, and what
// this process knows of it.
type counter struct {
	keys Keys

	// flushing is held while the vault is updated, which may take a while; mu only
	// briefly, because every call reads what was seen.
	flushing sync.Mutex

	mu sync.Mutex
	known
}

// known is how far the record had come.
type known struct {
	// seen is the highest entry known to have been there; kept is what the
	// vault has.
	seen, kept int64
	// last is the end of the record that was read or written last, and place where.
	last  link
	place string
}

func (c *counter) get() known { return c.learn(func(*known) {}) }

// learn changes what is known, and returns it. Neither number falls.
func (c *counter) learn(change func(*known)) known {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.known
	change(&c.known)
	c.kept = max(c.kept, before.kept)
	c.seen = max(c.seen, before.seen, c.kept)
	return c.known
}

// flush tells the vault. Callers that arrive while one is being served are
// served with it.
func (c *counter) flush(ctx context.Context) error {
	c.flushing.Lock()
	defer c.flushing.Unlock()
	now := c.get()
	if now.kept >= now.seen {
		return nil
	}
	err := c.keys.SetCounter(ctx, now.seen)
	if err == nil {
		c.learn(func(k *known) { k.kept = now.seen })
	}
	return err
}

// TemporaryKeys are Keys that end with the process, for a ledger that does too.
type TemporaryKeys struct {
	mu      sync.Mutex
	keys    map[string][]byte
	counter int64
}

// NewTemporaryKeys makes keys at random.
func NewTemporaryKeys() *TemporaryKeys { return &TemporaryKeys{keys: map[string][]byte{}} }

// Key implements Keys.
func (k *TemporaryKeys) Key(_ context.Context, name string, size int, _ bool) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.keys[name] == nil {
		k.keys[name] = make([]byte, size)
		_, _ = rand.Read(k.keys[name]) // never fails: crypto/rand ends the process instead
	}
	return k.keys[name], nil
}

// Counter implements Keys.
func (k *TemporaryKeys) Counter(context.Context) (int64, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.counter, nil
}

// SetCounter implements Keys.
func (k *TemporaryKeys) SetCounter(_ context.Context, value int64) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.counter = max(k.counter, value)
	return nil
}
