package armclient

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"mcp-partner/internal/naming"
	"mcp-partner/schemas/problems"
)

// Options says which tenant a Client is for and how it reaches ARM. One Client
// serves one (tenant, credential) pair: azcore's bearer policy keeps one token
// and never looks at a tenant.
type Options struct {
	// TenantID is the tenant's GUID: the tid that every token must carry.
	TenantID string
	// TenantName, Cloud and Credential are the names that answers.Identity shows.
	TenantName, Cloud, Credential string
	// PinnedObjectID, if set, is the oid that every token must carry.
	PinnedObjectID string
	// Endpoint is ARM's base URL; it must be https. Audience is what tokens are
	// asked for: the scope is Audience + "/.default", so that the public cloud's
	// audience, which ends in a slash, makes the documented scope with two.
	Endpoint, Audience string
	// Transport sends the requests; share one among all clients of a cloud. An
	// *http.Client is used without following redirects, whatever its
	// CheckRedirect says.
	Transport policy.Transporter
	// Clock is asked for the time where Retry-After is a date; nil is time.Now.
	Clock func() time.Time
	// RetryDelay is the first wait between attempts of a read; 0 is azcore's 800
	// ms. Tests shorten it.
	RetryDelay time.Duration
	// Observe, if set, is called with each request that was sent and its answer. It
	// must return at once, and may be called from several goroutines.
	Observe func(Exchange)
	// Watch, if set, is called for each request sent, including repeated ones. The
	// request uses the context that it returns; the returned function is called
	// with the status of the answer, or 0 without one.
	Watch func(ctx context.Context, method string) (context.Context, func(status int))
}

func (o Options) withDefaults() Options {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Watch == nil {
		o.Watch = func(ctx context.Context, _ string) (context.Context, func(int)) { return ctx, func(int) {} }
	}
	o.Endpoint = strings.TrimRight(o.Endpoint, "/")
	return o
}

// check returns the endpoint as a URL, or what is wrong with the options.
func (o Options) check(cred azcore.TokenCredential) (*url.URL, error) {
	switch {
	case cred == nil:
		return nil, problems.New(problems.CodeInternal, "The client has no credential.")
	case o.Transport == nil:
		return nil, problems.New(problems.CodeInternal, "The client has no transport.")
	case !naming.IsGUID(o.TenantID):
		return nil, invalid("The tenant ID is not a GUID.")
	case o.PinnedObjectID != "" && !naming.IsGUID(o.PinnedObjectID):
		return nil, invalid("The pinned object ID is not a GUID.")
	case o.Audience == "":
		return nil, invalid("The ARM audience is empty.")
	}
	u, err := url.Parse(o.Endpoint)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, invalid("The ARM endpoint is not a URL of the form https://HOST.")
	}
	return u, nil
}

// tenantWords names the tenant that was asked for, for messages.
func (o Options) tenantWords() string {
	if o.TenantName == "" {
		return "tenant " + strings.ToLower(o.TenantID)
	}
	return fmt.Sprintf("tenant %s (%s)", o.TenantName, strings.ToLower(o.TenantID))
}

func invalid(message string) error {
	return problems.New(problems.CodeInvalidArgument, message,
		problems.WithCommand("Ask a person to correct the directory entry.", "mcp-partner tenants set NAME"))
}
