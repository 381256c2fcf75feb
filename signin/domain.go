package signin

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/idna"

	"mcp-partner/internal/httpclient"
	"mcp-partner/internal/naming"
	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas/problems"
	"mcp-partner/tenants"
)

// discoveryTime bounds one look-up of a domain.
const discoveryTime = 20 * time.Second

// TenantOfDomain asks Entra ID of a cloud for the ID of the tenant that a domain
// belongs to, in its public discovery document. No credential is sent and no
// redirect followed. It returns a CodeTenantNotFound problem for a domain that
// Entra ID does not know; whatever kept it from answering is another one.
func TenantOfDomain(ctx context.Context, pool *httpclient.Pool, cloud tenants.Cloud, domain string) (string, error) {
	if err := tenants.CheckDomain(domain); err != nil {
		return "", err
	}
	cloud, err := cloud.Normal()
	if err != nil {
		return "", err
	}
	client, err := pool.Client([]byte(cloud.CAPEM))
	if err != nil {
		return "", problems.InvalidArgument("The CA file has no readable PEM certificate.")
	}
	host, err := idna.Lookup.ToASCII(domain)
	if err != nil {
		return "", problems.InvalidArgument("domain %q is not a domain name such as contoso.onmicrosoft.com.", untrusted.Sanitize(domain))
	}
	l := lookup{cloud: cloud, domain: domain}
	ctx, cancel := context.WithTimeout(ctx, discoveryTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, cloud.Authority+"/"+url.PathEscape(host)+"/v2.0/.well-known/openid-configuration", nil)
	if err != nil {
		return "", l.problem(problems.CodeInternal, "could not be asked")
	}
	response, err := client.Do(request)
	var body []byte
	if err == nil {
		body, err = readAnswer(response)
	}
	switch {
	case err != nil:
		return "", unanswered(err, "Looking up the domain "+domain, "Entra ID ("+cloud.AuthorityHost()+")")
	case response.StatusCode == http.StatusOK:
		return l.tenant(body)
	}
	return "", l.refused(response, body)
}

type lookup struct {
	cloud  tenants.Cloud
	domain string
}

func (l lookup) problem(code problems.Code, what string) *problems.Problem {
	return problems.New(code, fmt.Sprintf("Entra ID (%s) %s for the domain %s.", l.cloud.AuthorityHost(), what, l.domain))
}

// refused classifies an answer that is not the document. Only Entra ID's own
// answer about the tenant means that it does not exist.
func (l lookup) refused(response *http.Response, body []byte) *problems.Problem {
	var said entraError
	decoded := json.Unmarshal(body, &said) == nil
	_, known := knownCode(said.Codes...) // other numbers are about the request
	switch status := response.StatusCode; {
	case status == http.StatusTooManyRequests:
		problem := l.problem(problems.CodeSignInUnavailable, "asks to slow down and did not answer")
		problem.RetryAfterSeconds = retryAfter(response.Header)
		return problem
	case status < 500 && decoded && (said.Error == "invalid_tenant" || known.finding == findingNoTenant):
		return l.problem(problems.CodeTenantNotFound, "knows no tenant")
	default:
		return l.problem(problems.CodeSignInUnavailable, "answered with status "+strconv.Itoa(status)+", which tells nothing,")
	}
}

func (l lookup) tenant(body []byte) (string, error) {
	var document struct {
		Issuer string `json:"issuer"`
		Cloud  string `json:"cloud_instance_name"`
	}
	if json.Unmarshal(body, &document) != nil || document.Issuer == "" {
		return "", l.problem(problems.CodeUnexpectedResponse, "did not answer with a discovery document")
	}
	issuer, err := url.Parse(document.Issuer)
	if err != nil || issuer.Scheme != "https" || !l.ownHost(issuer.Host) {
		return "", l.problem(problems.CodeUnexpectedResponse, "named an issuer of another authority")
	}
	if document.Cloud != "" && !l.ownCloud(document.Cloud) {
		problem := l.problem(problems.CodeUnexpectedResponse, "named another cloud")
		problem.Hint = "Set the tenant's cloud in the row: public, usgovernment or china."
		return "", problem
	}
	id, rest, _ := strings.Cut(strings.TrimPrefix(issuer.Path, "/"), "/")
	if !naming.IsGUID(id) || strings.TrimSuffix(rest, "/") != "v2.0" {
		return "", l.problem(problems.CodeUnexpectedResponse, "named an issuer without a tenant ID")
	}
	return strings.ToLower(id), nil
}

const chinaIssuer = "login.partner.microsoftonline.cn"

func (l lookup) ownHost(host string) bool {
	return strings.EqualFold(host, l.cloud.AuthorityHost()) || l.cloud.Name == tenants.CloudChina && strings.EqualFold(host, chinaIssuer)
}

// ownCloud compares what Entra ID calls a tenant's cloud with the cloud that was
// asked. Private authorities call theirs what they like.
func (l lookup) ownCloud(name string) bool {
	names, known := map[string][]string{
		tenants.CloudPublic:       {"microsoftonline.com"},
		tenants.CloudUSGovernment: {"microsoftonline.us"},
		tenants.CloudChina:        {"partner.microsoftonline.cn", "chinacloudapi.cn"},
	}[l.cloud.Name]
	return !known || slices.Contains(names, strings.ToLower(name))
}
