package armclient

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"mcp-partner/internal/naming"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

// Client reaches ARM in one tenant with one credential. It is safe for
// concurrent use.
type Client struct {
	options Options
	conn    *connection
	// settle is how long a link is left alone after a write without an answer,
	// before it is read a second time.
	settle time.Duration
}

// New makes a client. It sends nothing. An error is a *problems.Problem about the
// options.
func New(cred azcore.TokenCredential, o Options) (*Client, error) {
	o = o.withDefaults()
	endpoint, err := o.check(cred)
	if err != nil {
		return nil, err
	}
	conn, err := connect(cred, o, endpoint)
	if err != nil {
		return nil, err
	}
	return &Client{options: o, conn: conn, settle: min(settleDefault, cmp.Or(4*o.RetryDelay, settleDefault))}, nil
}

// Probe reads .../partners/{segment}, whatever the segment is, under the given
// api-version ("" is the right one), to see how the provider answers:
// Options.Observe has the answer. The error is a *problems.Problem.
func (c *Client) Probe(ctx context.Context, segment, version string) error {
	ctx, _ = withRecord(ctx)
	_, err := c.conn.read(ctx, schemas.PathPartners+"/"+url.PathEscape(segment), cmp.Or(version, schemas.APIVersion))
	return err
}

// identity is the pair that a call was about: from the token if one was read,
// else as far as the options know it.
func (c *Client) identity(r *record) answers.Identity {
	return answers.Identity{
		TenantID: cmp.Or(r.claims.tenantID, c.options.TenantID), ObjectID: r.claims.objectID,
		Tenant: c.options.TenantName, Cloud: c.options.Cloud, Credential: c.options.Credential,
	}
}

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
	// Once sends each read once. What may be worth another request comes back at
	// once, with RetryAfterSeconds in its problem where ARM gave a time.
	Once bool
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
