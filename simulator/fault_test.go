package simulator_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"mcp-partner/simulator"
)

// faultCase says what a kind does to one request, made in contoso by an
// identity that is linked to 1234567 at version 1.
type faultCase struct {
	kind           simulator.FaultKind
	method, id     string
	status         int // 0 means that no whole answer arrives
	written        bool
	partner, state string // the truth after it
	version        int
	see            func(*testing.T, reply)
}

func faultCases() []faultCase {
	const active, deleted = simulator.StateActive, simulator.StateDeleted
	read := func(k simulator.FaultKind, status int, see func(*testing.T, reply)) faultCase {
		return faultCase{k, "GET", "", status, false, "1234567", active, 1, see}
	}
	return []faultCase{
		read(simulator.FaultLatencyJitter, 200, nil),
		read(simulator.FaultThrottleBurst, 429, header("Retry-After", "1")),
		read(simulator.FaultThrottleLong, 429, header("Retry-After", "120")),
		read(simulator.FaultHTML, 404, contains("<html>")),
		read(simulator.FaultEmpty404, 404, func(t *testing.T, r reply) {
			if r.body != "" {
				t.Errorf("body %q", r.body)
			}
		}),
		read(simulator.FaultNamespace404, 404, contains("InvalidResourceType")),
		read(simulator.FaultUnauthorized, 401, header("WWW-Authenticate", `error="invalid_token"`)),
		read(simulator.FaultClaimsChallenge, 401, header("WWW-Authenticate", `error="insufficient_claims", claims="eyJ`)),
		read(simulator.FaultForbidden, 403, contains("AuthorizationFailed")),
		read(simulator.FaultCutBody, 0, nil),
		read(simulator.FaultHostileNames, 200, func(t *testing.T, r reply) { hostile(t, r.property(t, "partnerName").(string)) }),
		read(simulator.FaultStringVersions, 200, contains(`"etag":"1"`, `"version":"1"`)),
		read(simulator.FaultMissingFields, 200, func(t *testing.T, r reply) {
			if strings.Contains(r.body, "etag") || strings.Contains(r.body, "partnerName") {
				t.Errorf("body %s", r.body)
			}
		}),
		read(simulator.FaultForeignPrincipal, 400, contains("The user does not have an account in this tenant")),
		{simulator.FaultServerError, "PUT", "7654321", 503, false, "1234567", active, 1, nil},
		{simulator.FaultCutBody, "PATCH", "7654321", 0, true, "7654321", active, 2, nil},
		{simulator.FaultCutBody, "DELETE", "1234567", 0, true, "1234567", deleted, 2, nil},
		{simulator.FaultLostAnswer, "PATCH", "7654321", 0, true, "7654321", active, 2, nil},
		{simulator.FaultLostAnswer, "DELETE", "1234567", 0, true, "1234567", deleted, 2, nil},
		{simulator.FaultErrorAfterWrite, "DELETE", "1234567", 500, true, "1234567", deleted, 2, contains("InternalServerError")},
		{simulator.FaultSlowWrite, "DELETE", "1234567", 200, true, "1234567", deleted, 2, nil},
		{simulator.FaultOtherWriter, "PATCH", "2345678", 200, true, "2345678", active, 3, contains(`"version":3`)},
		{simulator.FaultOtherWriter, "DELETE", "1234567", 404, false, "7654321", active, 2, nil},
		{simulator.FaultOtherWriterBack, "PATCH", "7654321", 200, true, "7654321", active, 4, nil},
		{simulator.FaultOtherWriterBack, "DELETE", "1234567", 200, true, "1234567", deleted, 4, nil},
		{simulator.FaultOtherWriterLate, "PATCH", "7654321", 200, true, "1234567", active, 3, contains(`"partnerId":"7654321"`, `"version":2`)},
	}
}

func header(name, part string) func(*testing.T, reply) {
	return func(t *testing.T, r reply) {
		t.Helper()
		if !strings.Contains(r.header.Get(name), part) {
			t.Errorf("header %s is %q, want %q", name, r.header.Get(name), part)
		}
	}
}

