package auth

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"mcp-partner/internal/httpclient"
	"mcp-partner/internal/naming"
	"mcp-partner/internal/untrusted"
)

const (
	// maxKeys bounds the keys of an issuer, and maxTries how many are tried on a
	// token without a key ID.
	maxKeys  = 64
	maxTries = 4
	// minRSA and maxRSA bound RSA keys, in bits: short ones can be broken, huge
	// ones make each check expensive.
	minRSA, maxRSA = 2048, 8192
)

// algorithms are the accepted signature algorithms: no shared keys, and not
// "none".
func algorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA}
}

// loadKeys loads an issuer's keys and skips unusable ones (RFC 7517, section 5).
// An empty list is valid: the issuer withdrew all keys.
func loadKeys(ctx context.Context, client *http.Client, i issuer) ([]jose.JSONWebKey, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchWithin)
	defer cancel()
	known, err := i.discover(ctx, client)
	if err == nil {
		err = i.checkURL(known.KeysURL)
	}
	if err != nil {
		return nil, err
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := getJSON(ctx, client, known.KeysURL, &set); err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	if set.Keys == nil {
		return nil, errors.New("keys: the answer has none")
	}
	keys := []jose.JSONWebKey{}
	for _, text := range set.Keys[:min(len(set.Keys), maxKeys)] {
		var key jose.JSONWebKey
		if json.Unmarshal(text, &key) == nil && usable(key) && i.owns(text) {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// usable requires a public key for signatures.
func usable(key jose.JSONWebKey) bool {
	if !key.Valid() || key.Use != "" && key.Use != "sig" || key.Algorithm != "" && !slices.Contains(algorithms(), jose.SignatureAlgorithm(key.Algorithm)) {
		return false
	}
	switch public := key.Key.(type) {
	case *rsa.PublicKey:
		return public.N.BitLen() >= minRSA && public.N.BitLen() <= maxRSA
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return true
	}
	return false
}

// owns skips keys that Entra ID publishes for another tenant in a shared list.
func (i issuer) owns(key json.RawMessage) bool {
	var of struct {
		Issuer string `json:"issuer"`
	}
	if i.tenant == "" || json.Unmarshal(key, &of) != nil || of.Issuer == "" {
		return true
	}
	return strings.Contains(of.Issuer, "{tenantid}") || strings.Contains(strings.ToLower(of.Issuer), i.tenant)
}

// verify checks a signature with the keys that the token may refer to. found
// reports whether there was one.
func verify(keys []jose.JSONWebKey, token *jose.JSONWebSignature) (payload []byte, found bool) {
	if len(token.Signatures) != 1 {
		return nil, false
	}
	header, tries := token.Signatures[0].Protected, 0
	for _, key := range keys {
		if header.KeyID != "" && key.KeyID != header.KeyID || key.Algorithm != "" && key.Algorithm != header.Algorithm {
			continue
		}
		if tries++; tries > maxTries {
			break
		}
		if payload, err := token.Verify(key); err == nil {
			return payload, true
		}
	}
	return nil, tries > 0
}

const (
	// fetchWithin bounds one load of an issuer's keys, both requests together.
	fetchWithin = 10 * time.Second
	// maxDocument bounds an issuer's answer, in bytes.
	maxDocument = 512 << 10
)

// newClient makes the client for issuers: it follows no redirect, trusts only
// the given authorities if there are any, and has short time-outs.
func newClient(caPEM []byte) (*http.Client, error) {
	client, err := httpclient.New(httpclient.Options{CAPEM: caPEM, HeaderTimeout: fetchWithin / 2})
	if err != nil {
		return nil, err
	}
	client.Timeout = fetchWithin
	return client, nil
}

// discover returns an issuer's metadata.
func (i issuer) discover(ctx context.Context, client *http.Client) (d providerMetadata, err error) {
	if err := getJSON(ctx, client, strings.TrimSuffix(i.name, "/")+"/.well-known/openid-configuration", &d); err != nil {
		return d, fmt.Errorf("discovery: %w", err)
	}
	if d.Issuer != i.name {
		return d, errors.New("discovery: it names another issuer")
	}
	return d, nil
}

// checkURL keeps an issuer from directing this server to internal addresses.
func (i issuer) checkURL(text string) error {
	at, err := url.Parse(text)
	if err == nil && at.Host != "" && at.User == nil && (at.Scheme == "https" || at.Scheme == "http") {
		if inside := httpclient.IsLoopback(at.Hostname()); inside && httpclient.IsLoopback(i.url().Hostname()) || !inside && at.Scheme == "https" {
			return nil
		}
	}
	return errors.New("discovery: an address is not allowed")
}

// getJSON reads one document. Its errors repeat nothing of the answer.
func getJSON(ctx context.Context, client *http.Client, from string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return errors.New("not a URL")
	}
	request.Header.Set("Accept", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return errors.New("no answer")
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", response.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxDocument+1))
	switch {
	case err != nil:
		return errors.New("the answer is incomplete")
	case len(body) > maxDocument:
		return errors.New("the answer is too large")
	case json.Unmarshal(body, into) != nil:
		return errors.New("the answer is not the expected JSON")
	}
	return nil
}

type issuer struct {
	// name is the URL exactly as tokens have it in iss.
	name string
	// tenant is the Entra ID tenant in lower case, or "" for any other issuer.
	tenant string
}

// entraV2 and entraV1 are the hosts under which Entra ID issues tokens of its
// two versions, for the public cloud, the US government and China.
const (
	entraV2 = `^https://login\.(microsoftonline\.com|microsoftonline\.us|partner\.microsoftonline\.cn)/([^/]*)/v2\.0$`
	entraV1 = `^https://sts\.(windows\.net|chinacloudapi\.cn)/([^/]*)/$`
)

const entraForms = "https://login.microsoftonline.com/TENANT-GUID/v2.0, or https://sts.windows.net/TENANT-GUID/ for tokens of version 1"

// parseIssuer parses a configured issuer. For Entra ID it requires one tenant:
// issuers for many tenants have a placeholder, and accepting one would accept
// every tenant.
func parseIssuer(text string) (issuer, error) {
	at, err := url.Parse(text)
	switch {
	case err != nil || at.Host == "" || at.User != nil || at.RawQuery != "" || at.Fragment != "" || at.ForceQuery:
		return issuer{}, fmt.Errorf("%q is not an issuer such as https://login.example/realms/team", untrusted.Sanitize(text))
	case at.Scheme != "https" && (at.Scheme != "http" || !httpclient.IsLoopback(at.Hostname())):
		return issuer{}, fmt.Errorf("issuer %s must begin with https://", untrusted.Sanitize(text))
	case !ofEntra(at.Hostname()):
		return issuer{name: text}, nil
	}
	return entraIssuer(text)
}

func entraIssuer(text string) (issuer, error) {
	for _, form := range []string{entraV2, entraV1} {
		if parts := regexp.MustCompile(form).FindStringSubmatch(text); parts != nil && naming.IsGUID(parts[2]) {
			tenant := strings.ToLower(parts[2])
			return issuer{name: strings.Replace(text, parts[2], tenant, 1), tenant: tenant}, nil
		}
	}
	return issuer{}, errors.New("an issuer of Entra ID is given for each tenant, as " + entraForms)
}

// ofEntra compares the domain, so that no other spelling of an Entra issuer
// counts as an ordinary one, whose callers would have other names.
func ofEntra(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	domains := []string{"microsoftonline.com", "microsoftonline.us", "microsoftonline.cn", "windows.net", "chinacloudapi.cn", "microsoft.com"}
	return slices.ContainsFunc(domains, func(domain string) bool { return host == domain || strings.HasSuffix(host, "."+domain) })
}

// url is the name, which parseIssuer has parsed before.
func (i issuer) url() *url.URL {
	at, _ := url.Parse(i.name)
	return at
}
