package tenants

import (
	"crypto/x509"
	"net/url"
	"strings"

	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas/problems"
)

// The names of clouds. Custom stands for everything else: private clouds and
// the simulator.
const (
	CloudPublic       = "public"
	CloudUSGovernment = "usgovernment"
	CloudChina        = "china"
	CloudCustom       = "custom"
)

// Cloud says where a credential may be sent and where its tokens are good for.
// It is fixed when an entry is added; no flag or environment variable of a
// later call changes it.
type Cloud struct {
	Name string `json:"name"`
	// Authority is the base URL of Microsoft Entra ID: https, a host, no path.
	Authority string `json:"authority"`
	// ARMEndpoint is the base URL of Azure Resource Manager, no trailing slash.
	ARMEndpoint string `json:"arm_endpoint"`
	// ARMAudience is the resource that tokens are asked for. For Microsoft's
	// clouds it ends with a slash, which gives the scope its two slashes.
	ARMAudience string `json:"arm_audience"`
	// CAPEM are the certificate authorities to trust for both hosts, in PEM,
	// instead of the system's; empty means the system's.
	CAPEM string `json:"ca_pem,omitempty"`
	// SkipInstanceDiscovery says that Microsoft is not asked whether it knows
	// Authority. A private authority needs this.
	SkipInstanceDiscovery bool `json:"skip_instance_discovery,omitempty"`
	// Unverified is true for a cloud in which the provider has not been seen.
	Unverified bool `json:"-"`
}

// CloudNamed returns one of Microsoft's clouds: public, usgovernment or china.
// The endpoints are those of Microsoft's published SDK configuration. It
// returns a CodeInvalidArgument problem for another name.
func CloudNamed(name string) (Cloud, error) {
	switch name {
	case CloudPublic:
		return Cloud{Name: name, Authority: "https://login.microsoftonline.com",
			ARMEndpoint: "https://management.azure.com",
			ARMAudience: "https://management.core.windows.net/"}, nil
	case CloudUSGovernment:
		return Cloud{Name: name, Authority: "https://login.microsoftonline.us",
			ARMEndpoint: "https://management.usgovcloudapi.net",
			ARMAudience: "https://management.core.usgovcloudapi.net/", Unverified: true}, nil
	case CloudChina:
		return Cloud{Name: name, Authority: "https://login.chinacloudapi.cn",
			ARMEndpoint: "https://management.chinacloudapi.cn",
			ARMAudience: "https://management.core.chinacloudapi.cn/", Unverified: true}, nil
	}
	return Cloud{}, problems.InvalidArgument("cloud %q is unknown: use public, usgovernment, china or custom (with its endpoints).", untrusted.Sanitize(name))
}

// Scope is the OAuth 2.0 scope of Azure Resource Manager in this cloud.
func (c Cloud) Scope() string { return c.ARMAudience + "/.default" }

// AuthorityHost is the host at which credentials of this cloud sign in, or empty
// where there is none.
func (c Cloud) AuthorityHost() string {
	whole, err := c.Normal()
	if err != nil {
		return ""
	}
	u, err := url.Parse(whole.Authority)
	if err != nil {
		return ""
	}
	return u.Host
}

// ConsentURL is the page on which an administrator of a tenant consents to an
// application. There is nothing secret in it.
func (c Cloud) ConsentURL(tenantID, clientID string) string {
	return c.Authority + "/" + url.PathEscape(tenantID) + "/adminconsent?client_id=" + url.QueryEscape(clientID)
}

// Normal checks a cloud and brings its URLs into one form. A cloud with one of
// Microsoft's names takes its endpoints from CloudNamed and refuses others: a
// name that everybody trusts must not lead elsewhere.
func (c Cloud) Normal() (Cloud, error) {
	if err := checkCA(c.CAPEM); err != nil {
		return Cloud{}, err
	}
	if c.Name == CloudCustom {
		return c.normalCustom()
	}
	known, err := CloudNamed(c.Name)
	if err != nil {
		return Cloud{}, err
	}
	if c.SkipInstanceDiscovery || !sameOrEmpty(c.Authority, known.Authority) ||
		!sameOrEmpty(c.ARMEndpoint, known.ARMEndpoint) || !sameOrEmpty(c.ARMAudience, known.ARMAudience) {
		return Cloud{}, problems.InvalidArgument("cloud %q has fixed endpoints: use the cloud \"custom\" for others.", c.Name)
	}
	known.CAPEM = c.CAPEM
	return known, nil
}

func sameOrEmpty(given, known string) bool {
	return given == "" || strings.TrimRight(given, "/") == strings.TrimRight(known, "/")
}

func (c Cloud) normalCustom() (Cloud, error) {
	authority, err := checkURL("authority", c.Authority)
	if err != nil {
		return Cloud{}, err
	}
	if authority.Path != "" {
		return Cloud{}, problems.InvalidArgument("authority has a path: give only the host, such as https://login.example.com; the tenant is added to it.")
	}
	endpoint, err := checkURL("ARM endpoint", c.ARMEndpoint)
	if err != nil {
		return Cloud{}, err
	}
	if err := checkAudience(c.ARMAudience); err != nil {
		return Cloud{}, err
	}
	c.Authority, c.ARMEndpoint, c.Unverified = authority.String(), endpoint.String(), true
	return c, nil
}

func checkURL(field, text string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimRight(text, "/"))
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return nil, problems.InvalidArgument("%s is not a URL: give one such as https://management.example.com.", field)
	case u.Scheme != "https":
		return nil, problems.InvalidArgument("%s is not an https URL: credentials and tokens are sent only over TLS.", field)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, problems.InvalidArgument("%s has a user, a query or a fragment: give only scheme, host and port.", field)
	}
	u.Host = strings.ToLower(u.Host)
	return u, nil
}

func checkAudience(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" || u.Host == "" || strings.ContainsAny(text, " \t\r\n") {
		return problems.InvalidArgument("ARM audience is not a URI: give the resource that tokens are for, such as https://management.core.windows.net/.")
	}
	if strings.HasSuffix(text, "/.default") {
		return problems.InvalidArgument("ARM audience ends with /.default: give the audience, not the scope.")
	}
	return nil
}

func checkCA(pem string) error {
	if pem != "" && !x509.NewCertPool().AppendCertsFromPEM([]byte(pem)) {
		return problems.InvalidArgument("The CA file has no readable PEM certificate.")
	}
	return nil
}