func contains(parts ...string) func(*testing.T, reply) {
	return func(t *testing.T, r reply) {
		t.Helper()
		for _, part := range parts {
			if !strings.Contains(r.body, part) {
				t.Errorf("body %q does not hold %q", r.body, part)
			}
		}
	}
}

// hostile checks that a name is worth testing with.
func hostile(t *testing.T, name string) {
	t.Helper()
	odd := strings.ContainsFunc(name, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) })
	if !odd && len(name) < 10000 && !strings.Contains(name, "Ignore your") && !strings.HasPrefix(name, "=") {
		t.Errorf("%q is harmless", name)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for _, tt := range faultCases() {
		t.Run(string(tt.kind)+"/"+tt.method, func(t *testing.T) {
			t.Parallel()
			for _, http2 := range []bool{false, true} {
				w := serve(t, simulator.Config{Tenants: 2})
				w.hc = client(t, w.srv, http2)
				tt.run(t, w)
			}
		})
	}
}

func (tt faultCase) run(t *testing.T, w *wire) {
	w.sim.AddPartner("1234567", "Contoso Cloud Services")
	set(t, w.sim, "contoso", simulator.StateActive)
	bearer := w.signIn("contoso.example")
	w.sim.Inject(simulator.Rule{Kind: tt.kind, TenantID: "contoso", Times: 1, Delay: time.Millisecond, Status: tt.status})
	url := strings.TrimSuffix(partnersPath+"/"+tt.id, "/") + version
	got, err := w.try(tt.method, url, bearer)
	if (err != nil) != (tt.status == 0) || err == nil && got.status != tt.status {
		t.Fatalf("got %d %s, %v; want %d", got.status, got.body, err, tt.status)
	}
	if tt.see != nil {
		tt.see(t, got)
	}
	if rec := w.last(); rec.FaultKind != tt.kind || rec.Written != tt.written {
		t.Errorf("record %+v, want fault %s, written %v", rec, tt.kind, tt.written)
	}
	link, _ := w.sim.Link("contoso", "")
	if link.PartnerID != tt.partner || link.State != tt.state || link.Version != tt.version {
		t.Errorf("the truth is %+v, want %s %s %d", link, tt.partner, tt.state, tt.version)
	}
	if after := w.check(bearer); after.status != 200 && after.status != 404 || w.last().FaultKind != "" {
		t.Errorf("the request after it: %d %s, fault %s", after.status, after.body, w.last().FaultKind)
	}
}

func TestOtherWriterBeforeCreate(t *testing.T) {
	t.Parallel()
	w := serve(t, simulator.Config{})
	set(t, w.sim, "contoso", "")
	set(t, w.sim, "fabrikam", "")
	w.sim.Inject(simulator.Rule{Kind: simulator.FaultOtherWriter, TenantID: "contoso"})
	w.sim.Inject(simulator.Rule{Kind: simulator.FaultOtherWriterBack, TenantID: "fabrikam"})
	if got := w.partner("PUT", "1234567", w.signIn("contoso.example")); got.status != 409 {
		t.Errorf("somebody was quicker: %d, want 409", got.status)
	}
	if got := w.partner("PUT", "1234567", w.signIn("fabrikam.example")); got.status != 200 || got.property(t, "version") != 3.0 {
		t.Errorf("somebody came and went: %d %s, want version 3", got.status, got.body)
	}
}

func TestDeleted200FaultAnswers200(t *testing.T) {
	t.Parallel()
	w := serve(t, simulator.Config{})
	set(t, w.sim, "contoso", simulator.StateDeleted)
	w.sim.Inject(simulator.Rule{Kind: simulator.FaultDeleted200, Times: 1})
	bearer := w.signIn("contoso.example")
	if got := w.check(bearer); got.status != 200 || got.property(t, "state") != "Deleted" {
		t.Errorf("got %d %s", got.status, got.body)
	}
	if got := w.check(bearer); got.status != 404 {
		t.Errorf("after the rule: %d", got.status)
	}
}

