package simulator

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
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

// maxKnown bounds the memory of known; beyond it everything is verified again.
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

// sign signs claims, or others such as those of an ID token.
func (s *signer) sign(claims any) (string, error) {
	payload, err := encodeJSON(claims)
	if err != nil {
		return "", err
	}
	input := s.header + "." + payload
	signature, err := jwt.SigningMethodES256.Sign(input, s.key)
	return input + "." + encode(signature), err
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
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || jwt.SigningMethodES256.Verify(parts[0]+"."+parts[1], signature, &s.key.PublicKey) != nil {
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

const (
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	// clockSkew is the difference between clocks that Entra ID accepts.
	clockSkew = 5 * time.Minute
	// maxAssertionLife bounds the lifetime of a client's assertion.
	maxAssertionLife = 24 * time.Hour
	maxReplays       = 1 << 16
)

// registry holds an application's credentials other than its secret, the same in
// all tenants.
type registry struct {
	mu           sync.Mutex
	certificates map[string]*x509.Certificate // by x5t#S256
	federations  []Federation
	seen         map[string]bool // jti
}

func newRegistry() *registry {
	return &registry{certificates: map[string]*x509.Certificate{}, seen: map[string]bool{}}
}

// RegisterCertificate accepts a certificate's key as a credential of the
// application, as after its upload in the portal.
func (s *Simulator) RegisterCertificate(certificate *x509.Certificate) {
	s.registry.mu.Lock()
	defer s.registry.mu.Unlock()
	s.registry.certificates[thumbprint(certificate)] = certificate
}

// UnregisterCertificate removes a certificate.
func (s *Simulator) UnregisterCertificate(certificate *x509.Certificate) {
	s.registry.mu.Lock()
	defer s.registry.mu.Unlock()
	delete(s.registry.certificates, thumbprint(certificate))
}

func thumbprint(certificate *x509.Certificate) string {
	sum := sha256.Sum256(certificate.Raw)
	return encode(sum[:])
}

// assertion is a JWT, parsed but not verified.
type assertion struct {
	*jwt.Token
	claims jwt.RegisteredClaims
	signed string
}

func parseAssertion(text string) (a assertion, err error) {
	token, parts, err := jwt.NewParser().ParseUnverified(text, &a.claims)
	if err != nil {
		return a, err
	}
	token.Signature, err = base64.RawURLEncoding.DecodeString(parts[2])
	a.Token, a.signed = token, parts[0]+"."+parts[1]
	return a, err
}

// signedBy accepts one way of signing, whatever the header says.
func (a assertion) signedBy(key crypto.PublicKey, method jwt.SigningMethod) bool {
	return a.Method == method && method.Verify(a.signed, a.Signature, key) == nil
}

// timely reports an assertion that is valid now, as far as clocks agree.
func (a assertion) timely(now time.Time) bool {
	return jwt.NewValidator(jwt.WithLeeway(clockSkew), jwt.WithExpirationRequired(), jwt.WithTimeFunc(func() time.Time { return now })).Validate(a.claims) == nil
}

// proveByAssertion checks a client assertion: one that the application signed
// itself, or one of another issuer that it trusts.
func (c *call) proveByAssertion(who *principal, form url.Values) (why entraProblem, ok bool) {
	a, err := parseAssertion(form.Get("client_assertion"))
	if err != nil || who.registry == nil {
		return entraAssertion.about(who.clientID), false
	}
	if form.Get("client_assertion_type") != assertionType {
		return entraMissing.about("client_assertion_type"), false
	}
	if strings.EqualFold(a.claims.Issuer, who.clientID) {
		return c.proveByCertificate(who, a)
	}
	return c.proveByFederation(who, a)
}

func (c *call) proveByCertificate(who *principal, a assertion) (why entraProblem, ok bool) {
	thumbprint, _ := a.Header["x5t#S256"].(string)
	certificate := who.registry.certificate(thumbprint)
	switch {
	case certificate == nil || a.Method != jwt.SigningMethodPS256:
		return entraAssertion.about(who.clientID), false
	case c.now.After(certificate.NotAfter):
		return entraCertificateEnded.about(who.clientID), false
	case !a.signedBy(certificate.PublicKey, jwt.SigningMethodPS256):
		return entraSignature, false
	case !strings.EqualFold(a.claims.Subject, who.clientID) || a.claims.ID == "":
		return entraBadAssertion, false
	case !slices.Contains(a.claims.Audience, c.base()+c.r.URL.Path):
		return entraAssertionAudience, false
	case !a.timely(c.now) || a.claims.NotBefore == nil || a.claims.ExpiresAt.Sub(a.claims.NotBefore.Time) > maxAssertionLife:
		return entraAssertionTime, false
	case !who.registry.first(a.claims.ID):
		return entraBadAssertion, false
	}
	return entraProblem{}, true
}

// certificate finds one by its thumbprint. RFC 7515 wants it in base64url;
// MSAL for Go writes it in plain base64, which Entra ID takes too.
func (r *registry) certificate(thumbprint string) *x509.Certificate {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.certificates[strings.TrimRight(strings.NewReplacer("+", "-", "/", "_").Replace(thumbprint), "=")]
}

// first reports whether an assertion was not seen before.
func (r *registry) first(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen[id] {
		return false
	}
	if len(r.seen) >= maxReplays {
		clear(r.seen)
	}
	r.seen[id] = true
	return true
}
