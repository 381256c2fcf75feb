package fleet_test

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mcp-partner/access"
	"mcp-partner/armclient"
	"mcp-partner/fleet"
	"mcp-partner/guard"
	"mcp-partner/internal/httpclient"
	"mcp-partner/internal/ledgertest"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
	"mcp-partner/signin"
	"mcp-partner/simulator"
	"mcp-partner/tenants"
	"mcp-partner/vault"
)

// ours is the partner ID that the tests expect, the simulator's most frequent.
const ours = "1234567"

// fixture is a fleet over a simulated Azure: the vault's real sign-in, the real
// pipeline, real bytes on a socket.
type fixture struct {
	t         testing.TB
	sim       *simulator.Simulator
	server    *simulator.Server
	directory *tenants.Directory
	secrets   vault.Store
	source    *signin.Source
	http      *httpclient.Pool
	store     fleet.Store
	*fleet.Fleet

	mu   sync.Mutex
	pins []fleet.Pin
}

func build(t testing.TB, config simulator.Config, change func(*fleet.Options)) *fixture {
	t.Helper()
	sim, err := simulator.New(config)
	if err != nil {
		t.Fatal(err)
	}
	server, err := sim.Start(context.Background(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &fixture{t: t, sim: sim, server: server, secrets: vault.NewMemoryStore(), http: httpclient.NewPool(httpclient.Options{}), store: ledgertest.New(t, time.Now)}
	if h.directory, err = tenants.NewMemoryDirectory(h.entries(), []tenants.CredentialConfig{{Name: "app", Kind: tenants.KindClientSecret, ClientID: sim.ClientID()}}); err != nil {
		t.Fatal(err)
	}
	h.storeSecret(sim.ClientSecret())
	h.source = signin.NewSource(signin.Options{Directory: h.directory, Store: h.secrets, HTTP: h.http})
	h.open(change)
	t.Cleanup(func() {
		h.Close()
		h.source.Close()
		h.http.CloseIdle()
		_ = server.Close()
	})
	return h
}

// open makes a fleet on the fixture's store, as another process would.
func (h *fixture) open(change func(*fleet.Options)) {
	o := fleet.Options{Directory: directory{h.directory}, Clients: h, Store: h.store, Pin: h.pin, Limits: fleet.Limits{Backoff: time.Millisecond}}
	if change != nil {
		change(&o)
	}
	h.Fleet = fleet.New(o)
}

// Start begins an audit with a new ID.
func (h *fixture) Start(ctx context.Context, caller access.Caller, label string, audit fleet.Audit, access fleet.Access) (*fleet.Active, error) {
	return h.Fleet.Start(ctx, guard.NewRunID(), caller, label, audit, access)
}

func (h *fixture) storeSecret(text string) {
	h.t.Helper()
	secret, err := vault.NewSecret([]byte(text))
	if err == nil {
		err = h.secrets.Put(context.Background(), "app", secret)
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *fixture) entries() []tenants.Entry {
	cloud := tenants.Cloud{Name: tenants.CloudCustom, Authority: h.server.Authority(), ARMEndpoint: h.server.URL(),
		ARMAudience: h.sim.Audience(), CAPEM: string(h.server.CAPEM()), SkipInstanceDiscovery: true}
	var entries []tenants.Entry
	for _, t := range h.sim.Tenants() {
		entries = append(entries, tenants.Entry{Name: t.Name, TenantID: t.TenantID, Domains: []string{t.Domain}, Cloud: cloud, Credentials: []tenants.CredentialRef{{Name: "app"}}})
	}
	return entries
}

type directory struct{ *tenants.Directory }

func (d directory) All() iter.Seq2[schemas.Tenant, error] {
	entries, err := d.List()
	tenants := make([]schemas.Tenant, len(entries))
	for i, entry := range entries {
		tenants[i] = entry.Tenant()
	}
	return all(tenants, err)
}

func (d directory) Resolve(id string, _ func(string) bool) (schemas.Tenant, error) {
	entry, err := d.Directory.Resolve(id)
	return entry.Tenant(), err
}

// all goes through a list, or has the error alone.
func all(tenants []schemas.Tenant, err error) iter.Seq2[schemas.Tenant, error] {
	return func(yield func(schemas.Tenant, error) bool) {
		if err != nil {
			yield(schemas.Tenant{}, err)
			return
		}
		for _, tenant := range tenants {
			if !yield(tenant, nil) {
				return
			}
		}
	}
}

// resolved finds a tenant by its ID.
func resolved(tenants iter.Seq2[schemas.Tenant, error], id string) (schemas.Tenant, error) {
	for tenant, err := range tenants {
		if err != nil || tenant.TenantID == id {
			return tenant, err
		}
	}
	return schemas.Tenant{}, problems.New(problems.CodeUnknownTenant, "There is no such tenant.")
}

func (h *fixture) pin(_ context.Context, pins []fleet.Pin) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pins = append(h.pins, pins...)
	return nil
}

// Reader implements fleet.Clients.
func (h *fixture) Reader(ctx context.Context, tenant schemas.Tenant, credential string) (fleet.Reader, error) {
	token, err := h.source.Credential(ctx, tenant.TenantID, credential)
	if err != nil {
		return nil, err
	}
	transport, err := h.http.Client(h.server.CAPEM())
	if err != nil {
		return nil, err
	}
	client, err := armclient.New(token, armclient.Options{TenantID: tenant.TenantID, TenantName: tenant.Name, Cloud: tenant.Cloud, Credential: credential,
		PinnedObjectID: tenant.ObjectIDs[credential], Endpoint: tenant.ARMEndpoint, Audience: h.sim.Audience(), Transport: transport, Once: true})
	if err != nil {
		return nil, err
	}
	return client, nil
}

// everything is the access of a caller who may see and read all.
func everything() fleet.Access {
	admit := func(context.Context, schemas.Tenant) error { return nil }
	return fleet.Access{Visible: func(schemas.Tenant) bool { return true }, Admit: admit, AdmitRoles: admit}
}

func expecting(ids ...string) fleet.Audit { return fleet.Audit{ExpectedIDs: ids} }

// begin starts an audit of the caller test.
func (h *fixture) begin(audit fleet.Audit) *fleet.Active {
	h.t.Helper()
	active, err := h.Start(h.t.Context(), "test", "", audit, everything())
	if err != nil {
		h.t.Fatal(err)
	}
	return active
}

// audited runs an audit to its end.
func (h *fixture) audited(audit fleet.Audit) (fleet.Report, []answers.AuditRow) {
	h.t.Helper()
	active := h.begin(audit)
	if err := active.Wait(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
	return h.found("test", active.ID())
}

func (h *fixture) found(caller access.Caller, id string) (fleet.Report, []answers.AuditRow) {
	h.t.Helper()
	report, err := h.Report(h.t.Context(), caller, id)
	if err != nil {
		h.t.Fatal(err)
	}
	var rows []answers.AuditRow
	for row, err := range h.All(h.t.Context(), id, fleet.ByPlace) {
		if err != nil {
			h.t.Fatal(err)
		}
		rows = append(rows, row)
	}
	return report, rows
}

// journal returns what was asked, by tenant.
func (h *fixture) journal() map[string][]simulator.Record {
	found := map[string][]simulator.Record{}
	for _, r := range h.sim.Journal() {
		if r.Op != simulator.OpDiscovery {
			found[r.TenantID] = append(found[r.TenantID], r)
		}
	}
	return found
}

// reads counts the requests for links.
func (h *fixture) reads() int { return int(h.sim.Stats().ARMReads) }

func (h *fixture) tenant(name string) simulator.Tenant {
	h.t.Helper()
	tenant, ok := h.sim.Tenant(name)
	if !ok {
		h.t.Fatalf("there is no tenant %s", name)
	}
	return tenant
}

func problemCode(err error) problems.Code {
	if err == nil {
		return ""
	}
	return problems.As(err).Code
}

// stateOf returns one row's state and the code of its problem.
func stateOf(rows []answers.AuditRow, tenant string) string {
	i := slices.IndexFunc(rows, func(r answers.AuditRow) bool { return r.Tenant == tenant })
	if i < 0 {
		return "no row"
	}
	text := string(rows[i].State)
	if rows[i].Problem != nil {
		text += " " + string(rows[i].Problem.Code)
	}
	return strings.TrimSpace(text)
}

func fault(kind simulator.FaultKind, percent float64) simulator.Fault {
	return simulator.Fault{Kind: kind, Percent: percent}
}

func mixture(faults []simulator.Fault) string { return fmt.Sprint(faults) }
