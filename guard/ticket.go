package guard

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"time"
)

const (
	// InBandLife is how long a question asked in the client's session lives.
	InBandLife = 5 * time.Minute
	// PersonLife is how long a question waits for a person elsewhere.
	PersonLife = 24 * time.Hour

	maxPending = 10
	maxAsked   = 100
)

// Ticket is one question that waits for a person's answer. It holds no handle:
// whoever reads the store cannot redeem what is in it.
type Ticket struct {
	// ID is what an agent sees; it refers to the ticket and opens nothing.
	ID     string
	Intent Intent
	// Binding is what Redeem compares with the intent of the second call.
	Binding   [sha256.Size]byte
	CreatedAt time.Time
	ExpiresAt time.Time
	Spent     bool
	// Approved is set when a person confirmed over another channel.
	Approved bool
	// InBand is true for a question asked in the client's own session.
	InBand bool
	// Handle is a digest of the secret in the Seal of an in-band question.
	Handle [sha256.Size]byte
}

// live reports whether the ticket can still be answered.
func (t Ticket) live(now time.Time) bool { return !t.Spent && now.Before(t.ExpiresAt) }

// limit is how many live tickets of its kind a caller may have.
func (t Ticket) limit() int {
	if t.InBand {
		return maxAsked
	}
	return maxPending
}

// Seal is the opaque state that travels with an in-band question and comes
// back with its answer: the ticket's ID and 256 random bits.
type Seal string

// newSeal makes a ticket's ID and the secret that redeems it.
func newSeal() (id string, seal Seal, handle [sha256.Size]byte) {
	var ref [9]byte
	var secret [32]byte
	_, _ = rand.Read(ref[:]) // never fails: crypto/rand ends the process instead
	_, _ = rand.Read(secret[:])
	id = "ap_" + hex.EncodeToString(ref[:])
	return id, Seal(id + "." + base64.RawURLEncoding.EncodeToString(secret[:])), sha256.Sum256(secret[:])
}

// open splits a seal; ok is false for anything that newSeal did not make.
func (s Seal) open() (id string, handle [sha256.Size]byte, ok bool) {
	id, text, found := strings.Cut(string(s), ".")
	if !found {
		return "", handle, false
	}
	secret, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(secret) != 32 {
		return "", handle, false
	}
	return id, sha256.Sum256(secret), true
}

func (t Ticket) holds(handle [sha256.Size]byte) bool {
	return subtle.ConstantTimeCompare(t.Handle[:], handle[:]) == 1
}
