package e2e

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"mcp-partner/access"
	"mcp-partner/armclient"
	"mcp-partner/guard"
	"mcp-partner/internal/httpclient"
	"mcp-partner/internal/ledgertest"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/partnerid"
	"mcp-partner/search"
	"mcp-partner/signin"
	"mcp-partner/simulator"
	"mcp-partner/tenants"
	"mcp-partner/tools"
	"mcp-partner/vault"
)

// wiring is the call path put together as the binary does it, over real TLS to
// a simulator, with two differences: reads are repeated without much of a
// pause, and each permit that reaches the wire is counted.
type wiring struct {
	tb        testing.TB
	sim       *simulator.Simulator
	server    *simulator.Server
	directory *tenants.Directory
	source    *signin.Source
	http      *httpclient.Pool
	service   *tools.Service
	spent     atomic.Int64
}

const wiredCredential = "app"

func newWiring(tb testing.TB, config simulator.Config) *wiring {
	tb.Helper()
	sim, err := simulator.New(config)
	check(tb, err)
	server, err := sim.Start(context.Background(), "127.0.0.1:0")
	check(tb, err)
	w := &wiring{tb: tb, sim: sim, server: server, http: httpclient.NewPool(httpclient.Options{})}
	w.openVault()
	decider, err := guard.New(guard.Options{AllowWrites: true, Simulated: true, Store: ledgertest.New(tb, time.Now)})
	check(tb, err)
	w.service = tools.NewService(tools.Deps{
		Directory: wiredDirectory{w.directory}, Clients: w, Guard: decider, Search: search.New(schemas.Catalogue(), inputSchema),
	})
	tb.Cleanup(func() {
		w.source.Close()
		w.http.CloseIdle()
		_ = server.Close()
	})
	return w
}

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func inputSchema(name string) map[string]any {
	op, _ := schemas.Lookup(name)
	return schemas.Object(op.InputSchema())
}

func (w *wiring) openVault() {
	w.tb.Helper()
	cloud := tenants.Cloud{
		Name: tenants.CloudCustom, Authority: w.server.Authority(), ARMEndpoint: w.server.URL(), ARMAudience: w.sim.Audience(),
		CAPEM: string(w.server.CAPEM()), SkipInstanceDiscovery: true,
	}
	var entries []tenants.Entry
	for _, t := range w.sim.Tenants() {
		entries = append(entries, tenants.Entry{Name: t.Name, TenantID: t.TenantID, Cloud: cloud, Credentials: []tenants.CredentialRef{{Name: wiredCredential}}})
	}
	var err error
	w.directory, err = tenants.NewMemoryDirectory(entries, []tenants.CredentialConfig{
		{Name: wiredCredential, Kind: tenants.KindClientSecret, ClientID: w.sim.ClientID()},
	})
	check(w.tb, err)
	secret, err := vault.NewSecret([]byte(w.sim.ClientSecret()))
	check(w.tb, err)
	store := vault.NewMemoryStore()
	check(w.tb, store.Put(context.Background(), wiredCredential, secret))
	w.source = signin.NewSource(signin.Options{Directory: w.directory, Store: store, HTTP: w.http})
}

// build makes the client of a tenant and a credential of the directory.
func (w *wiring) build(tenant, name string) (*armclient.Client, error) {
	entry, err := w.directory.Get(tenant)
	if err != nil {
		return nil, err
	}
	credential, err := w.source.Credential(context.Background(), entry.TenantID, name)
	if err != nil {
		return nil, err
	}
	transport, err := w.http.Client([]byte(entry.Cloud.CAPEM))
	if err != nil {
		return nil, err
	}
	return armclient.New(credential, armclient.Options{
		TenantID: entry.TenantID, TenantName: entry.Name, Cloud: entry.Cloud.Name, Credential: name,
		Endpoint: entry.Cloud.ARMEndpoint, Audience: entry.Cloud.ARMAudience, Transport: transport, RetryDelay: time.Millisecond,
	})
}

// Client implements tools.Clients.
func (w *wiring) Client(_ context.Context, tenant schemas.Tenant, _ string) (tools.Azure, error) {
	client, err := w.build(tenant.Name, wiredCredential)
	return counting{client, &w.spent}, err
}

// counting counts the permits that were spent.
type counting struct {
	*armclient.Client
	spent *atomic.Int64
}

// Apply implements tools.Azure.
func (c counting) Apply(ctx context.Context, permit guard.Permit, change armclient.Change) armclient.Outcome {
	outcome := c.Client.Apply(ctx, permit, change)
	if permit.Spent() {
		c.spent.Add(1)
	}
	return outcome
}

// wiredDirectory shows the vault's directory as the tools want it.
type wiredDirectory struct{ *tenants.Directory }

// Resolve implements tools.Directory.
func (d wiredDirectory) Resolve(ref string, sees func(name string) bool) (schemas.Tenant, error) {
	entry, err := d.Directory.ResolveAmong(ref, sees)
	return entry.Tenant(), err
}

// All implements tools.Directory.
func (d wiredDirectory) All() iter.Seq2[schemas.Tenant, error] {
	return func(yield func(schemas.Tenant, error) bool) {
		for entry, err := range d.Each() {
			if !yield(entry.Tenant(), err) {
				return
			}
		}
	}
}

// PinObjectID implements tools.Directory.
func (d wiredDirectory) PinObjectID(tenant, credential, objectID string) error {
	return d.Directory.PinObjectID(context.Background(), tenant, credential, objectID)
}

// ExpectPartnerID implements tools.Directory.
func (d wiredDirectory) ExpectPartnerID(tenant string, partnerID partnerid.ID) error {
	return d.Directory.Edit(context.Background(), tenant, func(e *tenants.Entry) error {
		e.ExpectedPartnerID = string(partnerID)
		return nil
	})
}

func (w *wiring) call(tool string, arguments map[string]any, person tools.Confirmer) answers.Envelope {
	w.tb.Helper()
	raw, err := json.Marshal(arguments)
	check(w.tb, err)
	return w.service.Call(w.tb.Context(), tools.Call{Tool: tool, Arguments: raw, Principal: access.Principal{Caller: "e2e", Grant: access.FullGrant()}, Confirmer: person}).Envelope
}

// writes returns the requests for links that were no GET, oldest first.
func (w *wiring) writes() []simulator.Record {
	var writes []simulator.Record
	for _, record := range w.sim.Journal() {
		if record.Method != http.MethodGet && record.Op != simulator.OpToken {
			writes = append(writes, record)
		}
	}
	return writes
}
