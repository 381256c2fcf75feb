package simulator_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"mcp-partner/simulator"
)

func TestARMErrors(t *testing.T) {
	t.Parallel()
	w := serve(t, simulator.Config{})
	bearer := w.signIn("contoso.example")
	tests := []struct {
		method, url string
		status      int
		code        string
	}{
		{method: "GET", url: partnersPath, status: 400, code: "MissingApiVersionParameter"},
		{method: "GET", url: partnersPath + "?api-version=2017-01-01", status: 400, code: "NoRegisteredProviderFound"},
		{method: "PUT", url: partnersPath + "/1234567?api-version=2020-01-01", status: 400, code: "NoRegisteredProviderFound"},
		{method: "GET", url: operationsPath + "?api-version=1", status: 400, code: "NoRegisteredProviderFound"},
		{method: "GET", url: "/tenants?api-version=2018-02-01", status: 400, code: "InvalidApiVersionParameter"},
		{method: "GET", url: "/providers/Microsoft.ManagementPartner/links" + version, status: 404, code: "InvalidResourceType"},
		{method: "GET", url: partnersPath + "/1234567/more" + version, status: 404, code: "InvalidResourceType"},
		{method: "GET", url: "/providers/Microsoft.Elsewhere/partners" + version, status: 404, code: "InvalidResourceNamespace"},
		{method: "GET", url: "/subscriptions/0/partners" + version, status: 404, code: "InvalidResourcePath"},
		{method: "GET", url: "/", status: 404, code: "InvalidResourcePath"},
		{method: "POST", url: partnersPath + version, status: 405, code: "HttpMethodNotAllowed"},
		{method: "POST", url: partnersPath + "/1234567" + version, status: 405, code: "HttpMethodNotAllowed"},
		{method: "POST", url: operationsPath + version, status: 405, code: "HttpMethodNotAllowed"},
		{method: "POST", url: "/tenants?api-version=2022-12-01", status: 405, code: "HttpMethodNotAllowed"},
		{method: "GET", url: operationsPath + version + "&$skiptoken=page-99", status: 400, code: "BadRequest"},
	}
	for _, tt := range tests {
		got := w.do(tt.method, tt.url, bearer)
		if got.status != tt.status || got.code() != tt.code {
			t.Errorf("%s %s: got %d %s, want %d %s", tt.method, tt.url, got.status, got.body, tt.status, tt.code)
		}
		if got.header.Get("x-ms-request-id") == "" {
			t.Errorf("%s %s: no x-ms-request-id", tt.method, tt.url)
		}
	}
}

func TestUnauthorized(t *testing.T) {
	t.Parallel()
	clk := newClock()
	w := serve(t, simulator.Config{Now: clk.Now})
	good := w.signIn("contoso.example")
	graph := w.form()
	graph.Set("scope", "https://graph.microsoft.com/.default")
	other, err := newSim(t, simulator.Config{}).Token("contoso", "")
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(good, ".")
	tests := map[string][2]string{
		"none":                   {"", "AuthenticationFailed"},
		"garbage":                {"garbage", "InvalidAuthenticationToken"},
		"cut":                    {good[:len(good)-4], "InvalidAuthenticationToken"},
		"unsigned":               {"eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0." + parts[1] + ".", "InvalidAuthenticationToken"},
		"of another authority":   {other, "InvalidAuthenticationToken"},
		"with another's payload": {parts[0] + "." + strings.Split(w.signIn("fabrikam.example"), ".")[1] + "." + parts[2], "InvalidAuthenticationToken"},
		"for a foreign audience": {w.requestToken("contoso.example", graph).json(t)["access_token"].(string), "InvalidAuthenticationTokenAudience"},
	}
	for name, tt := range tests {
		w.rejects(name, tt[0], tt[1])
	}
	clk.Advance(time.Hour - time.Second)
	if got := w.check(good); got.status == 401 {
		t.Errorf("a second before its expiry: %s", got.body)
	}
	clk.Advance(time.Second)
	w.rejects("expired", good, "ExpiredAuthenticationToken")
	clk.Advance(-2 * time.Hour)
	w.rejects("not valid yet", good, "InvalidAuthenticationToken")
	if stats := w.sim.Stats(); stats.Written != 0 {
		t.Errorf("something was written: %+v", stats)
	}
}

func (w *wire) rejects(name, bearer, code string) {
	w.t.Helper()
	got := w.partner("PUT", "1234567", bearer)
	if got.status != 401 || got.code() != code || !strings.HasPrefix(got.header.Get("WWW-Authenticate"), "Bearer authorization_uri=") {
		w.t.Errorf("%s: got %d %s, WWW-Authenticate %q; want 401 %s", name, got.status, got.body, got.header.Get("WWW-Authenticate"), code)
	}
}

