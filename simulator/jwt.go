package simulator

import (
	"cmp"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// claims are those of an access token that Entra ID issues to an application
// for ARM, as far as ARM and this project read them.
type claims struct {
	jwt.RegisteredClaims
	// Audience is one text, and not a list as RFC 7519 allows.
	Audience string `json:"aud"`
	AppID    string `json:"appid"`
	IDType   string `json:"idtyp"`
	ObjectID string `json:"oid"`
	TenantID string `json:"tid"`
	Version  string `json:"ver"`
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
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: base + "/" + tenantID + "/", Subject: p.objectID,
			IssuedAt: jwt.NewNumericDate(now), NotBefore: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(s.cfg.TokenLifetime)),
		},
		Audience: audience, AppID: appID, IDType: kind, ObjectID: p.objectID, TenantID: tenantID, Version: "1.0",
	}
}

// early and expired compare as ARM does, to the second.
func (c claims) early(now time.Time) bool   { return now.Before(c.NotBefore.Time) }
func (c claims) expired(now time.Time) bool { return !now.Before(c.ExpiresAt.Time) }

// sweepEvery is after how many tokens those that have expired are forgotten.
const sweepEvery = 1 << 14

// issue makes an access token that ARM knows again. A token of another run, or
// one that was tampered with, was never issued. The lock is held.
func (s *Simulator) issue(c claims) (string, error) {
	token, err := s.sign(c)
	if err == nil {
		s.remember(token, c)
	}
	return token, err
}

func (s *Simulator) remember(token string, c claims) {
	if len(s.issued)%sweepEvery == sweepEvery-1 {
		now := s.cfg.Now()
		maps.DeleteFunc(s.issued, func(_ string, old claims) bool { return old.expired(now) })
	}
	s.issued[token] = c
}

func (s *Simulator) sign(c jwt.Claims) (string, error) {
	token := jwt.NewWithClaims(jwt.SigningMethodES256, c)
	token.Header["kid"] = s.keyID
	return token.SignedString(s.key)
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

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
	certificates map[string]*x509.Certificate // by x5t#S256
	federations  []Federation
	seen         map[string]bool // jti
}

// RegisterCertificate accepts a certificate's key as a credential of the
// application, as after its upload in the portal.
func (s *Simulator) RegisterCertificate(certificate *x509.Certificate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.registry.certificates[thumbprint(certificate)] = certificate
}

// UnregisterCertificate removes a certificate.
func (s *Simulator) UnregisterCertificate(certificate *x509.Certificate) {
	s.mu.Lock()
	defer s.mu.Unlock()
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
func (c *call) proveByAssertion(who *principal, form url.Values) (why *entraProblem) {
	a, err := parseAssertion(form.Get("client_assertion"))
	if err != nil || who.registry == nil {
		return entraAssertion.about(who.clientID)
	}
	if form.Get("client_assertion_type") != assertionType {
		return entraMissing.about("client_assertion_type")
	}
	if strings.EqualFold(a.claims.Issuer, who.clientID) {
		return c.proveByCertificate(who, a)
	}
	return c.proveByFederation(who, a)
}

func (c *call) proveByCertificate(who *principal, a assertion) (why *entraProblem) {
	thumbprint, _ := a.Header["x5t#S256"].(string)
	// RFC 7515 wants base64url; MSAL for Go writes plain base64, which Entra ID takes too.
	thumbprint = strings.TrimRight(strings.NewReplacer("+", "-", "/", "_").Replace(thumbprint), "=")
	certificate := who.registry.certificates[thumbprint]
	switch {
	case certificate == nil || a.Method != jwt.SigningMethodPS256:
		return entraAssertion.about(who.clientID)
	case c.now.After(certificate.NotAfter):
		return entraCertificateEnded.about(who.clientID)
	case !a.signedBy(certificate.PublicKey, jwt.SigningMethodPS256):
		return &entraSignature
	case !strings.EqualFold(a.claims.Subject, who.clientID) || a.claims.ID == "":
		return &entraBadAssertion
	case !slices.Contains(a.claims.Audience, c.base()+c.r.URL.Path):
		return &entraAssertionAudience
	case !a.timely(c.now) || a.claims.NotBefore == nil || a.claims.ExpiresAt.Sub(a.claims.NotBefore.Time) > maxAssertionLife:
		return &entraAssertionTime
	case !who.registry.first(a.claims.ID):
		return &entraBadAssertion
	}
	return nil
}

// first reports whether an assertion was not seen before.
func (r *registry) first(id string) bool {
	if r.seen[id] {
		return false
	}
	if len(r.seen) >= maxReplays {
		clear(r.seen)
	}
	r.seen[id] = true
	return true
}

// TokenExchangeAudience is the audience of other issuers' assertions.
const TokenExchangeAudience = "api://AzureADTokenExchange"

// Federation is a federated credential of the application: which tokens of
// which issuer it trusts.
type Federation struct {
	Issuer   *Issuer
	Subject  string
	Audience string
}

// Issuer is another identity provider, such as a Kubernetes cluster or GitHub
// Actions. Entra ID would fetch its keys; the simulator knows them.
type Issuer struct {
	// URL is the issuer as its tokens name it.
	URL string
	key *rsa.PrivateKey
	now func() time.Time
}

// NewIssuer makes an issuer with a key of its own.
func (s *Simulator) NewIssuer(url string) (*Issuer, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	return &Issuer{URL: url, key: key, now: s.cfg.Now}, nil
}

// Token makes a token of the issuer, valid from now for as long as life says.
func (i *Issuer) Token(subject, audience string, life time.Duration) (string, error) {
	now := i.now()
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.RegisteredClaims{
		Issuer: i.URL, Subject: subject, Audience: jwt.ClaimStrings{audience},
		IssuedAt: jwt.NewNumericDate(now), NotBefore: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(life)),
	})
	token.Header["kid"] = "1"
	return token.SignedString(i.key)
}

// Federate accepts another issuer's tokens as a credential of the application.
// An empty audience is TokenExchangeAudience.
func (s *Simulator) Federate(f Federation) {
	f.Audience = cmp.Or(f.Audience, TokenExchangeAudience)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.registry.federations = append(s.registry.federations, f)
}

// proveByFederation finds the matching federated credential, or says which part
// does not match.
func (c *call) proveByFederation(who *principal, a assertion) (why *entraProblem) {
	why = entraNoIssuer.about(a.claims.Issuer)
	for _, f := range who.registry.federations {
		switch {
		case f.Issuer.URL != a.claims.Issuer:
			continue
		case !a.signedBy(f.Issuer.key.Public(), jwt.SigningMethodRS256):
			why = &entraSignature
		case f.Subject != a.claims.Subject:
			why = entraNoSubject.about(a.claims.Subject)
		case !slices.Contains(a.claims.Audience, f.Audience):
			why = &entraNoAudience
		case !a.timely(c.now):
			why = &entraAssertionTime
		default:
			return nil
		}
	}
	return why
}
