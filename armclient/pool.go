package armclient

import (
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// poolSize is how many clients a Pool keeps: about 12 KiB each with a token.
const poolSize = 256

// Pool keeps the clients used last, by a key that holds all that a client is made
// of. It is safe for concurrent use. A client that falls out of it continues to
// work for those who hold it.
type Pool[K comparable] struct {
	build func(K) (*Client, error)

	mu      sync.Mutex
	clients *simplelru.LRU[K, *Client]
}

// NewPool makes an empty pool. build makes the client of a key; it is called
// once for callers that ask at the same time, and must not use the network,
// because all of them wait for it.
func NewPool[K comparable](build func(K) (*Client, error)) *Pool[K] {
	clients, err := simplelru.NewLRU[K, *Client](poolSize, nil)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	return &Pool[K]{build: build, clients: clients}
}

// Get returns the client of a key and builds it if need be. An error is that of
// build; it is not kept, so the next caller tries again.
func (p *Pool[K]) Get(key K) (*Client, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if client, ok := p.clients.Get(key); ok {
		return client, nil
	}
	client, err := p.build(key)
	if err == nil {
		p.clients.Add(key, client)
	}
	return client, err
}
