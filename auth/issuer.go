package auth

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"mcp-partner/internal/httpclient"
	"mcp-partner/internal/naming"
	"mcp-partner/internal/untrusted"
)

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
