package simulator

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"sync"
	"time"
)

// claims are those of an access token that Entra ID issues to an application
// for ARM, as far as ARM and this project read them.
type claims struct {
	Audience  string `json:"aud"`
	Issuer    string `json:"iss"`
	IssuedAt  int64  `json:"iat"`
	NotBefore int64  `json:"nbf"`
	Expires   int64  `json:"exp"`
	AppID     string `json:"appid"`
	IDType    string `json:"idtyp"`
	ObjectID  string `json:"oid"`
	Subject   string `json:"sub"`
	TenantID  string `json:"tid"`
	Version   string `json:"ver"`
}

// issuerHost is the issuer of tokens that were issued past the wire.
const issuerHost = "https://login.simulator.invalid"

func (s *Simulator) claims(base, tenantID string, p *principal, audience string) claims {
	now := s.cfg.Now()
	kind, appID := "app", p.clientID
	if p.user != nil {
		kind, appID = "user", PublicClientID
	}
	return claims{
		Audience: audience, Issuer: base + "/" + tenantID + "/",
		IssuedAt: now.Unix(), NotBefore: now.Unix(), Expires: now.Add(s.cfg.TokenLifetime).Unix(),
		AppID: appID, IDType: kind, ObjectID: p.objectID, Subject: p.objectID, TenantID: tenantID, Version: "1.0",
	}
}

// early and expired compare as ARM does, to the second.
func (c claims) early(now time.Time) bool   { return now.Unix() < c.NotBefore }
func (c claims) expired(now time.Time) bool { return now.Unix() >= c.Expires }

var errToken = errors.New("not a token of this authority")

// signer signs and verifies with one ES256 key, made anew for each simulator:
// a token of another run is a foreign one.
type signer struct {
	key    *ecdsa.PrivateKey
	keyID  string
	header string // encoded

	// known are tokens that were verified before: a verification takes ten
	// times as long as all the rest of a read.
	mu    sync.Mutex
	known map[[sha256.Size]byte]claims
}

// maxKnown bounds the memory of known; beyond it everything is verified anew.
const maxKnown = 1 << 14

func newSigner() (*signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(point)
	s := &signer{key: key, keyID: encode(sum[:20]), known: map[[sha256.Size]byte]claims{}}
	s.header, err = encodeJSON(map[string]string{"typ": "JWT", "alg": "ES256", "kid": s.keyID})
	return s, err
}

func (s *signer) sign(c claims) (string, error) { return s.signAny(c) }

// signAny signs other claims, such as those of an ID token.
func (s *signer) signAny(claims any) (string, error) {
	payload, err := encodeJSON(claims)
	if err != nil {
		return "", err
	}
	input := s.header + "." + payload
	sum := sha256.Sum256([]byte(input))
	r, ss, err := ecdsa.Sign(rand.Reader, s.key, sum[:])
	if err != nil {
		return "", err
	}
	var sig [64]byte
	r.FillBytes(sig[:32])
	ss.FillBytes(sig[32:])
	return input + "." + encode(sig[:]), nil
}

// verify accepts only what sign made. It says nothing about expiry.
func (s *signer) verify(token string) (claims, error) {
	sum := sha256.Sum256([]byte(token))
	s.mu.Lock()
	c, ok := s.known[sum]
	s.mu.Unlock()
	if ok {
		return c, nil
	}
	c, err := s.verifySignature(token)
	if err == nil {
		s.remember(sum, c)
	}
	return c, err
}

func (s *signer) remember(sum [sha256.Size]byte, c claims) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.known) >= maxKnown {
		clear(s.known)
	}
	s.known[sum] = c
}

// verifySignature wants the header byte for byte, so there is no algorithm to
// choose.
func (s *signer) verifySignature(token string) (claims, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 || parts[0] != s.header {
		return claims{}, errToken
	}
	sig, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || len(sig) != 64 {
		return claims{}, errToken
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	r, ss := new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])
	if !ecdsa.Verify(&s.key.PublicKey, sum[:], r, ss) {
		return claims{}, errToken
	}
	return decodeClaims(parts[1])
}

func decodeClaims(payload string) (claims, error) {
	var c claims
	raw, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return c, errToken
	}
	return c, json.Unmarshal(raw, &c)
}

// keys is the document that the discovery's jwks_uri leads to.
func (s *signer) keys() (any, error) {
	point, err := s.key.PublicKey.Bytes()
	if err != nil {
		return nil, err
	}
	key := map[string]string{
		"kty": "EC", "use": "sig", "alg": "ES256", "crv": "P-256", "kid": s.keyID,
		"x": encode(point[1:33]), "y": encode(point[33:65]),
	}
	return map[string]any{"keys": []any{key}}, nil
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func encodeJSON(v any) (string, error) {
	raw, err := json.Marshal(v)
	return encode(raw), err
}
