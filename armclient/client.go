package armclient

import (
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"mcp-partner/schemas"
)

// Client is the upper layer for one tenant with one credential. It is safe for
// concurrent use.
type Client struct {
	options   Options
	partners  *PartnersClient
	partner   *PartnerClient
	operation *OperationClient
	tenants   *TenantsClient
	// settle is how long a link is left alone after a write without an answer,
	// before it is read a second time.
	settle time.Duration
	roles  func() (roleClients, error)
}

// New makes a client. It sends nothing. An error is a *schemas.Problem about the
// options.
func New(cred azcore.TokenCredential, o Options) (*Client, error) {
	factory, err := NewClientFactory(cred, o)
	if err != nil {
		return nil, err
	}
	return &Client{
		options: o, partners: factory.NewPartnersClient(), partner: factory.NewPartnerClient(),
		operation: factory.NewOperationClient(), tenants: factory.NewTenantsClient(), settle: settleTime(o),
		roles: lazyRoleClients(cred, o),
	}, nil
}

// identity is the pair that a call was about: from the token if one was read,
// else as far as the options know it.
func (c *Client) identity(r *record) schemas.Identity {
	id := schemas.Identity{TenantID: c.options.TenantID, Tenant: c.options.TenantName, Cloud: c.options.Cloud, Credential: c.options.Credential}
	if r.claims.tenantID != "" {
		id.TenantID = r.claims.tenantID
	}
	id.ObjectID = r.claims.objectID
	return id
}
