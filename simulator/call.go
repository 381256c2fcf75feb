package simulator

import (
	"cmp"
	"context"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"
)

// Op is what a request asks for.
type Op string

// The operations. Every other request is OpOther.
const (
	OpPartners   Op = "partners"   // GET the identity's link
	OpPartner    Op = "partner"    // GET, PUT, PATCH, DELETE with a partner ID
	OpOperations Op = "operations" // GET the provider's operations
	opTenants    Op = "tenants"    // GET the identity's tenants
	OpToken      Op = "token"      // POST for a token
	opSignIn     Op = "sign_in"    // POST for a device code, GET the sign-in page
	opMetadata   Op = "metadata"   // GET a token from the machine
	OpDiscovery  Op = "discovery"  // GET OpenID or instance metadata, or keys
	OpOther      Op = "other"

	OpSubscriptions   Op = "subscriptions"    // GET what the identity sees
	OpRoleAssignments Op = "role_assignments" // GET those of a subscription
	OpRoleDefinitions Op = "role_definitions" // GET all of a subscription, or one
	OpRoleSchedules   Op = "role_schedules"   // GET when assignments hold
)

func (o Op) entra() bool { return o == OpToken || o == opSignIn || o == OpDiscovery }

// route is an operation with the variable part of its path and its handler.
type route struct {
	op  Op
	arg string
	do  func(*call) answer
	// version is the api-version that exists; "" asks for none.
	version string
}

// routeOf finds the operation of a path. Segments are compared without regard
// to case, and empty ones do not count, as ARM has it.
func (s *Simulator) routeOf(path string) route {
	seg := strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
	for _, pattern := range s.routes {
		if arg, ok := matchPath(pattern.path, seg); ok {
			pattern.arg = arg
			return pattern.route
		}
	}
	return route{op: OpOther, arg: strings.Join(seg, "/"), do: (*call).unknown}
}

type pattern struct {
	path []string // "*" stands for the part that varies
	route
}

// get makes a handler refuse everything but GET.
func get(do func(*call) answer) func(*call) answer {
	return func(c *call) answer {
		if c.writes() {
			return notAllowed("GET")
		}
		return do(c)
	}
}

func routes() []pattern {
	const ns, authorization = "microsoft.managementpartner", "microsoft.authorization"
	return []pattern{
		{[]string{"providers", ns, "partners"}, route{op: OpPartners, do: get((*call).getPartners), version: partnerAPIVersion}},
		{[]string{"providers", ns, "partners", "*"}, route{op: OpPartner, do: (*call).partner, version: partnerAPIVersion}},
		{[]string{"providers", ns, "operations"}, route{op: OpOperations, do: get((*call).operations), version: partnerAPIVersion}},
		{[]string{"tenants"}, route{op: opTenants, do: get((*call).tenants), version: tenantsAPIVersion}},
		{[]string{"subscriptions"}, route{op: OpSubscriptions, do: get((*call).subscriptions), version: tenantsAPIVersion}},
		{[]string{"subscriptions", "*", "providers", authorization, "roleassignments"}, route{op: OpRoleAssignments, do: get((*call).roleAssignments), version: rolesAPIVersion}},
		{[]string{"subscriptions", "*", "providers", authorization, "roledefinitions"}, route{op: OpRoleDefinitions, do: get((*call).roleDefinitions), version: rolesAPIVersion}},
		{[]string{"subscriptions", "*", "providers", authorization, "roledefinitions", "*"}, route{op: OpRoleDefinitions, do: get((*call).roleDefinition), version: rolesAPIVersion}},
		{[]string{"providers", authorization, "roleassignmentscheduleinstances"}, route{op: OpRoleSchedules, do: get((*call).roleSchedules), version: schedulesAPIVersion}},
		{[]string{"*", "oauth2", "v2.0", "token"}, route{op: OpToken, do: (*call).token}},
		{[]string{"*", "oauth2", "v2.0", "devicecode"}, route{op: opSignIn, do: (*call).deviceCode}},
		{[]string{"*", "oauth2", "v2.0", "authorize"}, route{op: opSignIn, do: (*call).authorize}},
		{[]string{"*", "v2.0", ".well-known", "openid-configuration"}, route{op: OpDiscovery, do: (*call).openID}},
		{[]string{"common", "discovery", "instance"}, route{op: OpDiscovery, do: (*call).instance}},
		{[]string{"*", "discovery", "v2.0", "keys"}, route{op: OpDiscovery, do: (*call).keys}},
	}
}

