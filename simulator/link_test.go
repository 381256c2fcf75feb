package simulator_test

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"mcp-partner/simulator"
)

func TestStateMachine(t *testing.T) {
	t.Parallel()
	const none, active, deleted = "", simulator.StateActive, simulator.StateDeleted
	tests := []struct {
		name, from, method, id string
		status                 int
		code                   string // the nested error's, where there is one
		state                  string // after
		partner                string
		version                int
	}{
		{name: "check without a link", from: none, method: "GET", status: 404, code: "NotFound", state: none},
		{name: "check a link", from: active, method: "GET", status: 200, state: active, partner: "1234567", version: 1},
		{name: "check a tombstone", from: deleted, method: "GET", status: 404, code: "NotFound", state: deleted, partner: "1234567", version: 2},
		{name: "get the linked one", from: active, method: "GET", id: "1234567", status: 200, state: active, partner: "1234567", version: 1},
		{
			name: "get another one", from: active, method: "GET", id: "7654321", status: 404, code: "NotFound", state: active,
			partner: "1234567", version: 1,
		},
		{name: "get without a link", from: none, method: "GET", id: "1234567", status: 404, code: "NotFound", state: none},
		{
			name: "get a tombstone", from: deleted, method: "GET", id: "1234567", status: 404, code: "NotFound", state: deleted,
			partner: "1234567", version: 2,
		},
		{name: "create", from: none, method: "PUT", id: "7654321", status: 200, state: active, partner: "7654321", version: 1},
		{
			name: "create over a link", from: active, method: "PUT", id: "7654321", status: 409, code: "Conflict", state: active,
			partner: "1234567", version: 1,
		},
		{
			name: "create the same again", from: active, method: "PUT", id: "1234567", status: 409, code: "Conflict", state: active,
			partner: "1234567", version: 1,
		},
		{name: "create over a tombstone", from: deleted, method: "PUT", id: "7654321", status: 200, state: active, partner: "7654321", version: 3},
		{name: "move", from: active, method: "PATCH", id: "7654321", status: 200, state: active, partner: "7654321", version: 2},
		{name: "move to the same", from: active, method: "PATCH", id: "1234567", status: 200, state: active, partner: "1234567", version: 2},
		{name: "move without a link", from: none, method: "PATCH", id: "7654321", status: 404, code: "NotFound", state: none},
		{
			name: "move a tombstone", from: deleted, method: "PATCH", id: "7654321", status: 404, code: "NotFound", state: deleted,
			partner: "1234567", version: 2,
		},
		{name: "remove", from: active, method: "DELETE", id: "1234567", status: 200, state: deleted, partner: "1234567", version: 2},
		{
			name: "remove another one", from: active, method: "DELETE", id: "7654321", status: 404, code: "NotFound", state: active,
			partner: "1234567", version: 1,
		},
		{name: "remove without a link", from: none, method: "DELETE", id: "1234567", status: 404, code: "NotFound", state: none},
		{
			name: "remove a tombstone", from: deleted, method: "DELETE", id: "1234567", status: 404, code: "NotFound", state: deleted,
			partner: "1234567", version: 2,
		},
		{name: "create with letters", from: none, method: "PUT", id: "12a4567", status: 400, code: "BadRequest", state: none},
		{name: "create with three digits", from: none, method: "PUT", id: "123", status: 400, code: "BadRequest", state: none},
		{name: "create with eleven digits", from: none, method: "PUT", id: "12345678901", status: 400, code: "BadRequest", state: none},
		{
			name: "create with Arabic digits", from: none, method: "PUT", id: "%D9%A1%D9%A2%D9%A3%D9%A4%D9%A5", status: 400,
			code: "BadRequest", state: none,
		},
		{name: "create a global one", from: none, method: "PUT", id: "5550001", status: 400, code: "BadRequest", state: none},
		{
			name: "move to a global one", from: active, method: "PATCH", id: "5550001", status: 400, code: "BadRequest", state: active,
			partner: "1234567", version: 1,
		},
	}
	w := serve(t, simulator.Config{Tenants: len(tests), ErrorShape: simulator.ErrorShapeNested})
	w.sim.AddGlobalPartner("5550001", "Everything Worldwide")
	for i, tt := range tests {
		tenant := w.sim.Tenants()[i]
		t.Run(tt.name, func(t *testing.T) {
			set(t, w.sim, tenant.Name, tt.from)
			url := partnersPath + version
			if tt.id != "" {
				url = partnersPath + "/" + tt.id + version
			}
			got := w.do(tt.method, url, w.signIn(tenant.TenantID))
			if got.status != tt.status || strings.Replace(got.code(), "PartnerIdAlreadyLinked", "Conflict", 1) != tt.code {
				t.Errorf("answer %d %s, want %d %s", got.status, got.body, tt.status, tt.code)
			}
			link, _ := w.sim.Link(tenant.TenantID, "")
			if link.State != tt.state || link.PartnerID != tt.partner || link.Version != tt.version {
				t.Errorf("link after it is %+v, want %s %s version %d", link, tt.state, tt.partner, tt.version)
			}
			if rec, wrote := w.last(), tt.status == 200 && tt.method != "GET"; rec.Written != wrote || rec.Status != tt.status || rec.TenantID != tenant.TenantID {
				t.Errorf("record %+v, want written %v and status %d", rec, wrote, tt.status)
			}
		})
	}
}

