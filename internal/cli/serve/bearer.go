package serve

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"time"

	"mcp-partner/access"
	"mcp-partner/schemas/problems"
)

const (
	// bearerLife is how long the token that is made at start holds.
	bearerLife = 24 * time.Hour
	// bearerSize is its size in bytes.
	bearerSize = 32
)

// bearer is the token of one start. Only its hash is kept.
type bearer struct {
	hash    [sha256.Size]byte
	expires time.Time
	now     func() time.Time
}

// newBearer makes a token of 256 random bits and what checks it.
func newBearer(now func() time.Time) (token string, b *bearer) {
	var random [bearerSize]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand ends the process instead
	token = base64.RawURLEncoding.EncodeToString(random[:])
	return token, &bearer{hash: sha256.Sum256([]byte(token)), expires: now().Add(bearerLife).Truncate(time.Second), now: now}
}

// Takes implements server.Authenticator: 43 letters of base64url, without the
// prefix or the dots of other kinds.
func (b *bearer) Takes(token string) bool {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	return err == nil && len(raw) == bearerSize
}

// Authenticate implements server.Authenticator. It takes the same time for
// every wrong token. The caller's name holds a part of the hash, so that
// approvals of one start mean nothing to the next.
func (b *bearer) Authenticate(_ context.Context, token string) (access.Principal, error) {
	hash := sha256.Sum256([]byte(token))
	if subtle.ConstantTimeCompare(hash[:], b.hash[:]) != 1 {
		return access.Principal{}, errors.New("not valid")
	}
	grant, err := b.still()
	if err != nil {
		return access.Principal{}, err
	}
	return access.Principal{Caller: access.Caller("http:" + hex.EncodeToString(b.hash[:4])), Grant: grant, Revalidate: b.still}, nil
}

// still is what the token gives until it ends.
func (b *bearer) still() (access.Grant, error) {
	if !b.now().Before(b.expires) {
		return access.Grant{}, problems.New(problems.CodeTokenRefused, "The token of the server's start has expired.")
	}
	return access.FullGrant(), nil
}
