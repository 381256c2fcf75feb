package auth

import (
	"crypto/sha256"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"mcp-partner/guard"
)

const (
	// rememberFor is how long a verified token is remembered. A reload of keys or
	// another mapping verifies it again.
	rememberFor = 5 * time.Minute
	// maxRemembered bounds how many are remembered.
	maxRemembered = 1024
)

// recollection is the result of a verification. The principal keeps the claims,
// so that another mapping can grant anew, and no proof of them.
type recollection struct {
	principal  guard.Principal
	issuer     string
	generation uint64
	mapping    *Mapping
	span       span
	until      time.Time
}

// memory keeps results by the token's hash, for accepted tokens only, so that
// nobody can fill it.
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
