package cli

import (
	"context"
	"encoding/json"
	"path/filepath"
	"slices"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"mcp-partner/armclient"
	"mcp-partner/fleet"
	"mcp-partner/guard"
	"mcp-partner/internal/httpclient"
	"mcp-partner/internal/memlimit"
	"mcp-partner/internal/telemetry"
	"mcp-partner/ledger"
	"mcp-partner/schemas"
	"mcp-partner/search"
	"mcp-partner/server"
	"mcp-partner/signin"
	"mcp-partner/tenants"
	"mcp-partner/tools"
	"mcp-partner/vault"
)

// house is the directory of tenants, the secrets, the record, and the clients
// that all lead to.
type house struct {
	settings  *Settings
	directory *tenants.Directory
	store     vault.Store
	source    *signin.Source
	http      *httpclient.Pool
	clients   *clients
	// health is what became of sign-ins.
	health *tenants.HealthFile
	// ledger, keyring and vault are of a real state directory, else nil.
	ledger  *ledger.Ledger
	keyring *vault.Keyring
	vault   *vault.Vault
	// unrecorded keeps sign-ins out of the ledger. It is set before the first one.
	unrecorded bool
	// fleet runs what is about many tenants.
	fleet *fleet.Fleet
	// services may have runs that go on behind a call.
	services []*tools.Service
	// hook announces pending approvals, or is nil.
	hook *webhook
	// simulated is the world that stands in for Azure, or nil.
	simulated *simulation
}

// openHouse opens the state directory, or with a simulation a house in memory.
// Neither the vault nor the ledger is opened yet: that happens at their first
// use.
func (s *Settings) openHouse(keys keyOptions, simulated *simulation) (*house, error) {
	if simulated != nil {
		return s.simulatedHouse(simulated)
	}
	dir, err := s.stateDirectory()
	if err != nil {
		return nil, err
	}
	directory, err := tenants.OpenDirectory(dir)
	if err != nil {
		return nil, err
	}
	s.limitMemory(dir)
	pool := httpclient.NewPool(httpclient.Options{})
	store, err := vault.OpenVault(dir, s.keySource(keys), pool)
	if err != nil {
		return nil, wrongKeyFlags(err)
	}
	keyring := store.Keyring()
	record := ledger.Open(ledger.Options{Dir: dir, Keys: keyring, Program: buildOf().Version, RolledBack: func(missing int64) {
		s.Log.Warn("an older ledger was put back: its open approvals and tokens were voided, and entries are missing", "count", missing)
	}})
	var h *house
	h = s.furnish(directory, store, pool, func(e tenants.Event) {
		if !h.unrecorded {
			countToken(record, e)
		}
	})
	h.keyring, h.ledger, h.vault = keyring, record, store
	return h, nil
}

// limitMemory chooses the limit by the directory, and by what is served.
func (s *Settings) limitMemory(dir string) {
	memlimit.Set(memlimit.Needs{Directory: memlimit.SizeOf(filepath.Join(dir, tenants.DirectoryFile)), HTTP: s.servesHTTP})
}

// countToken puts tokens that were minted into the record, gathered.
func countToken(record *ledger.Ledger, e tenants.Event) {
	if e.Problem == nil {
		record.CountToken(e.Credential, e.Tenant)
	}
}

func (s *Settings) simulatedHouse(simulated *simulation) (*house, error) {
	directory, store, err := simulated.memory()
	if err != nil {
		return nil, err
	}
	h := s.furnish(directory, store, nil, nil)
	h.simulated = simulated
	return h, nil
}

// furnish adds what makes tokens and clients out of a directory and secrets. A
// pool that is nil is made.
func (s *Settings) furnish(directory *tenants.Directory, store vault.Store, pool *httpclient.Pool, onToken func(tenants.Event)) *house {
	if pool == nil {
		pool = httpclient.NewPool(httpclient.Options{})
	}
	health := s.openHealth(onToken != nil)
	source := signin.NewSource(signin.Options{Directory: directory, Store: store, HTTP: pool, Logger: s.Log, OnToken: noted(health, s.watchTokens(onToken))})
	return &house{
		settings: s, health: health, directory: directory, store: store, source: source, http: pool,
		clients: newClients(directory, source, pool, s.Observer),
	}
}

// Close ends what runs in the background.
func (h *house) Close() {
	for _, service := range h.services {
		service.Close()
	}
	if h.fleet != nil {
		h.fleet.Close()
	}
	h.source.Close()
	h.health.Close()
	h.hook.wait()
	if h.ledger != nil {
		_ = h.ledger.Close() // what could still be lost here are counts of tokens
	}
	if h.vault != nil {
		h.vault.Close()
	}
	h.http.CloseIdle()
	if h.simulated != nil {
		h.simulated.Close()
	}
}

// guard makes the guard of this house. What decides are the rules of the
// configuration, or else the flags that are given.
func (h *house) guard(o guard.Options) (*guard.Guard, error) {
	var err error
	o.Simulated, o.Rules, o.Account = h.simulated != nil, h.settings.Config.Policy(), account()
	if h.ledger != nil {
		o.Store, o.Sealer = h.ledger, h.sealer()
	}
	if h.ledger != nil && o.Announce == nil {
		if h.hook, err = h.settings.newWebhook(); err != nil {
			return nil, err
		}
		o.Announce = h.hook.announce
	}
	decider, err := guard.New(o)
	return decider, asUsage(err)
}

