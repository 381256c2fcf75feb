package simulator

import (
	"cmp"
	"crypto/rand"
	"crypto/rsa"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

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