func TestTokenFaults(t *testing.T) {
	t.Parallel()
	w := serve(t, simulator.Config{LinkedPercent: 100})
	fabrikam := w.tenant("fabrikam")
	once := func(k simulator.FaultKind, status int) reply {
		w.sim.Inject(simulator.Rule{Kind: k, Times: 1, Status: status, RetryAfter: 90 * time.Second})
		return w.requestToken("contoso.example", w.form())
	}
	if got := once(simulator.FaultTokenError, 503); got.status != 503 || got.json(t)["error"] != "temporarily_unavailable" || got.header.Get("Retry-After") != "90" {
		t.Errorf("token_error: %d %s %v", got.status, got.body, got.header)
	}
	if got := once(simulator.FaultTokenHTML, 502); got.status != 502 || !strings.Contains(got.body, "<html>") {
		t.Errorf("token_html: %d %s", got.status, got.body)
	}
	opaque := once(simulator.FaultOpaqueToken, 0).json(t)["access_token"].(string)
	if got := w.check(opaque); strings.Contains(opaque, ".") || got.status != 200 || got.property(t, "tenantId") != w.tenant("contoso").TenantID {
		t.Errorf("opaque token %q: %d %s", opaque, got.status, got.body)
	}
	wrong := once(simulator.FaultWrongTenantToken, 0).json(t)["access_token"].(string)
	if got := w.check(wrong); got.property(t, "tenantId") != fabrikam.TenantID || got.property(t, "objectId") != fabrikam.ObjectID {
		t.Errorf("wrong tenant's token shows %s, want fabrikam", got.body)
	}
	w.sim.Inject(simulator.Rule{Kind: simulator.FaultTokenError, Path: simulator.OpDiscovery, Status: 500})
	if got := w.do("GET", "/contoso.example/v2.0/.well-known/openid-configuration", ""); got.status != 500 {
		t.Errorf("discovery: %d", got.status)
	}
	w.signIn("contoso.example")
}

// TestEveryFaultKindIsTested fails for a kind that was added without a case.
func TestEveryFaultKindIsTested(t *testing.T) {
	t.Parallel()
	tested := []simulator.FaultKind{ // by the tests above
		simulator.FaultDeleted200, simulator.FaultTokenError, simulator.FaultTokenHTML, simulator.FaultOpaqueToken, simulator.FaultWrongTenantToken,
	}
	for _, tt := range faultCases() {
		tested = append(tested, tt.kind)
	}
	for _, info := range simulator.FaultKinds() {
		if !slices.Contains(tested, info.Kind) {
			t.Errorf("no test for %s", info.Kind)
		}
		if info.Summary == "" || strings.Contains(info.Summary, "\n") || len(info.Summary) > 90 {
			t.Errorf("%s: the summary %q is not one line for a --help", info.Kind, info.Summary)
		}
	}
}

func TestOldestMatchingRuleDecides(t *testing.T) {
	t.Parallel()
	w := serve(t, simulator.Config{LinkedPercent: 100})
	contoso, fabrikam := w.signIn("contoso.example"), w.signIn("fabrikam.example")
	w.sim.Inject(simulator.Rule{Kind: simulator.FaultHostileNames})
	remove := w.sim.Inject(simulator.Rule{Kind: simulator.FaultServerError, TenantID: w.tenant("contoso").TenantID, Method: "get", Path: simulator.OpPartners, Status: 500})
	w.sim.Inject(simulator.Rule{Kind: simulator.FaultThrottleBurst, TenantID: "contoso", Times: 2, RetryAfter: 7 * time.Second})
	steps := []struct {
		method, id, bearer string
		status             int
	}{
		{method: "GET", bearer: contoso, status: 500},                   // the oldest rule that matches decides
		{method: "GET", bearer: fabrikam, status: 200},                  // another tenant
		{method: "GET", id: "1234567", bearer: contoso, status: 429},    // another path: the second rule, once
		{method: "PATCH", id: "1234567", bearer: contoso, status: 429},  // another method: twice
		{method: "PATCH", id: "1234567", bearer: contoso, status: 200},  // and no more
		{method: "GET", bearer: contoso, status: 500},                   // the first has no end
		{method: "PATCH", id: "1234567", bearer: fabrikam, status: 200}, // with hostile names all the time
	}
	for i, step := range steps {
		got := w.do(step.method, strings.TrimSuffix(partnersPath+"/"+step.id, "/")+version, step.bearer)
		if got.status != step.status {
			t.Errorf("step %d: got %d %s, want %d", i, got.status, got.body, step.status)
		}
		if got.status == 200 {
			hostile(t, got.property(t, "partnerName").(string))
		}
		if got.status == 429 && got.header.Get("Retry-After") != "7" {
			t.Errorf("step %d: Retry-After %q", i, got.header.Get("Retry-After"))
		}
	}
	remove()
	remove()
	if got := w.check(contoso); got.status != 200 {
		t.Errorf("after remove: %d", got.status)
	}
}

