package tools_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"mcp-partner/access"
	"mcp-partner/armclient"
	"mcp-partner/fleet"
	"mcp-partner/guard"
	"mcp-partner/internal/ledgertest"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/partnerid"
	"mcp-partner/schemas/problems"
	"mcp-partner/search"
	"mcp-partner/simulator"
	"mcp-partner/tools"
)

// fixture is the call path over a simulated Azure, with real bytes on loopback.
type fixture struct {
	t         testing.TB
	sim       *simulator.Simulator
	server    *simulator.Server
	http      *http.Client
	directory *directory
	store     *ledgertest.Store
	guard     *guard.Guard
	fleet     *fleet.Fleet
	service   *tools.Service
}

// build makes a fixture; change adjusts the options of the guard.
func build(t testing.TB, config simulator.Config, change func(*guard.Options)) *fixture {
	t.Helper()
	config.LinkedPercent = -1
	sim, err := simulator.New(config)
	if err != nil {
		t.Fatal(err)
	}
	server, err := sim.Start(context.Background(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(server.CAPEM())
	h := &fixture{t: t, sim: sim, server: server, store: ledgertest.New(t, time.Now)}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	h.http = &http.Client{Transport: transport}
	h.directory = &directory{pins: map[string]string{}}
	for _, tenant := range sim.Tenants() {
		h.directory.tenants = append(h.directory.tenants, schemas.Tenant{
			Name: tenant.Name, TenantID: tenant.TenantID, Domains: []string{tenant.Domain}, Cloud: "custom",
			ARMEndpoint: server.URL(), Credentials: []string{"app"},
		})
	}
	slices.SortFunc(h.directory.tenants, func(a, b schemas.Tenant) int { return strings.Compare(a.Name, b.Name) })
	options := guard.Options{AllowWrites: true, Approval: access.ApprovalRequester, Simulated: true, Store: h.store, ApproverCost: guard.Cost{Time: 1, Memory: 64, Threads: 1}}
	if change != nil {
		change(&options)
	}
	g, err := guard.New(options)
	if err != nil {
		t.Fatal(err)
	}
	h.guard = g
	h.fleet = fleet.New(fleet.Options{Directory: h.directory, Clients: readers{h}, Store: ledgertest.New(t, time.Now)})
	t.Cleanup(h.fleet.Close)
	h.service = tools.NewService(tools.Deps{
		Directory: h.directory, Clients: h, Guard: g, Fleet: h.fleet,
		Search: search.New(schemas.Catalogue(), schemaOf),
	})
	return h
}

func schemaOf(name string) map[string]any {
	op, _ := schemas.Lookup(name)
	return schemas.Object(op.InputSchema())
}

// unasked lets writes through without a person.
func unasked(o *guard.Options) { o.Approval = access.ApprovalNone }

// Client implements tools.Clients with the real pipeline.
func (h *fixture) Client(_ context.Context, tenant schemas.Tenant, credential string) (tools.Azure, error) {
	return armclient.New(&signIn{h: h, tenant: tenant.TenantID, person: credential == personCredential}, armclient.Options{
		TenantID: tenant.TenantID, TenantName: tenant.Name, Cloud: tenant.Cloud, Credential: credential,
		PinnedObjectID: tenant.ObjectIDs[credential], Endpoint: tenant.ARMEndpoint, Audience: h.sim.Audience(),
		Transport: h.http, RetryDelay: time.Millisecond,
	})
}

// readers implements fleet.Clients with the same clients.
type readers struct{ h *fixture }

func (r readers) Reader(ctx context.Context, tenant schemas.Tenant, credential string) (fleet.Reader, error) {
	client, err := r.h.Client(ctx, tenant, credential)
	if err != nil {
		return nil, err
	}
	return client.(*armclient.Client), nil
}

// personCredential is another identity than the application's, where the
// simulator has one with this ID and secret.
const personCredential = "person"

// signIn is a credential that asks the simulated Entra ID by the wire.
type signIn struct {
	h      *fixture
	tenant string
	person bool
}

func (s *signIn) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	id, secret := s.h.sim.ClientID(), s.h.sim.ClientSecret()
	if s.person {
		id, secret = personCredential, personCredential
	}
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {secret},
		"scope": {strings.Join(o.Scopes, " ")},
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.h.server.Authority()+s.tenant+"/oauth2/v2.0/token", strings.NewReader(form.Encode()))
	if err != nil {
		return azcore.AccessToken{}, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := s.h.http.Do(request)
	if err != nil {
		return azcore.AccessToken{}, err
	}
	defer response.Body.Close()
	var token struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"`
	}
	if err := json.NewDecoder(response.Body).Decode(&token); err != nil || token.AccessToken == "" {
		return azcore.AccessToken{}, problems.New(problems.CodeSignInUnavailable, "no token")
	}
	return azcore.AccessToken{Token: token.AccessToken, ExpiresOn: time.Now().Add(time.Duration(token.ExpiresIn) * time.Second)}, nil
}