func TestOperationsHavePages(t *testing.T) {
	t.Parallel()
	w := serve(t, simulator.Config{})
	bearer := w.signIn("contoso.example")
	names, pages := map[string]bool{}, 0
	for next := operationsPath + version; next != ""; pages++ {
		body := w.do("GET", next, bearer).json(t)
		for _, op := range body["value"].([]any) {
			names[op.(map[string]any)["name"].(string)] = true
		}
		next, _ = body["nextLink"].(string)
	}
	if pages < 2 || len(names) != 5 || !names["Microsoft.ManagementPartner/partners/delete"] {
		t.Errorf("%d pages with %v", pages, names)
	}
}

func TestTenantsListsOwnTenant(t *testing.T) {
	t.Parallel()
	w := serve(t, simulator.Config{})
	contoso := w.tenant("contoso")
	list := w.do("GET", "/tenants?api-version=2022-12-01", w.signIn("contoso.example")).json(t)["value"].([]any)
	if len(list) != 1 {
		t.Fatalf("%d tenants, want the own one alone", len(list))
	}
	got := list[0].(map[string]any)
	if got["tenantId"] != contoso.TenantID || got["id"] != "/tenants/"+contoso.TenantID || got["displayName"] != "Contoso" || got["tenantCategory"] != "Home" {
		t.Errorf("got %v", got)
	}
}

func TestCorrelationID(t *testing.T) {
	t.Parallel()
	w := serve(t, simulator.Config{})
	bearer := w.signIn("contoso.example")
	const own = "0F0E0D0C-1111-2222-3333-444455556666"
	for sent, echoed := range map[string]bool{own: true, "": false, "not a GUID": false} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", w.srv.URL()+partnersPath+version, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+bearer)
		req.Header.Set("x-ms-correlation-request-id", sent)
		got, err := read(w.hc.Do(req))
		if err != nil {
			t.Fatal(err)
		}
		id := got.header.Get("x-ms-correlation-request-id")
		if strings.EqualFold(id, own) != echoed || !echoed && id != got.header.Get("x-ms-request-id") {
			t.Errorf("sent %q, got %q with request ID %q", sent, id, got.header.Get("x-ms-request-id"))
		}
	}
}

func TestThrottle(t *testing.T) {
	t.Parallel()
	clk := newClock()
	w := serve(t, simulator.Config{Now: clk.Now, Throttle: simulator.Throttle{
		Reads: simulator.Bucket{Size: 3, PerSecond: 0.4}, Writes: simulator.Bucket{Size: 1, PerSecond: 10},
	}})
	set(t, w.sim, "contoso", simulator.StateActive)
	bearer := w.signIn("contoso.example")
	for want := range 3 {
		if got := w.check(bearer); got.status != 200 || got.header.Get("x-ms-ratelimit-remaining-tenant-reads") != string(rune('2'-want)) {
			t.Fatalf("read %d: %d, remaining %q", want, got.status, got.header.Get("x-ms-ratelimit-remaining-tenant-reads"))
		}
	}
	got := w.check(bearer)
	if got.status != 429 || got.header.Get("Retry-After") != "3" || got.code() != "TooManyRequests" {
		t.Fatalf("with an empty bucket: %d %s, Retry-After %q, want 429 and 3 (2.5 rounded up)", got.status, got.body, got.header.Get("Retry-After"))
	}
	// The other bucket, and those of others, are not touched.
	if got := w.partner("PATCH", "7654321", bearer); got.status != 200 {
		t.Errorf("a write got %d", got.status)
	}
	if got := w.partner("PATCH", "7654321", bearer); got.status != 429 || got.header.Get("Retry-After") != "1" {
		t.Errorf("a second write got %d, Retry-After %q", got.status, got.header.Get("Retry-After"))
	}
	if got := w.check(w.signIn("fabrikam.example")); got.status == 429 {
		t.Error("another tenant is throttled")
	}
	clk.Advance(2500 * time.Millisecond)
	if got := w.check(bearer); got.status != 200 {
		t.Errorf("after the wait: %d", got.status)
	}
	clk.Advance(10 * time.Minute)
	if got := w.check(bearer); got.header.Get("x-ms-ratelimit-remaining-tenant-reads") != "2" {
		t.Errorf("the bucket ran over: %q left", got.header.Get("x-ms-ratelimit-remaining-tenant-reads"))
	}
	if stats := w.sim.Stats(); stats.Throttled != 2 {
		t.Errorf("stats %+v, want 2 throttled", stats)
	}
}

func TestPublishedLimits(t *testing.T) {
	t.Parallel()
	clk := newClock()
	w := serve(t, simulator.Config{Now: clk.Now})
	bearer := w.signIn("contoso.example")
	if n := w.check(bearer).header.Get("x-ms-ratelimit-remaining-tenant-reads"); n != "249" {
		t.Errorf("reads left %s, want 249", n)
	}
	if n := w.partner("PATCH", "1", bearer).header.Get("x-ms-ratelimit-remaining-tenant-writes"); n != "199" {
		t.Errorf("writes left %s, want 199", n)
	}
}