// TestWireBytes holds the answer to the recorded form, byte for byte.
func TestWireBytes(t *testing.T) {
	t.Parallel()
	clk := newClock()
	w := serve(t, simulator.Config{Now: clk.Now})
	w.sim.AddPartner("1234567", "Contoso Cloud Services")
	set(t, w.sim, "contoso", "")
	tenant := w.tenant("contoso")
	bearer := w.signIn(tenant.TenantID)
	w.partner("PUT", "1234567", bearer)
	clk.Advance(419*time.Second + 293014499*time.Nanosecond)
	w.partner("PATCH", "1234567", bearer)

	want := `{"etag":2,"id":"/providers/microsoft.managementpartner/partners/1234567","name":"1234567",` +
		`"properties":{"createdTime":"2026-01-16T13:50:00.3181860Z","objectId":"` + tenant.ObjectID +
		`","partnerId":"1234567","partnerName":"Contoso Cloud Services","state":"Active","tenantId":"` + tenant.TenantID +
		`","updatedTime":"2026-01-16T13:56:59.6112004Z","version":2},"type":"Microsoft.ManagementPartner/partners"}`
	for _, path := range []string{partnersPath, partnersPath + "/", strings.ToUpper(partnersPath), partnersPath + "/1234567", partnersPath + "/1234567/"} {
		got := w.do("GET", path+version, bearer)
		if got.status != 200 || got.body != want {
			t.Errorf("GET %s\ngot  %d %s\nwant %s", path, got.status, got.body, want)
		}
		for _, h := range []string{"x-ms-request-id", "x-ms-correlation-request-id", "request-id", "x-ms-ratelimit-remaining-tenant-reads"} {
			if got.header.Get(h) == "" {
				t.Errorf("GET %s has no header %s", path, h)
			}
		}
		if id := w.last().RequestID; id != got.header.Get("x-ms-request-id") {
			t.Errorf("the journal has request ID %s, the answer %s", id, got.header.Get("x-ms-request-id"))
		}
	}
}

func TestDeleteAnswersNothing(t *testing.T) {
	t.Parallel()
	w := serve(t, simulator.Config{})
	set(t, w.sim, "contoso", simulator.StateActive)
	got := w.partner("DELETE", "1234567", w.signIn("contoso.example"))
	_, typed := got.header["Content-Type"]
	if got.status != 200 || got.body != "" || typed {
		t.Errorf("got %d %q, Content-Type %v; want 200 with neither body nor type", got.status, got.body, got.header["Content-Type"])
	}
	if n := got.header.Get("x-ms-ratelimit-remaining-tenant-writes"); n != "199" {
		t.Errorf("remaining writes %q, want 199", n)
	}
}

func TestDeleteCanAnswer200(t *testing.T) {
	t.Parallel()
	w := serve(t, simulator.Config{Faults: []simulator.Fault{{Kind: simulator.FaultDeleted200, Percent: 100}}})
	set(t, w.sim, "contoso", simulator.StateDeleted)
	set(t, w.sim, "fabrikam", "")
	bearer := w.signIn("contoso.example")
	for _, got := range []reply{w.check(bearer), w.partner("GET", "1234567", bearer)} {
		if got.status != 200 || got.property(t, "state") != "Deleted" {
			t.Errorf("got %d %s, want 200 with the state Deleted", got.status, got.body)
		}
	}
	if got := w.check(w.signIn("fabrikam.example")); got.status != 404 {
		t.Errorf("an identity that never had a link got %d, want 404", got.status)
	}
}

