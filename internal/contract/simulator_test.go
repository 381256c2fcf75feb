package contract

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"mcp-partner/access"
	"mcp-partner/armclient"
	"mcp-partner/guard"
	"mcp-partner/internal/httpclient"
	"mcp-partner/internal/ledgertest"
	"mcp-partner/internal/testkit"
	"mcp-partner/schemas/answers"
	"mcp-partner/simulator"
)

// world is a simulator behind its real listener.
type world struct {
	t      *testing.T
	sim    *simulator.Simulator
	server *simulator.Server
	http   *http.Client
	tenant simulator.Tenant
}

func newWorld(t *testing.T, c simulator.Config) *world {
	t.Helper()
	sim, err := simulator.New(c)
	if err != nil {
		t.Fatal(err)
	}
	server, err := sim.Start(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	client, err := httpclient.New(httpclient.Options{CAPEM: server.CAPEM()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	return &world{t, sim, server, client, sim.Tenants()[0]}
}

// GetToken implements azcore.TokenCredential past the sign-in.
func (w *world) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	token, err := w.sim.Token(w.tenant.TenantID, "")
	return azcore.AccessToken{Token: token, ExpiresOn: time.Now().Add(time.Hour)}, err
}

// raw sends one request as it is and returns the exchange.
func (w *world) raw(method, path, version, token string) armclient.Exchange {
	w.t.Helper()
	path, text, _ := strings.Cut(path, "?")
	query, err := url.ParseQuery(text)
	if err != nil {
		w.t.Fatal(err)
	}
	if version != "" {
		query.Set("api-version", version)
	}
	target := w.server.URL() + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	r, err := http.NewRequestWithContext(w.t.Context(), method, target, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := w.http.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return armclient.Exchange{Method: method, URL: target, Status: resp.StatusCode, Header: resp.Header, Body: body}
}

// seen collects which answers of which operation a test has met.
type seen map[string]bool

func (s seen) note(op Operation, status int) { s[fmt.Sprintf("%s %d", op.ID, status)] = true }

func (s seen) has(op Operation, status string) bool {
	if status != "5XX" {
		return s[op.ID+" "+status]
	}
	return s[op.ID+" 500"] || s[op.ID+" 502"] || s[op.ID+" 503"]
}

// Every route, every state, every error and both shapes of errors: what the
// simulator answers is what the document says, and nothing that the document
// says is an answer that the simulator never gives.
func TestSimulatorKeepsTheContract(t *testing.T) {
	t.Parallel()
	testkit.SkipShort(t, testkit.Properties)
	d, met := load(t), seen{}
	for _, shape := range []simulator.ErrorShape{simulator.ErrorShapeNested, simulator.ErrorShapeFlat, simulator.ErrorShapeBoth} {
		for _, tombstones := range []float64{0, 100} {
			w := newWorld(t, simulator.Config{Tenants: 1, LinkedPercent: -1, ErrorShape: shape, Faults: []simulator.Fault{{Kind: simulator.FaultDeleted200, Percent: tombstones}}, Throttle: wide})
			w.walk(d, met, tombstones == 0)
		}
	}
	w := newWorld(t, simulator.Config{Tenants: 1, Throttle: wide})
	w.walkRoles(d, met)
	for _, op := range d.Operations() {
		for _, status := range d.documented(op) {
			if !met.has(op, status) && !unknownToTheSimulator[op.ID+" "+status] {
				t.Errorf("no answer of the simulator was %s %s", op.ID, status)
			}
		}
	}
}

// unknownToTheSimulator are answers that the document has because nobody knows,
// and that the simulator gives another way.
var unknownToTheSimulator = map[string]bool{"Partner_Update 409": true}

// walk asks for everything that there is, in every state of the link, with or
// without faults.
func (w *world) walk(d *Document, met seen, faults bool) {
	w.t.Helper()
	w.sim.AddGlobalPartner("8888888", "Everybody")
	states := map[string]func() error{
		"never linked": func() error { return w.sim.ClearLink(w.tenant.TenantID) },
		"linked":       func() error { return w.sim.SetLink(w.tenant.TenantID, "1234567") },
		"deleted":      func() error { return w.sim.Tombstone(w.tenant.TenantID) },
	}
	for state, set := range states {
		for _, method := range []string{"GET", "PUT", "PATCH", "DELETE", "POST"} {
			for _, path := range []string{"/partners", "/partners/", "/partners/1234567", "/partners/7654321", "/partners/abc", "/partners/8888888", "/operations"} {
				if err := set(); err != nil {
					w.t.Fatal(err)
				}
				w.ask(d, met, faults, state, method, "/providers/Microsoft.ManagementPartner"+path)
			}
		}
	}
}

// walkRoles asks for the roles of a tenant in which one subscription is hidden.
func (w *world) walkRoles(d *Document, met seen) {
	w.t.Helper()
	roles, err := w.sim.Roles(w.tenant.TenantID)
	if err != nil {
		w.t.Fatal(err)
	}
	hidden := "dddddddd-0000-4000-8000-000000000009"
	roles.Subscriptions = append(roles.Subscriptions, simulator.Subscription{ID: hidden, Name: "Hidden", ManagedBy: []string{w.tenant.TenantID}})
	roles.Unlicensed, roles.PageSize = false, 1
	if err := w.sim.SetRoles(w.tenant.TenantID, roles); err != nil {
		w.t.Fatal(err)
	}
	for _, method := range []string{"GET", "POST"} {
		for _, path := range []string{
			"/subscriptions", authorization + "roleAssignmentScheduleInstances?$filter=asTarget()",
			"/subscriptions/" + roles.Subscriptions[0].ID + authorization + "roleAssignments?$filter=assignedTo('" + w.sim.Tenants()[0].ObjectID + "')",
			"/subscriptions/" + roles.Subscriptions[0].ID + authorization + "roleAssignments?$filter=nonsense",
			"/subscriptions/" + hidden + authorization + "roleAssignments?$filter=atScope()",
			"/subscriptions/" + roles.Subscriptions[0].ID + authorization + "roleDefinitions/" + simulator.RoleReader,
			"/subscriptions/" + roles.Subscriptions[0].ID + authorization + "roleDefinitions/" + hidden,
		} {
			w.ask(d, met, true, "roles", method, path)
		}
	}
}

// ask sends a request plainly, with what is wrong in a request, and under every
// fault that has an answer.
func (w *world) ask(d *Document, met seen, faults bool, state, method, path string) {
	w.t.Helper()
	bare, _, _ := strings.Cut(path, "?")
	op, ok := d.Find(method, bare)
	if !ok {
		w.notAllowed(d, method, path)
		return
	}
	token, err := w.sim.Token(w.tenant.TenantID, "")
	if err != nil {
		w.t.Fatal(err)
	}
	check := func(what string, x armclient.Exchange) {
		if wrong := d.Answer(op, x).Differs; len(wrong) > 0 {
			w.t.Errorf("%s, %s, %s %s: %d %s: %v", state, what, method, path, x.Status, x.Body, wrong)
		}
		met.note(op, x.Status)
	}
	version := op.version(d)
	check("plain", w.raw(method, path, version, token))
	check("without version", w.raw(method, path, "", token))
	check("wrong version", w.raw(method, path, "2030-01-01", token))
	check("without token", w.raw(method, path, version, ""))
	if !faults {
		return
	}
	check("with another's token", w.raw(method, path, version, "eyJhbGciOiJub25lIn0.e30."))
	for _, kind := range []simulator.FaultKind{
		simulator.FaultThrottleBurst, simulator.FaultThrottleLong, simulator.FaultServerError, simulator.FaultHTML, simulator.FaultEmpty404,
		simulator.FaultNamespace404, simulator.FaultUnauthorized, simulator.FaultClaimsChallenge, simulator.FaultForbidden, simulator.FaultForeignPrincipal,
		simulator.FaultStringVersions, simulator.FaultMissingFields, simulator.FaultHostileNames, simulator.FaultErrorAfterWrite,
	} {
		remove := w.sim.Inject(simulator.Rule{Kind: kind})
		x := w.raw(method, path, version, token)
		remove()
		check(string(kind), x)
	}
}

// version is the api-version that the document has for an operation.
func (o Operation) version(d *Document) string {
	list, _ := o.place.node["parameters"].([]any)
	for i := range list {
		element, _ := list[i].(node)
		if p := d.resolved(place{element, ""}).node; p["name"] == "api-version" {
			return p["schema"].(node)["const"].(string)
		}
	}
	return ""
}

// notAllowed checks a method that the document does not have for a path.
func (w *world) notAllowed(d *Document, method, path string) {
	w.t.Helper()
	token, err := w.sim.Token(w.tenant.TenantID, "")
	if err != nil {
		w.t.Fatal(err)
	}
	bare, _, _ := strings.Cut(path, "?")
	op, _ := d.Find(http.MethodGet, bare)
	x := w.raw(method, path, op.version(d), token)
	if malformed := strings.HasSuffix(path, "/abc") || strings.HasSuffix(path, "/8888888"); x.Status != http.StatusMethodNotAllowed && !malformed {
		w.t.Errorf("%s %s: %d %s", method, path, x.Status, x.Body)
	}
}

// watcher keeps what armclient sent and got.
type watcher struct {
	mu  sync.Mutex
	all []armclient.Exchange
}

func (w *watcher) see(x armclient.Exchange) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, x)
}

func (w *world) options(watch func(armclient.Exchange)) armclient.Options {
	return armclient.Options{
		TenantID: w.tenant.TenantID, TenantName: "test", Cloud: "custom", Credential: "test", Observe: watch,
		Endpoint: w.server.URL(), Audience: w.sim.Audience(), Transport: w.http, RetryDelay: time.Millisecond,
	}
}

// Every request that armclient makes in the whole life of a link, and for roles,
// is one that the document allows, and so is every answer to it.
func TestArmclientKeepsTheContract(t *testing.T) {
	t.Parallel()
	d := load(t)
	w := newWorld(t, simulator.Config{Tenants: 1, LinkedPercent: -1})
	watch := &watcher{}
	client, err := armclient.New(w, w.options(watch.see))
	if err != nil {
		t.Fatal(err)
	}
	read := client.Link(t.Context())
	_, _ = client.Partner(t.Context(), "7654321")
	if _, _, err := client.Operations(t.Context()); err != nil {
		t.Error(err)
	}
	for _, change := range []armclient.Change{
		{Method: http.MethodPatch, PartnerID: "1234567"}, {Method: http.MethodPut, PartnerID: "1234567"}, {Method: http.MethodPut, PartnerID: "7654321"},
		{Method: http.MethodPatch, PartnerID: "7654321"}, {Method: http.MethodDelete, PartnerID: "1234567"}, {Method: http.MethodDelete, PartnerID: "7654321"},
	} {
		change.Before = read.Link
		read = client.Apply(t.Context(), permitFor(t, read.Identity, change), change).After
	}
	roles := client.Roles()
	seen, identity, err := roles.Subscriptions(t.Context())
	if err != nil || len(seen) == 0 {
		t.Fatalf("%v, %d subscriptions", err, len(seen))
	}
	_, _ = roles.Schedules(t.Context())
	_, _, _ = roles.Assignments(t.Context(), seen[0].ID, identity.ObjectID)
	_, _ = roles.Role(t.Context(), seen[0].ID, simulator.RoleReader)
	ids := map[string]int{}
	for _, x := range watch.all {
		target, err := url.Parse(x.URL)
		if err != nil {
			t.Fatal(err)
		}
		op, _ := d.Find(x.Method, target.Path)
		ids[op.ID]++
		if wrong := d.request(x).Differs; len(wrong) > 0 {
			t.Errorf("request %s %s: %v", x.Method, x.URL, wrong)
		}
		if wrong := d.Answer(op, x).Differs; len(wrong) > 0 {
			t.Errorf("answer to %s %s: %d %s %v", x.Method, x.URL, x.Status, x.Body, wrong)
		}
	}
	if len(ids) != 10 || ids["Partner_Update"] != 2 || ids["Operation_List"] < 2 {
		t.Errorf("operations met: %v", ids)
	}
}

// permitFor asks a real guard for the permit of one change.
func permitFor(t testing.TB, identity answers.Identity, change armclient.Change) guard.Permit {
	t.Helper()
	g, err := guard.New(guard.Options{AllowWrites: true, Approval: access.ApprovalNone, Simulated: true, Store: ledgertest.New(t, time.Now)})
	if err != nil {
		t.Fatal(err)
	}
	identity.Tenant = "test"
	admission := g.Authorize(t.Context(), access.Principal{Caller: "test", Grant: access.FullGrant()}, guard.Intent{
		Caller: "test", Tool: toolOf(change.Method), PartnerID: change.PartnerID, Identity: identity, Before: guard.SnapshotOf(change.Before),
	}, false)
	granted, ok := admission.(guard.Granted)
	if !ok {
		t.Fatalf("no permit: %+v", admission)
	}
	return granted.Permit
}

// wide lets a test ask as often as it likes.
var wide = simulator.Throttle{Reads: simulator.Bucket{Size: 1_000_000, PerSecond: 1000}, Writes: simulator.Bucket{Size: 1_000_000, PerSecond: 1000}}
