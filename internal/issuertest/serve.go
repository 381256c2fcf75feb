package issuertest

import (
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"strings"
	"time"
)

const discovery = "/.well-known/openid-configuration"

// KeysPath is where the keys are published.
const KeysPath = "/discovery/keys"

func (i *Issuer) serve(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	i.requests[r.URL.Path]++
	instead := i.instead
	i.mu.Unlock()
	prefix, discovers := strings.CutSuffix(r.URL.Path, discovery)
	switch {
	case instead != nil:
		instead(w, r)
	case discovers:
		i.serveDiscovery(w, "https://"+r.Host, prefix)
	case r.URL.Path == KeysPath:
		i.ServeKeys(w, r)
	case r.URL.Path == "/token":
		i.serveToken(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (i *Issuer) serveDiscovery(w http.ResponseWriter, base, prefix string) {
	name := base + prefix
	if strings.HasPrefix(base, "https://sts.") {
		name += "/" // as Entra ID names itself in tokens of version 1
	}
	answer(w, map[string]any{"issuer": name, "jwks_uri": base + KeysPath, "token_endpoint": base + "/token"})
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

// Register makes a client that gets tokens of its own with these claims, by
// client credentials.
func (i *Issuer) Register(client string, claims Claims) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.clients[client] = claims
}

// serveToken is the token endpoint for machines. A client's secret is its name
// with "-secret" behind it.
func (i *Issuer) serveToken(w http.ResponseWriter, r *http.Request) {
	client, secret, _ := r.BasicAuth()
	i.mu.Lock()
	claims, known := i.clients[client]
	i.mu.Unlock()
	if r.Method != http.MethodPost || r.FormValue("grant_type") != "client_credentials" || !known || secret != client+"-secret" {
		w.WriteHeader(http.StatusUnauthorized)
		answer(w, map[string]any{"error": "invalid_client"})
		return
	}
	answer(w, map[string]any{"access_token": i.Token(claims), "token_type": "Bearer", "expires_in": int(time.Hour.Seconds())})
}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) // a client that left needs no answer
}

func encode(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }
