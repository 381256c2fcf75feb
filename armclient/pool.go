package armclient

import (
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"mcp-partner/schemas/problems"
)

// poolSize is how many clients a Pool keeps: about 12 KiB each with a token.
const poolSize = 256

// Pool keeps the clients used last, by a key that holds all that a client is made
// of. It is safe for concurrent use. A client that falls out of it continues to
// work for those who hold it.
type Pool[K comparable] struct {
	build func(K) (*Client, error)

	mu      sync.Mutex
	clients *simplelru.LRU[K, *pooled]
}

type pooled struct {
	once   sync.Once
	client *Client
	err    error
}

// NewPool makes an empty pool. build makes the client of a key; it is called
// once for callers that ask at the same time, and should not use the network.
func NewPool[K comparable](build func(K) (*Client, error)) *Pool[K] {
	clients, err := simplelru.NewLRU[K, *pooled](poolSize, nil)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	return &Pool[K]{build: build, clients: clients}
}

// Get returns the client of a key and builds it if need be. An error is that of
// build; it is not kept, so the next caller tries again.
func (p *Pool[K]) Get(key K) (*Client, error) {
	entry := p.entry(key)
	entry.once.Do(func() {
		entry.err = problems.New(problems.CodeInternal, "Creating a client panicked.")
		entry.client, entry.err = p.build(key)
	})
	if entry.err != nil {
		p.remove(key, entry)
	}
	return entry.client, entry.err
}

func (p *Pool[K]) entry(key K) *pooled {
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
func (p *Pool[K]) remove(key K, failed *pooled) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if entry, ok := p.clients.Peek(key); ok && entry == failed {
		p.clients.Remove(key)
	}
}
