package armclient

import (
	"cmp"
	"context"
	"net/url"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
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
	_, err := c.conn.read(ctx, c.conn.retry, schemas.PathPartners+"/"+url.PathEscape(segment), cmp.Or(version, schemas.APIVersion))
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
