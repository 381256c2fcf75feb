package app

import (
	"context"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"mcp-partner/armclient"
	"mcp-partner/fleet"
	"mcp-partner/internal/httpclient"
	"mcp-partner/internal/telemetry"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas"
	"mcp-partner/schemas/problems"
	"mcp-partner/signin"
	"mcp-partner/tenants"
	"mcp-partner/tools"
)

// clients hands out one ARM client for each identity in a tenant.
type clients struct {
	directory *tenants.Directory
	source    *signin.Source
	http      *httpclient.Pool
	pool      *armclient.Pool[place]
	watch     *telemetry.Observer
}

// place is all that a client is made of. It is the client's key in the pool,
// so that an entry which changed has another client.
type place struct {
	Tenant, TenantID, ObjectID string
	Cloud                      tenants.Cloud
	Credential                 tenants.CredentialConfig
}

func newClients(directory *tenants.Directory, source *signin.Source, http *httpclient.Pool, watch *telemetry.Observer) *clients {
	c := &clients{directory: directory, source: source, http: http, watch: watch}
	c.pool = armclient.NewPool(c.make)
	return c
}

// Client implements tools.Clients.
func (c *clients) Client(_ context.Context, tenant schemas.Tenant, credential string) (tools.Azure, error) {
	where, err := c.place(tenant.Name, credential)
	if err != nil {
		return nil, err
	}
	client, err := c.pool.Get(where)
	if err != nil {
		return nil, err
	}
	return client, nil
}

// place reads the directory as it is now.
func (c *clients) place(tenant, credential string) (place, error) {
	entry, ref, config, err := c.directory.Acting(tenant, credential)
	return place{entry.Name, entry.TenantID, ref.PinnedObjectID, entry.Cloud, config}, err
}

func (c *clients) make(where place) (*armclient.Client, error) {
	credential, options, err := c.options(where)
	if err != nil {
		return nil, err
	}
	return armclient.New(credential, options)
}

// options are what every client of a place is made of.
func (c *clients) options(where place) (azcore.TokenCredential, armclient.Options, error) {
	credential, err := c.source.Credential(context.Background(), where.TenantID, where.Credential.Name)
	if err != nil {
		return nil, armclient.Options{}, err
	}
	transport, err := c.http.Client([]byte(where.Cloud.CAPEM))
	if err != nil {
		return nil, armclient.Options{}, problems.New(problems.CodeInvalidArgument, "The CA of tenant "+where.Tenant+" has no readable certificate.",
			problems.WithCommand("Set the CA file of the tenant again.", "mcp-partner tenants set %s --ca-file FILE", where.Tenant))
	}
	return watched{credential, c.watch}, armclient.Options{
		TenantID: where.TenantID, TenantName: where.Tenant, Cloud: where.Cloud.Name, Credential: where.Credential.Name,
		PinnedObjectID: where.ObjectID, Endpoint: where.Cloud.ARMEndpoint, Audience: where.Cloud.ARMAudience, Transport: transport,
		Watch: c.watch.ARM,
	}, nil
}

// ARM returns what a client of one tenant is built from, for a program that
// watches the exchanges itself, and the kind of its credential.
func (c *clients) ARM(tenant, credential string) (azcore.TokenCredential, armclient.Options, tenants.Kind, error) {
	where, err := c.place(tenant, credential)
	if err != nil {
		return nil, armclient.Options{}, "", err
	}
	source, options, err := c.options(where)
	return source, options, where.Credential.Kind, err
}

// openFleet makes what runs over many tenants, once for a house. Without a vault
// there is no ledger: then runs live as long as the process.
func (a *App) openFleet(directory fleet.Directory) *fleet.Fleet {
	if a.Fleet != nil {
		return a.Fleet
	}
	record := a.temporary.Ledger
	if a.KeepsRecord() {
		record = a.Ledger
	}
	a.Fleet = fleet.New(fleet.Options{
		Directory: directory, Clients: passing{a.Clients}, Store: record, Record: record, Pin: a.pin,
		Limits: a.settings.Limits, Keep: a.settings.Config.KeepRuns, Logger: a.settings.Log,
		PECRoles: a.roles,
	})
	return a.Fleet
}

// passing hands out clients that are used once and not kept: a run over 10 000
// tenants would push those out of the pool that others use, and itself find
// none in it the next time. Tokens are kept elsewhere.
type passing struct{ *clients }

// Reader implements fleet.Clients.
func (p passing) Reader(_ context.Context, tenant schemas.Tenant, credential string) (fleet.Reader, error) {
	where, err := p.place(tenant.Name, credential)
	if err != nil {
		return nil, err
	}
	client, err := p.make(where)
	if err != nil {
		return nil, err
	}
	return client, nil
}

// pin remembers identities in one write of the directory.
func (a *App) pin(ctx context.Context, pins []fleet.Pin) error {
	return a.Directory.PinObjectIDs(ctx, xslices.Map(pins, func(p fleet.Pin) tenants.Pin { return tenants.Pin(p) })...)
}