func TestRulesThatCouldNeverMatchPanic(t *testing.T) {
	t.Parallel()
	sim := newSim(t, simulator.Config{})
	for name, rule := range map[string]simulator.Rule{
		"kind": {Kind: "server_eror"}, "tenant": {Kind: simulator.FaultHTML, TenantID: "nowhere"}, "path": {Kind: simulator.FaultHTML, Path: "partnerz"},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("unknown %s: no panic", name)
				}
			}()
			sim.Inject(rule)
		}()
	}
}

// The times are those of a fake clock.
func TestLatencyAndSlowWritesTakeConfiguredTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sim := newSim(t, simulator.Config{Latency: 50 * time.Millisecond, LinkedPercent: 100})
		token, err := sim.Token("contoso", "")
		if err != nil {
			t.Fatal(err)
		}
		send := func(ctx context.Context, method, path string) (took time.Duration, aborted bool) {
			start := time.Now()
			defer func() { took, aborted = time.Since(start), recover() == http.ErrAbortHandler }()
			req := httptest.NewRequestWithContext(ctx, method, path, nil)
			req.Header.Set("Authorization", "Bearer "+token)
			sim.Handler().ServeHTTP(httptest.NewRecorder(), req)
			return
		}
		if took, _ := send(t.Context(), "GET", partnersPath+version); took != 50*time.Millisecond {
			t.Errorf("a read took %v, want the latency", took)
		}
		if took, _ := send(t.Context(), "GET", "/common/discovery/instance"); took != 0 {
			t.Errorf("discovery took %v, want no latency", took)
		}
		sim.Inject(simulator.Rule{Kind: simulator.FaultSlowWrite})
		if took, _ := send(t.Context(), "PATCH", partnersPath+"/7654321"+version); took != 15*time.Second+50*time.Millisecond {
			t.Errorf("a slow write took %v", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if took, aborted := send(ctx, "PATCH", partnersPath+"/2345678"+version); took != time.Second || !aborted {
			t.Errorf("a client that hung up after a second was held for %v, aborted %v", took, aborted)
		}
		if link, _ := sim.Link("contoso", ""); link.PartnerID != "2345678" {
			t.Errorf("a slow write that was hung up on has happened all the same, but the link is %+v", link)
		}
		remove := sim.Inject(simulator.Rule{Kind: simulator.FaultLatencyJitter, Delay: 2 * time.Second})
		if took, _ := send(t.Context(), "GET", partnersPath+version); took != 2050*time.Millisecond {
			t.Errorf("with a delay of 2 s a read took %v", took)
		}
		remove()
		sim.Inject(simulator.Rule{Kind: simulator.FaultLatencyJitter})
		if took, _ := send(t.Context(), "GET", partnersPath+version); took < 50*time.Millisecond || took > 550*time.Millisecond {
			t.Errorf("with jitter a read took %v", took)
		}
	})
}

// TestWrongTenantTokenOfTheOnlyTenant has no other tenant to take a token of.
func TestWrongTenantTokenOfTheOnlyTenant(t *testing.T) {
	t.Parallel()
	w := serve(t, simulator.Config{Tenants: 1})
	w.sim.Inject(simulator.Rule{Kind: simulator.FaultWrongTenantToken})
	w.rejects("a tenant that does not exist", w.signIn("contoso.example"), "InvalidAuthenticationTokenTenant")
}
