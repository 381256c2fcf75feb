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
	watch     *telemetry.Observer
}

func newClients(directory *tenants.Directory, source *signin.Source, http *httpclient.Pool, watch *telemetry.Observer) *clients {
	return &clients{directory, source, http, watch}
}

// Client implements tools.Clients. A client is made for each call: that costs less
// than one request, and tokens and connections are kept elsewhere.
func (c *clients) Client(_ context.Context, tenant schemas.Tenant, credential string) (tools.Azure, error) {
	client, err := c.client(tenant, credential, false)
	if err != nil {
		return nil, err
	}
	return client, nil
}

// Reader implements fleet.Clients. A run itself waits and asks again.
func (c *clients) Reader(_ context.Context, tenant schemas.Tenant, credential string) (fleet.Reader, error) {
	client, err := c.client(tenant, credential, true)
	if err != nil {
		return nil, err
	}
	return client, nil
}

func (c *clients) client(tenant schemas.Tenant, credential string, once bool) (*armclient.Client, error) {
	source, options, _, err := c.ARM(tenant.Name, credential)
	if err != nil {
		return nil, err
	}
	options.Once = once
	return armclient.New(source, options)
}

// ARM returns what a client of one tenant is built from, by the directory as it is
// now, for a program that watches the exchanges itself, and the kind of its credential.
func (c *clients) ARM(tenant, credential string) (azcore.TokenCredential, armclient.Options, tenants.Kind, error) {
	entry, ref, config, err := c.directory.Acting(tenant, credential)
	if err != nil {
		return nil, armclient.Options{}, "", err
	}
	source, err := c.source.Credential(context.Background(), entry.TenantID, config.Name)
	if err != nil {
		return nil, armclient.Options{}, "", err
	}
	transport, err := c.http.Client([]byte(entry.Cloud.CAPEM))
	if err != nil {
		return nil, armclient.Options{}, "", problems.New(problems.CodeInvalidArgument, "The CA of tenant "+entry.Name+" has no readable certificate.",
			problems.WithCommand("Set the CA file of the tenant again.", "mcp-partner tenants set %s --ca-file FILE", entry.Name))
	}
	return watched{source, c.watch}, armclient.Options{
		TenantID: entry.TenantID, TenantName: entry.Name, Cloud: entry.Cloud.Name, Credential: config.Name,
		PinnedObjectID: ref.PinnedObjectID, Endpoint: entry.Cloud.ARMEndpoint, Audience: entry.Cloud.ARMAudience, Transport: transport,
		Watch: c.watch.ARM,
	}, config.Kind, nil
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
		Directory: directory, Clients: a.Clients, Store: record, Record: record, Pin: a.pin,
		Limits: a.settings.Limits, Keep: a.settings.Config.KeepRuns, Logger: a.settings.Log,
		PECRoles: a.roles,
	})
	return a.Fleet
}

// pin remembers identities in one write of the directory.
func (a *App) pin(ctx context.Context, pins []fleet.Pin) error {
	return a.Directory.PinObjectIDs(ctx, xslices.Map(pins, func(p fleet.Pin) tenants.Pin { return tenants.Pin(p) })...)
}