// directory is a list of tenants in memory.
type directory struct {
	mu      sync.Mutex
	tenants []schemas.Tenant
	pins    map[string]string
	broken  bool
}

func (d *directory) All() iter.Seq2[schemas.Tenant, error] {
	return func(yield func(schemas.Tenant, error) bool) {
		d.mu.Lock()
		broken, tenants := d.broken, slices.Clone(d.tenants)
		d.mu.Unlock()
		if broken {
			yield(schemas.Tenant{}, problems.New(problems.CodeVaultUnavailable, "The directory cannot be read."))
			return
		}
		for _, tenant := range tenants {
			if !yield(tenant, nil) {
				return
			}
		}
	}
}

func (d *directory) Resolve(ref string, sees func(name string) bool) (schemas.Tenant, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, tenant := range d.tenants {
		if sees != nil && !sees(tenant.Name) {
			continue
		}
		if tenant.Name == ref || tenant.TenantID == ref || slices.Contains(tenant.Domains, ref) {
			if pin := d.pins[tenant.Name]; pin != "" {
				tenant.ObjectIDs = map[string]string{"app": pin}
			}
			return tenant, nil
		}
	}
	return schemas.Tenant{}, problems.New(problems.CodeUnknownTenant, "There is no such tenant.")
}

func (d *directory) PinObjectID(tenant, _, objectID string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.broken {
		return errors.New("read-only")
	}
	d.pins[tenant] = objectID
	return nil
}

// tenant returns the simulator's truth of a tenant.
func (h *fixture) tenant(name string) simulator.Tenant {
	h.t.Helper()
	tenant, ok := h.sim.Tenant(name)
	if !ok {
		h.t.Fatalf("no tenant %s", name)
	}
	return tenant
}

func (h *fixture) link(name, partnerID string) {
	h.t.Helper()
	if err := h.sim.SetLink(h.tenant(name).TenantID, partnerID); err != nil {
		h.t.Fatal(err)
	}
}

// linked returns the partner ID that is linked in truth, or "".
func (h *fixture) linked(name string) string { return h.tenant(name).PartnerID }

func (h *fixture) inject(name string, rule simulator.Rule) {
	h.t.Helper()
	rule.TenantID = h.tenant(name).TenantID
	h.sim.Inject(rule)
}

func (h *fixture) call(tool, arguments string) answers.Envelope {
	h.t.Helper()
	return h.ask(tool, arguments, tools.NoConfirmer{}).Envelope
}

func (h *fixture) ask(tool, arguments string, person tools.Confirmer) tools.Result {
	h.t.Helper()
	result := h.service.Call(h.t.Context(), tools.Call{
		Tool: tool, Arguments: json.RawMessage(arguments), Principal: trusted("test"), Confirmer: person,
	})
	if result.Elicitation == nil {
		h.valid(tool, result.Envelope)
	}
	return result
}

// writes counts the requests at the simulator that were no GET, sign-in aside.
func (h *fixture) writes() int {
	n := 0
	for _, record := range h.sim.Journal() {
		if record.Op == simulator.OpPartner && record.Method != http.MethodGet {
			n++
		}
	}
	return n
}

// intents counts the permits that were given.
func (h *fixture) intents() int {
	n := 0
	for _, event := range h.store.Events() {
		if event.Kind == guard.KindIntent {
			n++
		}
	}
	return n
}

func (d *directory) ExpectPartnerID(tenant string, partnerID partnerid.ID) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.broken {
		return problems.New(problems.CodeVaultUnavailable, "The directory cannot be written.")
	}
	for i := range d.tenants {
		if d.tenants[i].Name == tenant {
			d.tenants[i].ExpectedPartnerID = partnerID
		}
	}
	return nil
}
