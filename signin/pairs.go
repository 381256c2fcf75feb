package signin

import (
	"slices"
	"sync"

	"mcp-partner/internal/sealed"
	"mcp-partner/vault"
)

// pairs reads keys with their certificates for sign-ins. Reading a key costs a
// fifth of signing with it, so sign-ins that overlap share one. The last of them
// drops it: no key outlives the work that it was read for.
type pairs struct {
	mu   sync.Mutex
	open []*openPair
}

type openPair struct {
	pair
	secret vault.Secret
	users  int
}

// take returns the pair that a secret holds. Its user calls drop once.
func (p *pairs) take(secret vault.Secret) (found pair, drop func(), err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := slices.IndexFunc(p.open, func(o *openPair) bool { return o.secret.Equal(secret) })
	if at < 0 {
		sealed.WithSecret(func() { found, err = readPair(sealed.Bytes(secret), nil) })
		if err != nil {
			return pair{}, nil, err
		}
		at = len(p.open)
		p.open = append(p.open, &openPair{pair: found, secret: secret})
	}
	o := p.open[at]
	o.users++
	return o.pair, func() { p.drop(o) }, nil
}

func (p *pairs) drop(o *openPair) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if o.users--; o.users == 0 {
		p.open = slices.DeleteFunc(p.open, func(other *openPair) bool { return other == o })
	}
}
