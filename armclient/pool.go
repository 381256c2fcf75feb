package armclient

import (
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"mcp-partner/schemas"
)

// PoolSize is how many clients a Pool keeps: about 12 KiB each with a token.
const PoolSize = 256

// Key names a client in a Pool: one tenant with one credential. Both are names
// of the directory or both are IDs, as the owner of the pool likes.
type Key struct{ Tenant, Credential string }

// Pool keeps the clients used last. It is safe for concurrent use. A client
// that falls out of it goes on working for those who hold it.
type Pool struct {
	build func(Key) (*Client, error)

	mu      sync.Mutex
	clients *simplelru.LRU[Key, *pooled]
}

type pooled struct {
	once   sync.Once
	client *Client
	err    error
}

// NewPool makes an empty pool. build makes the client of a key; it is called
// once for callers that ask at the same time, and should not use the network.
func NewPool(build func(Key) (*Client, error)) *Pool {
	clients, err := simplelru.NewLRU[Key, *pooled](PoolSize, nil)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	return &Pool{build: build, clients: clients}
}

// Get returns the client of a key and builds it if need be. An error is that of
// build; it is not kept, so the next caller tries again.
func (p *Pool) Get(key Key) (*Client, error) {
	entry := p.entry(key)
	entry.once.Do(func() {
		entry.err = schemas.NewProblem(schemas.CodeInternal, "Building a client ended in a panic.")
		entry.client, entry.err = p.build(key)
	})
	if entry.err != nil {
		p.remove(key, entry)
	}
	return entry.client, entry.err
}

// Drop forgets the client of a key, and with it the token that azcore keeps:
// for a credential or a directory entry that has changed.
func (p *Pool) Drop(key Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clients.Remove(key)
}

// Len returns how many clients are kept.
func (p *Pool) Len() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.clients.Len()
}

func (p *Pool) entry(key Key) *pooled {
	p.mu.Lock()
	defer p.mu.Unlock()
	entry, ok := p.clients.Get(key)
	if !ok {
		entry = &pooled{}
		p.clients.Add(key, entry)
	}
	return entry
}

// remove spares an entry that somebody has put in the failed one's place.
func (p *Pool) remove(key Key, failed *pooled) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if entry, ok := p.clients.Peek(key); ok && entry == failed {
		p.clients.Remove(key)
	}
}
