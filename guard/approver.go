package guard

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"time"

	"golang.org/x/crypto/argon2"

	"mcp-partner/schemas"
)

// Cost is what deriving an approver's key costs with Argon2id. Memory is in
// KiB. It is kept with each approver, so that it can be raised later.
type Cost struct {
	Time, Memory uint32
	Threads      uint8
}

// recommended is what RFC 9106 recommends where memory is scarce: three passes
// over 64 MiB.
func recommended() Cost { return Cost{Time: 3, Memory: 64 * 1024, Threads: 4} }

// minPassphrase is the least length of an approver's passphrase, in bytes.
const minPassphrase = 8

// NewApprover makes an approver. Only the passphrase gives the private half of
// the key; it is kept nowhere.
func NewApprover(name string, passphrase []byte, cost Cost, now time.Time) (Approver, error) {
	if len(passphrase) < minPassphrase {
		return Approver{}, schemas.NewProblem(schemas.CodeInvalidArgument, "The passphrase is too short: use at least 8 characters.")
	}
	a := Approver{Name: name, Salt: make([]byte, 16), Time: cost.Time, Memory: cost.Memory, Threads: cost.Threads, AddedAt: now}
	_, _ = rand.Read(a.Salt)
	a.PublicKey = a.key(passphrase).Public().(ed25519.PublicKey)
	return a, nil
}

func (a Approver) key(passphrase []byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(argon2.IDKey(passphrase, a.Salt, a.Time, a.Memory, a.Threads, ed25519.SeedSize))
}

// Sign signs a digest with the key that the passphrase gives. A wrong
// passphrase is a CodeNotAllowed problem.
func (a Approver) Sign(passphrase, digest []byte) ([]byte, error) {
	key := a.key(passphrase)
	defer clear(key)
	if !bytes.Equal(key.Public().(ed25519.PublicKey), a.PublicKey) {
		return nil, schemas.NewProblem(schemas.CodeNotAllowed, "That is not the passphrase of approver "+quote(a.Name)+".",
			schemas.WithHint("Type the passphrase that was set when the approver was added."))
	}
	return ed25519.Sign(key, digest), nil
}

// Verify reports whether the approver signed the digest.
func (a Approver) Verify(digest, signature []byte) bool {
	return len(a.PublicKey) == ed25519.PublicKeySize && ed25519.Verify(a.PublicKey, digest, signature)
}