// service puts the call path of all tools together.
func (h *house) service(decider *guard.Guard) *tools.Service {
	service := tools.NewService(tools.Deps{
		Directory: directory{h.directory, h.health}, Clients: h.clients, Fleet: h.openFleet(), Guard: decider, Command: h.settings.command(), Simulated: h.simulated != nil,
		Search: search.New(schemas.Catalogue(), inputSchema), Logger: h.settings.Log,
		Observer: h.settings.Observer, Settled: h.settings.Settled,
	})
	h.services = append(h.services, service)
	return service
}

// command is how a person runs this program for the same state directory.
func (s *Settings) command() string {
	if s.givenStateDir == "" {
		return "mcp-partner"
	}
	return "mcp-partner --state-dir " + shellWord(s.StateDir)
}

// sealKey is the key that seals questions in the client's session.
const sealKey = "seal"

// sealer takes its keys from the vault, at each use, so that a key that was
// rotated meanwhile counts.
func (h *house) sealer() *guard.Sealer {
	return guard.LazySealer(func() ([][guard.KeySize]byte, error) {
		found, err := h.keyring.Keys(context.Background(), sealKey, guard.KeySize)
		keys := make([][guard.KeySize]byte, len(found))
		for i := range found {
			keys[i] = [guard.KeySize]byte(found[i])
		}
		return keys, err
	})
}

func inputSchema(name string) map[string]any {
	op, ok := schemas.Lookup(name)
	if !ok {
		return nil
	}
	return schemas.Object(op.InputSchema())
}

// mcpServer is the MCP server around a service.
func (s *Settings) mcpServer(service *tools.Service) *server.Server {
	return server.New(server.Options{
		Name: "mcp-partner", Title: "Partner Admin Link", Version: buildOf().Version,
		Instructions: tools.Instructions, Registrar: service,
		Completions: server.Completions{Prompts: service, Resources: service}, Authorize: tools.Authorize, Remote: s.Observer.Tracing.Remote, Logger: s.Log,
	})
}

// directory shows the vault's directory as the tools want it.
type directory struct {
	*tenants.Directory
	health *tenants.HealthFile
}

// Resolve implements tools.Directory.
func (d directory) Resolve(ref string, sees func(name string) bool) (schemas.Tenant, error) {
	entry, err := d.Directory.ResolveAmong(ref, sees)
	return entry.Tenant(), err
}

// List implements tools.Directory.
func (d directory) List() ([]schemas.Tenant, error) {
	all, err := d.Listing(d.health)
	if err != nil {
		return nil, err
	}
	views := viewsOf(all.Status)
	tenants := make([]schemas.Tenant, len(all.Entries))
	for i, entry := range all.Entries {
		tenants[i] = withStatus(entry.Tenant(), views)
		tenants[i].SameIdentity = sameIdentities(entry.Credentials, all.Credentials)
	}
	return tenants, nil
}

// sameIdentities finds the credentials of a tenant that are the same identity as
// one before them.
func sameIdentities(refs []tenants.CredentialRef, configs []tenants.CredentialConfig) map[string]string {
	if len(refs) < 2 {
		return nil
	}
	same, seen := map[string]string{}, []tenants.CredentialConfig{}
	for _, ref := range refs {
		i := slices.IndexFunc(configs, func(c tenants.CredentialConfig) bool { return sameName(c.Name, ref.Name) })
		if i < 0 {
			continue
		}
		config := configs[i]
		config.Name = ref.Name
		if n := slices.IndexFunc(seen, config.SameIdentity); n >= 0 {
			same[ref.Name] = seen[n].Name
			continue
		}
		seen = append(seen, config)
	}
	return same
}

// PinObjectID implements tools.Directory. It waits for the lock no longer than
// the vault itself allows.
func (d directory) PinObjectID(tenant, credential, objectID string) error {
	return d.Directory.PinObjectID(context.Background(), tenant, credential, objectID)
}

// ExpectPartnerID implements tools.Directory.
func (d directory) ExpectPartnerID(tenant, partnerID string) error {
	return d.Directory.Edit(context.Background(), tenant, func(e *tenants.Entry) error {
		e.ExpectedPartnerID = partnerID
		return nil
	})
}

// clients hands out one ARM client for each identity in a tenant.
type clients struct {
	directory *tenants.Directory
	source    *signin.Source
	http      *httpclient.Pool
	pool      *armclient.Pool
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
	return c.make(where)
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
		return nil, armclient.Options{}, schemas.NewProblem(schemas.CodeInvalidArgument, "The CA of tenant "+where.Tenant+" holds no certificate that can be read.",
			schemas.WithCommand("Set the CA file of the tenant again.", "mcp-partner tenants set %s --ca-file FILE", where.Tenant))
	}
	return watched{credential, c.watch}, armclient.Options{
		TenantID: where.TenantID, TenantName: where.Tenant, Cloud: where.Cloud.Name, Credential: where.Credential.Name,
		PinnedObjectID: where.ObjectID, Endpoint: where.Cloud.ARMEndpoint, Audience: where.Cloud.ARMAudience, Transport: transport,
		Watch: c.watch.ARM,
	}, nil
}