func matchPath(pattern, seg []string) (arg string, ok bool) {
	if len(pattern) != len(seg) {
		return "", false
	}
	for i, p := range pattern {
		if p == "*" {
			arg = seg[i]
		} else if !strings.EqualFold(p, seg[i]) {
			return "", false
		}
	}
	return arg, true
}

// call is one request on its way through.
type call struct {
	sim   *Simulator
	r     *http.Request
	now   time.Time
	route route

	// tenant and who are nil until the request is known to be theirs.
	tenant *tenant
	who    *principal
	// key names the sequence that the request is part of, by identity or, for
	// tokens, by tenant; n is its number there.
	key     string
	n       uint64
	plan    plan
	written bool
	// malformed is a form that cannot be read.
	malformed bool
}

// maxForm bounds a token request; one with an assertion takes a few kB.
const maxForm = 64 << 10

// serve answers a request. It holds the lock for each step, and not while the
// request waits.
func (s *Simulator) serve(w http.ResponseWriter, r *http.Request, to route, key string) {
	c := &call{sim: s, r: r, now: s.cfg.Now(), route: to, key: key}
	if r.Method == http.MethodPost {
		r.Body = http.MaxBytesReader(nil, r.Body, maxForm)
		c.malformed = r.ParseForm() != nil
	}
	a := c.answer()
	s.mu.Lock()
	s.journal.add(c.record(a))
	s.mu.Unlock()
	a.deliver(r.Context(), w)
}

func (c *call) answer() answer {
	if c.route.op != OpDiscovery && c.route.op != opMetadata && !c.wait(c.sim.cfg.Latency) {
		return answer{outcome: dropped}
	}
	if a, ok := c.begin(); !ok {
		return a
	}
	if !c.wait(c.jitter()) {
		return answer{outcome: dropped}
	}
	return c.finish()
}

// begin finds out whose the request is, and plans its faults.
func (c *call) begin() (answer, bool) {
	c.sim.mu.Lock()
	defer c.sim.mu.Unlock()
	c.sim.strangers++
	c.n = c.sim.strangers
	switch {
	case c.route.op == opMetadata:
		return answer{}, true
	case c.route.op.entra():
		c.arrive()
	default:
		if a, ok := c.authenticate(); !ok {
			return c.armHeaders(a), false
		}
	}
	c.plan = c.sim.plan(c)
	return answer{}, true
}

func (c *call) finish() answer {
	c.sim.mu.Lock()
	defer c.sim.mu.Unlock()
	switch {
	case c.route.op == opMetadata:
		return c.route.do(c)
	case c.route.op.entra():
		return c.entraHeaders(c.entraAnswer())
	default:
		return c.armHeaders(c.armAnswer())
	}
}

// wait returns false if the client hung up or the server was closed.
func (c *call) wait(d time.Duration) bool { return sleep(c.r.Context(), d) == nil }

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *call) jitter() time.Duration {
	if c.plan.Kind != FaultLatencyJitter {
		return 0
	}
	return cmp.Or(c.plan.Delay, time.Duration(c.plan.rng.percent()/100*float64(500*time.Millisecond)))
}

func (c *call) record(a answer) Record {
	return Record{
		Time: c.now, Method: c.r.Method, Path: c.r.URL.Path, TenantID: c.tenantID(), ObjectID: c.objectID(), Op: c.route.op,
		Status: a.status, RequestID: c.requestID(), FaultKind: c.plan.fault(), Written: c.written,
	}
}

func (c *call) writes() bool { return c.r.Method != http.MethodGet }

func (c *call) tenantID() string {
	if c.tenant == nil {
		return ""
	}
	return c.tenant.TenantID
}

func (c *call) objectID() string {
	if c.who == nil {
		return ""
	}
	return c.who.objectID
}

// draw makes one decision about this request, independent of other identities'
// requests, so that a seed gives each identity the same run.
func (c *call) draw(what ...string) rng {
	return draw(c.sim.cfg.Seed, append([]string{c.key, ordinal(c.n)}, what...)...)
}

func (c *call) requestID() string { return c.draw("request").guid() }

func (c *call) base() string { return "https://" + c.r.Host }

// guidPattern is what the services accept as an ID made by the client.
var guidPattern = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
})

// correlationID is the client's own, if it sent one, else the request's.
func (c *call) correlationID(header string) string {
	if id := c.r.Header.Get(header); guidPattern().MatchString(id) {
		return strings.ToLower(id)
	}
	return c.requestID()
}
