package auth

import (
	"crypto/sha256"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"mcp-partner/guard"
)

const (
	// rememberFor is how long a token that was verified counts as such. It is
	// looked at anew whenever the issuer's keys were loaded again, and with another
	// mapping.
	rememberFor = 5 * time.Minute
	// maxRemembered bounds how many are remembered.
	maxRemembered = 1024
)

// recollection is what came of a token. The principal knows the token's claims,
// for its grant to be made anew of another mapping, and nothing that would prove
// them to anybody.
type recollection struct {
	principal  guard.Principal
	issuer     string
	generation uint64
	mapping    *Mapping
	span       span
	until      time.Time
}

// memory keeps what came of tokens, by their hash. Only tokens that were
// accepted get in, so that nobody can fill it with others.
type memory struct {
	cache *lru.Cache[[sha256.Size]byte, recollection]
}

func newMemory() *memory {
	cache, err := lru.New[[sha256.Size]byte, recollection](maxRemembered)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	return &memory{cache}
}

func (m *memory) get(hash [sha256.Size]byte) (recollection, bool) { return m.cache.Get(hash) }

func (m *memory) put(hash [sha256.Size]byte, r recollection) { m.cache.Add(hash, r) }
