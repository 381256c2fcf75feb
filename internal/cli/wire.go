package cli

import (
	"context"
	"encoding/json"

	"mcp-partner/armclient"
	"mcp-partner/guard"
	"mcp-partner/internal/httpclient"
	"mcp-partner/schemas"
	"mcp-partner/search"
	"mcp-partner/server"
	"mcp-partner/tools"
	"mcp-partner/vault"
)

// house is the directory of tenants, the secrets, and the clients that both
// lead to.
type house struct {
	directory *vault.Directory
	store     vault.Store
	source    *vault.Source
	http      *httpclient.Pool
	clients   *clients
	// simulated is the world that stands in for Azure, or nil.
	simulated *simulation
}

// openHouse opens the state directory, or with a simulation a house in memory.
// The vault is not opened yet: that happens at the first use of a secret.
func (f *Factory) openHouse(keys keyOptions, simulated *simulation) (*house, error) {
	if simulated != nil {
		return f.simulatedHouse(simulated)
	}
	dir, err := f.stateDirectory()
	if err != nil {
		return nil, err
	}
	directory, err := vault.OpenDirectory(dir)
	if err != nil {
		return nil, err
	}
	store, err := vault.OpenFileStore(dir, f.keySource(keys))
	if err != nil {
		return nil, asUsage(err)
	}
	return f.furnish(directory, store), nil
}

func (f *Factory) simulatedHouse(simulated *simulation) (*house, error) {
	directory, store, err := simulated.memory()
	if err != nil {
		return nil, err
	}
	h := f.furnish(directory, store)
	h.simulated = simulated
	return h, nil
}

// furnish adds what makes tokens and clients out of a directory and secrets.
func (f *Factory) furnish(directory *vault.Directory, store vault.Store) *house {
	pool := httpclient.NewPool(httpclient.Options{})
	source := vault.NewSource(vault.Options{Directory: directory, Store: store, HTTP: pool, Logger: f.Log})
	return &house{
		directory: directory, store: store, source: source, http: pool,
		clients: newClients(directory, source, pool),
	}
}

// Close ends what runs in the background.
func (h *house) Close() {
	h.source.Close()
	h.http.CloseIdle()
	if h.simulated != nil {
		h.simulated.Close()
	}
}

// service puts the call path of all tools together.
func (h *house) service(f *Factory, rules guard.Options) (*tools.Service, error) {
	rules.Simulated = h.simulated != nil
	decider, err := guard.New(rules)
	if err != nil {
		return nil, asUsage(err)
	}
	return tools.NewService(tools.Deps{
		Directory: directory{h.directory}, Clients: h.clients, Guard: decider,
		Search: search.New(schemas.Catalogue(), inputSchema), Command: f.shellCommand(), Logger: f.Log,
	}), nil
}

func inputSchema(name string) map[string]any {
	op, ok := schemas.Lookup(name)
	if !ok {
		return nil
	}
	return schemas.Object(op.InputSchema())
}

// mcpServer is the MCP server around a service.
func (f *Factory) mcpServer(service *tools.Service) *server.Server {
	return server.New(server.Options{
		Name: "mcp-partner", Title: "Partner Admin Link", Version: buildOf().Version,
		Instructions: tools.Instructions, Registrar: service,
		Completions: server.Completions{Prompts: service, Resources: service}, Logger: f.Log,
	})
}

// directory shows the vault's directory as the tools want it.
type directory struct{ *vault.Directory }

// Resolve implements tools.Directory.
func (d directory) Resolve(ref string) (schemas.Tenant, error) {
	entry, err := d.Directory.Resolve(ref)
	return entry.Tenant(), err
}

// List implements tools.Directory.
func (d directory) List() ([]schemas.Tenant, error) {
	entries, err := d.Directory.List()
	if err != nil {
		return nil, err
	}
	tenants := make([]schemas.Tenant, len(entries))
	for i, entry := range entries {
		tenants[i] = entry.Tenant()
	}
	return tenants, nil
}

// PinObjectID implements tools.Directory. It waits for the lock no longer than
// the vault itself allows.
func (d directory) PinObjectID(tenant, credential, objectID string) error {
	return d.Directory.PinObjectID(context.Background(), tenant, credential, objectID)
}

// clients hands out one ARM client for each identity in a tenant.
type clients struct {
	directory *vault.Directory
	source    *vault.Source
	http      *httpclient.Pool
	pool      *armclient.Pool
}

// place is all that a client is made of. It is the client's key in the pool,
// so that an entry which changed has another client.
type place struct {
	Tenant, TenantID, ObjectID string
	Cloud                      vault.Cloud
	Credential                 vault.CredentialConfig
}

func newClients(directory *vault.Directory, source *vault.Source, http *httpclient.Pool) *clients {
	c := &clients{directory: directory, source: source, http: http}
	c.pool = armclient.NewPool(c.build)
	return c
}

// Client implements tools.Clients.
func (c *clients) Client(_ context.Context, tenant schemas.Tenant, credential string) (tools.Azure, error) {
	where, err := c.place(tenant.Name, credential)
	if err != nil {
		return nil, err
	}
	key, err := json.Marshal(where)
	if err != nil {
		return nil, err
	}
	client, err := c.pool.Get(armclient.Key{Tenant: string(key), Credential: where.Credential.Name})
	if err != nil {
		return nil, err
	}
	return client, nil
}

// place reads the directory as it is now.
func (c *clients) place(tenant, credential string) (place, error) {
	entry, err := c.directory.Get(tenant)
	if err != nil {
		return place{}, err
	}
	ref, err := entry.Credential(credential)
	if err != nil {
		return place{}, err
	}
	config, err := c.directory.Credential(ref.Name)
	return place{entry.Name, entry.TenantID, ref.PinnedObjectID, entry.Cloud, config}, err
}

func (c *clients) build(key armclient.Key) (*armclient.Client, error) {
	var where place
	if err := json.Unmarshal([]byte(key.Tenant), &where); err != nil {
		return nil, err
	}
	credential, err := c.source.Credential(context.Background(), where.TenantID, where.Credential.Name)
	if err != nil {
		return nil, err
	}
	transport, err := c.http.Client([]byte(where.Cloud.CAPEM))
	if err != nil {
		return nil, schemas.NewProblem(schemas.CodeInvalidArgument, "The CA of tenant "+where.Tenant+" holds no certificate that can be read.",
			schemas.WithHint("A person runs: mcp-partner tenants set %s --ca-file FILE", where.Tenant))
	}
	return armclient.New(credential, armclient.Options{
		TenantID: where.TenantID, TenantName: where.Tenant, Cloud: where.Cloud.Name, Credential: where.Credential.Name,
		PinnedObjectID: where.ObjectID, Endpoint: where.Cloud.ARMEndpoint, Audience: where.Cloud.ARMAudience, Transport: transport,
	})
}
