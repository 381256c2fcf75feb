package simulator

import (
	"cmp"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"net/http"
	"slices"
	"time"
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
	header, err := encodeJSON(map[string]string{"typ": "JWT", "alg": "RS256", "kid": "1"})
	if err != nil {
		return "", err
	}
	payload, err := encodeJSON(map[string]any{
		"iss": i.URL, "sub": subject, "aud": []string{audience}, "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(life).Unix(),
	})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(header + "." + payload))
	signature, err := rsa.SignPKCS1v15(nil, i.key, crypto.SHA256, sum[:])
	return header + "." + payload + "." + encode(signature), err
}

// GitHubHandler is the OIDC endpoint of a GitHub Actions job: it gives tokens
// for a subject to the holder of the bearer.
func (i *Issuer) GitHubHandler(subject, bearer string, life time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, err := i.Token(subject, r.URL.Query().Get("audience"), life)
		a := jsonAnswer(http.StatusOK, map[string]any{"count": len(token), "value": token})
		switch {
		case r.Header.Get("Authorization") != "Bearer "+bearer:
			a = jsonAnswer(http.StatusUnauthorized, map[string]string{"message": "Unauthorized"})
		case err != nil:
			a = emptyAnswer(http.StatusInternalServerError)
		}
		a.deliver(r.Context(), w)
	})
}

// Federate accepts another issuer's tokens as a credential of the application.
// An empty audience is TokenExchangeAudience.
func (s *Simulator) Federate(f Federation) {
	f.Audience = cmp.Or(f.Audience, TokenExchangeAudience)
	s.registry.mu.Lock()
	defer s.registry.mu.Unlock()
	s.registry.federations = append(s.registry.federations, f)
}

func (r *registry) trusted() []Federation {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.federations)
}

// proveByFederation finds the matching federated credential, or says which part
// does not match.
func (c *call) proveByFederation(who *principal, a assertion) (why entraProblem, ok bool) {
	why = entraNoIssuer.about(a.claims.Issuer)
	for _, f := range who.registry.trusted() {
		switch {
		case f.Issuer.URL != a.claims.Issuer:
			continue
		case a.header.Algorithm != "RS256" || !verifyRSA(f.Issuer.key.Public(), a, false):
			why = entraSignature
		case f.Subject != a.claims.Subject:
			why = entraNoSubject.about(a.claims.Subject)
		case !slices.Contains(a.claims.Audience, f.Audience):
			why = entraNoAudience
		case a.claims.untimely(c.now):
			why = entraAssertionTime
		default:
			return entraProblem{}, true
		}
	}
	return why, false
}