// TestLinkBelongsToTheIdentity has two identities in one tenant and one
// application in two.
func TestLinkBelongsToTheIdentity(t *testing.T) {
	t.Parallel()
	w := serve(t, simulator.Config{LinkedPercent: -1})
	contoso := w.tenant("contoso")
	const other = "11111111-2222-4333-8444-555555555555"
	if err := w.sim.AddPrincipal("contoso", other, "client-2", "secret-2"); err != nil {
		t.Fatal(err)
	}
	second := w.form()
	second.Set("client_id", "client-2")
	second.Set("client_secret", "secret-2")
	theirs := w.requestToken(contoso.TenantID, second).json(t)["access_token"].(string)
	ours := w.signIn(contoso.TenantID)

	w.partner("PUT", "1234567", ours)
	if got := w.check(theirs); got.status != 404 {
		t.Errorf("the other identity sees %d %s", got.status, got.body)
	}
	if got := w.partner("DELETE", "1234567", theirs); got.status != 404 {
		t.Errorf("the other identity could remove the link: %d", got.status)
	}
	if got := w.check(w.signIn("fabrikam.example")); got.status != 404 {
		t.Errorf("the same application sees %d in another tenant", got.status)
	}
	w.partner("PUT", "7654321", theirs)
	ourLink, _ := w.sim.Link(contoso.TenantID, "")
	theirLink, _ := w.sim.Link(contoso.TenantID, other)
	if ourLink.PartnerID != "1234567" || theirLink.PartnerID != "7654321" {
		t.Errorf("links are %+v and %+v", ourLink, theirLink)
	}
}

func TestErrorShapes(t *testing.T) {
	t.Parallel()
	shapes := map[simulator.ErrorShape][2]bool{ // flat, nested
		simulator.ErrorShapeFlat: {true, false}, simulator.ErrorShapeNested: {false, true}, simulator.ErrorShapeBoth: {true, true},
	}
	for shape, want := range shapes {
		w := serve(t, simulator.Config{ErrorShape: shape, LinkedPercent: -1})
		body := w.check(w.signIn("contoso.example")).json(t)
		_, flat := body["code"]
		_, nested := body["error"]
		if flat != want[0] || nested != want[1] {
			t.Errorf("%s: got %v", shape, body)
		}
	}
}

// TestInvariants lets random writes by us and by others pass over the wire and
// compares each answer with a model that shares no code with the simulator.
func TestInvariants(t *testing.T) {
	t.Parallel()
	w := serve(t, simulator.Config{Throttle: simulator.Throttle{Writes: simulator.Bucket{Size: 1 << 20, PerSecond: 1}, Reads: simulator.Bucket{Size: 1 << 20, PerSecond: 1}}})
	bearer := w.signIn("contoso.example")
	rapid.Check(t, func(rt *rapid.T) {
		set(t, w.sim, "contoso", "")
		var linked string
		var writes int
		var created time.Time
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			id := rapid.SampledFrom([]string{"1234567", "7654321", "9999999"}).Draw(rt, "id")
			method := rapid.SampledFrom([]string{"PUT", "PATCH", "DELETE", "GET"}).Draw(rt, "method")
			want := 200
			switch {
			case method == "PUT" && linked != "":
				want = 409
			case method == "PATCH" && linked == "", (method == "DELETE" || method == "GET") && linked != id:
				want = 404
			}
			got := w.partner(method, id, bearer)
			if got.status != want {
				rt.Fatalf("%s %s with %q linked: %d, want %d", method, id, linked, got.status, want)
			}
			if want != 200 || method == "GET" {
				continue
			}
			writes++
			linked = map[bool]string{true: "", false: id}[method == "DELETE"]
			link, _ := w.sim.Link("contoso", "")
			if created.IsZero() {
				created = link.CreatedTime
			}
			if link.Version != writes || !link.CreatedTime.Equal(created) || link.PartnerID != id || (link.State == "Active") != (linked != "") {
				rt.Fatalf("after %d writes, the last %s %s: %+v", writes, method, id, link)
			}
			if method != "DELETE" && (got.json(t)["etag"] != float64(writes) || got.property(t, "version") != float64(writes)) {
				rt.Fatalf("etag and version of %s are not %d", got.body, writes)
			}
		}
	})
}

// TestConcurrentWrites has many clients on one link: every accepted write is
// one version, and nothing is lost.
func TestConcurrentWrites(t *testing.T) {
	t.Parallel()
	w := serve(t, simulator.Config{})
	set(t, w.sim, "contoso", simulator.StateActive)
	bearer := w.signIn("contoso.example")
	var group sync.WaitGroup
	versions := make([]float64, 40)
	for i := range versions {
		group.Go(func() {
			r, err := w.try("PATCH", partnersPath+"/7654321"+version, bearer)
			var body struct{ ETag float64 }
			if err == nil && json.Unmarshal([]byte(r.body), &body) == nil {
				versions[i] = body.ETag
			}
		})
	}
	group.Wait()
	seen := map[float64]bool{}
	for _, v := range versions {
		seen[v] = true
	}
	link, _ := w.sim.Link("contoso", "")
	if len(seen) != len(versions) || link.Version != len(versions)+1 || w.sim.Stats().Written != int64(len(versions)) {
		t.Errorf("%d distinct versions, link %+v, stats %+v", len(seen), link, w.sim.Stats())
	}
}
