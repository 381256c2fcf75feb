// Package issuertest is an OpenID Connect issuer for tests: discovery, keys
// and rotation over TLS, with tokens signed by another library than the one that
// verifies them.
package issuertest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"mcp-partner/internal/testkit"
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
	people   *SignIn
}

// Start serves until the test ends.
func Start(tb testing.TB) *Issuer {
	tb.Helper()
	i := &Issuer{tb: tb, requests: map[string]int{}}
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

// Rotate signs with a new key from now on and publishes no other one. It
// returns the new one.
func (i *Issuer) Rotate() Key {
	i.tb.Helper()
	made, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		i.tb.Fatal(err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.made++
	key := Key{ID: fmt.Sprintf("key-%d", i.made), EC: made}
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

const discovery = "/.well-known/openid-configuration"

// KeysPath is where the keys are published.
const KeysPath = "/discovery/keys"

func (i *Issuer) serve(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	i.requests[r.URL.Path]++
	instead, people := i.instead, i.people
	i.mu.Unlock()
	prefix, discovers := strings.CutSuffix(r.URL.Path, discovery)
	switch {
	case instead != nil:
		instead(w, r)
	case discovers:
		i.serveDiscovery(w, "https://"+r.Host, prefix)
	case r.URL.Path == KeysPath:
		i.ServeKeys(w, r)
	case people == nil || !people.serve(i, w, r):
		http.NotFound(w, r)
	}
}

func (i *Issuer) serveDiscovery(w http.ResponseWriter, base, prefix string) {
	name := base + prefix
	if strings.HasPrefix(base, "https://sts.") {
		name += "/" // as Entra ID names itself in tokens of version 1
	}
	metadata := map[string]any{"issuer": name, "jwks_uri": base + KeysPath}
	i.mu.Lock()
	i.people.addTo(metadata, name)
	i.mu.Unlock()
	answer(w, metadata)
}

// ServeKeys answers with the published keys.
func (i *Issuer) ServeKeys(w http.ResponseWriter, _ *http.Request) {
	i.mu.Lock()
	keys := []any{}
	for _, key := range i.keys {
		keys = append(keys, key.Public())
	}
	i.mu.Unlock()
	answer(w, map[string]any{"keys": keys})
}

// Public is the key as it is published.
func (k Key) Public() map[string]any {
	if k.RSA != nil {
		return map[string]any{
			"kty": "RSA", "use": "sig", "kid": k.ID, "alg": "RS256",
			"n": encode(k.RSA.N.Bytes()), "e": encode(big.NewInt(int64(k.RSA.E)).Bytes()),
		}
	}
	point, _ := k.EC.PublicKey.Bytes() // 4, x, y; never fails on a curve of the library
	return map[string]any{"kty": "EC", "crv": "P-256", "use": "sig", "kid": k.ID, "alg": "ES256", "x": encode(point[1:33]), "y": encode(point[33:])}
}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) // a client that left needs no answer
}

func encode(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }

// Token signs claims with the present key.
func (i *Issuer) Token(claims Claims) string {
	i.tb.Helper()
	return Sign(i.tb, i.SigningKey(), nil, claims)
}

// Sign signs claims with a key. The header's members are added to the usual
// ones, or take their place; nil takes one out.
func Sign(tb testing.TB, key Key, header map[string]any, claims Claims) string {
	tb.Helper()
	var method jwt.SigningMethod = jwt.SigningMethodES256
	var private any = key.EC
	if key.RSA != nil {
		method, private = jwt.SigningMethodRS256, key.RSA
	}
	header = With(map[string]any{"alg": method.Alg(), "typ": "JWT", "kid": key.ID}, header)
	signed, err := (&jwt.Token{Header: header, Claims: jwt.MapClaims(claims), Method: method}).SignedString(private)
	if err != nil {
		tb.Fatal(err)
	}
	return signed
}

// Unsigned is header and claims, as they are signed.
func Unsigned(tb testing.TB, header map[string]any, claims Claims) string {
	tb.Helper()
	text, err := (&jwt.Token{Header: header, Claims: jwt.MapClaims(claims)}).SigningString()
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

// With returns claims with some of them set otherwise; nil takes one out.
func With(claims, changes Claims) Claims {
	all := maps.Clone(claims)
	for name, value := range changes {
		if all[name] = value; value == nil {
			delete(all, name)
		}
	}
	return all
}
