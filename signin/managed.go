package signin

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"mcp-partner/schemas/problems"
	"mcp-partner/tenants"
)

const (
	// imdsEndpoint is where a virtual machine asks for its tokens. It is the same
	// on all machines in Azure and is reached from the machine alone.
	imdsEndpoint    = "http://169.254.169.254"
	metadataDial    = 2 * time.Second
	metadataTimeout = 20 * time.Second
	// skipSharedCache makes MSAL ask anew: it keeps the tokens of managed
	// identities in one cache for the whole process, where a token that ARM
	// refused would come back. The text itself is not sent.
	skipSharedCache = "{}"
)

// IdentityVariables are the environment variables that say where a managed
// identity gets its tokens. The platform sets them, so unlike everything else
// about where something is sent they count.
func IdentityVariables() []string {
	return []string{"IDENTITY_ENDPOINT", "IDENTITY_HEADER", "MSI_ENDPOINT", "MSI_SECRET", "IMDS_ENDPOINT"}
}

// metadataClient uses no proxy: the endpoint is on the machine itself, and what
// goes through a proxy is another machine's identity at best.
func metadataClient() *http.Client {
	dialer := &net.Dialer{Timeout: metadataDial}
	return &http.Client{
		Transport:     &http.Transport{DialContext: dialer.DialContext, ResponseHeaderTimeout: metadataTimeout, MaxResponseHeaderBytes: 64 << 10},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// awayFromHome refuses a managed identity for another tenant than the one in
// which it exists: its endpoint would answer with a token of that one.
func (t target) awayFromHome() *problems.Problem {
	if t.credential.Kind != tenants.KindManagedIdentity || t.credential.HomeTenant == t.tenantID {
		return nil
	}
	return problems.New(problems.CodeWrongTenant,
		fmt.Sprintf("The managed identity of credential %s exists in tenant %s only, and %s is %s; nothing was sent.", t.credential.Name, t.credential.HomeTenant, t.tenant, t.tenantID),
		problems.WithHint("Give %s a credential that can sign in there, such as a client secret, a certificate, or a workload identity.", t.tenant))
}

func (s *Source) managedIdentity(t target, x *exchange) (azcore.TokenCredential, error) {
	endpoint, err := managedEndpoint()
	if err != nil {
		return nil, t.noEndpoint(err.Error())
	}
	x.machine = s.metadata
	x.also = func(r *http.Request) bool {
		return r.URL.Scheme == endpoint.Scheme && strings.EqualFold(r.URL.Host, endpoint.Host)
	}
	return azidentity.NewManagedIdentityCredential(&azidentity.ManagedIdentityCredentialOptions{
		ClientOptions: s.clientOptions(x, t), ID: managedID(t.credential),
	})
}

func managedID(c tenants.CredentialConfig) azidentity.ManagedIDKind {
	switch {
	case c.ClientID != "":
		return azidentity.ClientID(c.ClientID)
	case c.ResourceID != "":
		return azidentity.ResourceID(c.ResourceID)
	case c.ObjectID != "":
		return azidentity.ObjectID(c.ObjectID)
	}
	return nil // the system-assigned one
}

// managedEndpoint is where the identity SDK will ask, by the same variables.
func managedEndpoint() (*url.URL, error) {
	if os.Getenv("IDENTITY_SERVER_THUMBPRINT") != "" {
		return nil, errors.New("managed identities of Service Fabric are not supported")
	}
	if os.Getenv("IDENTITY_ENDPOINT") != "" && os.Getenv("IDENTITY_HEADER")+os.Getenv("IMDS_ENDPOINT") == "" {
		return nil, errors.New("IDENTITY_ENDPOINT is set without IDENTITY_HEADER (App Service) or IMDS_ENDPOINT (Azure Arc)")
	}
	u, err := url.Parse(cmp.Or(os.Getenv("IDENTITY_ENDPOINT"), os.Getenv("MSI_ENDPOINT"), imdsEndpoint))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("the endpoint in the environment is not a URL")
	}
	return u, nil
}

func (t target) noEndpoint(why string) *problems.Problem {
	return problems.New(problems.CodeSignInUnavailable,
		fmt.Sprintf("The managed identity of credential %s cannot provide a token: %s.", t.credential.Name, why),
		problems.WithHint("Managed identities work on machines in Azure that have one; mcp-partner doctor shows the endpoint."))
}

func identityEndpoint(host string) string {
	for _, name := range []string{"IDENTITY_ENDPOINT", "MSI_ENDPOINT"} {
		if os.Getenv(name) != "" {
			return "the identity endpoint " + host + " (" + name + ")"
		}
	}
	return "the metadata service of the machine (" + host + ")"
}

// managedProblem judges what the endpoint of a managed identity answered. Its
// forms differ from platform to platform; the status tells the cases apart. An
// answer that is no JSON object is that of something else.
func (x *exchange) managedProblem(t target) *problems.Problem {
	var answer map[string]json.RawMessage
	who := identityEndpoint(x.host)
	if json.Unmarshal(x.body, &answer) != nil {
		return t.statusProblem(who, x.status, x.header)
	}
	var what string
	switch x.status {
	case http.StatusBadRequest, http.StatusNotFound:
		what = " does not have the managed identity that credential " + t.credential.Name + " names"
	case http.StatusUnauthorized, http.StatusForbidden:
		what = " does not accept the request for credential " + t.credential.Name
	default:
		return t.statusProblem(who, x.status, x.header)
	}
	return problems.New(problems.CodeCredentialRejected, fmt.Sprintf("Signing in to tenant %s failed: %s (status %d).", t.tenant, who+what, x.status), t.renewHint())
}
