// Package issuertest is an OpenID Connect issuer for tests: discovery, keys,
// rotation and a token endpoint over TLS, with tokens signed by another library
// than the one that verifies them.
package issuertest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"mcp-partner/internal/testkit"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// Claims are those of a token.
type Claims = map[string]any

// Key is a key of the issuer, with the ID under which it is published.
type Key struct {
	ID  string
	EC  *ecdsa.PrivateKey
	RSA *rsa.PrivateKey
}

// Issuer answers under every name that its certificate has, and takes the name
// under which it was asked for its own.
type Issuer struct {
	tb     testing.TB
	server *httptest.Server
	pair   *testkit.Pair

	mu       sync.Mutex
	keys     []Key // the first one signs
	made     int
	requests map[string]int
	instead  http.HandlerFunc
	clients  map[string]Claims
}

// Start serves until the test ends.
func Start(tb testing.TB) *Issuer {
	tb.Helper()
	i := &Issuer{tb: tb, requests: map[string]int{}, clients: map[string]Claims{}}
	i.pair = testkit.NewPair(tb, "login.microsoftonline.com", "sts.windows.net", "login.example")
	i.server = httptest.NewUnstartedServer(http.HandlerFunc(i.serve))
	i.server.TLS = i.pair.Serve()
	i.server.StartTLS()
	tb.Cleanup(i.server.Close)
	i.Rotate()
	return i
}

// URL is the issuer's own name, on the loopback interface.
func (i *Issuer) URL() string { return i.server.URL }

// Addr is where it listens.
func (i *Issuer) Addr() string { return i.server.Listener.Addr().String() }

// CAFile holds the authority that certified it.
func (i *Issuer) CAFile() string { return i.pair.CertFile }

// Client reaches the issuer under every name.
func (i *Issuer) Client() *http.Client {
	transport := &http.Transport{
		TLSClientConfig: i.pair.Trust(),
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, i.Addr())
		},
	}
	i.tb.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport: transport, Timeout: 10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (i *Issuer) newEC() *ecdsa.PrivateKey {
	i.tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		i.tb.Fatal(err)
	}
	return key
}

// Rotate signs with a new key from now on and publishes no other one. It
// returns the new one.
func (i *Issuer) Rotate() Key {
	key := Key{EC: i.newEC()}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.made++
	key.ID = fmt.Sprintf("key-%d", i.made)
	i.keys = []Key{key}
	return key
}

// UseRSA signs with an RSA key from now on and publishes no other one.
func (i *Issuer) UseRSA(bits int) Key {
	i.tb.Helper()
	made, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		i.tb.Fatal(err)
	}
	key := Key{ID: "rsa", RSA: made}
	i.Publish(key)
	return key
}

// Publish replaces the published keys; the first one signs.
func (i *Issuer) Publish(keys ...Key) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = keys
}

// SigningKey is the key that signs at present.
func (i *Issuer) SigningKey() Key {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.keys[0]
}

// Requests counts what was asked under a path's ending.
func (i *Issuer) Requests(ending string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	count := 0
	for path, n := range i.requests {
		if strings.HasSuffix(path, ending) {
			count += n
		}
	}
	return count
}

// AnswerWith has all requests answered otherwise; nil goes back to normal.
func (i *Issuer) AnswerWith(instead http.HandlerFunc) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.instead = instead
}
