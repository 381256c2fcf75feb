package simulator_test

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"mcp-partner/simulator"
)

// TestSeedIsStable pins what people write down from one release to the next.
func TestSeedIsStable(t *testing.T) {
	t.Parallel()
	sim := newSim(t, simulator.Config{Seed: 2})
	contoso, _ := sim.Tenant("contoso")
	got := strings.Join([]string{contoso.TenantID, contoso.ObjectID, sim.ClientID(), contoso.PartnerID, contoso.State}, " ")
	const want = "9ec96e34-bf60-4270-8907-6ebaa241b1f3 3f10b36c-0011-4f23-bf66-3511c4dfefc2 f5ca2933-c3f3-46ec-95b4-dd38b510c43d 1234567 Active"
	if got != want {
		t.Errorf("seed 2 gives\n%s, want\n%s", got, want)
	}
}

func TestSeedsDiffer(t *testing.T) {
	t.Parallel()
	a, b, again := newSim(t, simulator.Config{Seed: 1}), newSim(t, simulator.Config{Seed: 2}), newSim(t, simulator.Config{Seed: 1})
	if !slices.Equal(a.Tenants(), again.Tenants()) || a.ClientSecret() != again.ClientSecret() {
		t.Error("the same seed gives another world")
	}
	if a.Tenants()[0].TenantID == b.Tenants()[0].TenantID || a.ClientID() == b.ClientID() || a.ClientSecret() == b.ClientSecret() {
		t.Error("another seed gives the same world")
	}
}

func TestManyTenants(t *testing.T) {
	t.Parallel()
	guid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	list := newSim(t, simulator.Config{Tenants: 10_000}).Tenants()
	seen := map[string]bool{}
	count := map[string]int{}
	for _, tenant := range list {
		for _, id := range []string{tenant.TenantID, tenant.ObjectID} {
			if !guid.MatchString(id) || seen[id] {
				t.Fatalf("%+v: %q is no GUID, or not the first", tenant, id)
			}
			seen[id] = true
		}
		count[tenant.State]++
		count[tenant.PartnerID]++
	}
	if list[0].Name != "contoso" || list[2].DisplayName != "Adventure Works" || list[10].Name != "tenant-0011" || list[9999].Domain != "tenant-10000.example" {
		t.Errorf("names are %s, %s, %s, %s", list[0].Name, list[2].DisplayName, list[10].Name, list[9999].Domain)
	}
	if linked := count[simulator.StateActive]; linked < 4800 || linked > 5200 || count[simulator.StateDeleted] < 1000 || count["1234567"] < 3000 || count["7654321"] < 100 {
		t.Errorf("the mixture is %v", count)
	}
}

func TestLinkedPercent(t *testing.T) {
	t.Parallel()
	for percent, want := range map[float64][2]int{-1: {0, 0}, 100: {200, 200}, 10: {8, 35}} {
		linked := 0
		for _, tenant := range newSim(t, simulator.Config{Tenants: 200, LinkedPercent: percent}).Tenants() {
			if tenant.State == simulator.StateActive {
				linked++
			}
			if percent < 0 && tenant.State != "" {
				t.Errorf("%s has the state %s", tenant.Name, tenant.State)
			}
		}
		if linked < want[0] || linked > want[1] {
			t.Errorf("%v percent: %d of 200 are linked", percent, linked)
		}
	}
}

// run sends the same requests in the same order of each tenant, with tenants
// in the order given, and returns what each tenant saw.
func run(t *testing.T, seed uint64, order []string) map[string][]string {
	t.Helper()
	cfg := simulator.Config{Seed: seed, Now: newClock().Now}
	for _, info := range simulator.FaultKinds() {
		if info.Kind != simulator.FaultSlowWrite && info.Kind != simulator.FaultLatencyJitter {
			cfg.Faults = append(cfg.Faults, simulator.Fault{Kind: info.Kind, Percent: 6})
		}
	}
	w := serve(t, cfg)
	for _, name := range order {
		token, err := w.sim.Token(name, "")
		if err != nil {
			t.Fatal(err)
		}
		for range 15 {
			for _, method := range []string{"GET", "PUT", "PATCH", "DELETE"} {
				_, _ = w.try(method, partnersPath+"/1234567"+version, token)
			}
			_, _ = read(w.hc.PostForm(w.srv.Authority()+name+".example/oauth2/v2.0/token", w.form()))
		}
	}
	seen := map[string][]string{}
	for _, r := range w.sim.Journal() {
		seen[r.TenantID] = append(seen[r.TenantID], fmt.Sprint(r.Method, r.Path, r.Status, r.RequestID, r.FaultKind, r.Written))
	}
	return seen
}

func TestFaultsFollowTheSeed(t *testing.T) {
	t.Parallel()
	a := run(t, 3, []string{"contoso", "fabrikam", "litware"})
	b := run(t, 3, []string{"litware", "contoso", "fabrikam"})
	faulty := 0
	for tenant, records := range a {
		if !slices.Equal(records, b[tenant]) {
			t.Errorf("tenant %s saw another run for the same seed", tenant)
		}
		for _, r := range records {
			if strings.Contains(r, "_") {
				faulty++
			}
		}
	}
	if len(a) != 3 || faulty < 20 {
		t.Errorf("%d tenants, %d faults: too little to compare", len(a), faulty)
	}
	for tenant := range run(t, 4, []string{"contoso"}) {
		if a[tenant] != nil {
			t.Error("another seed has the same tenant")
		}
	}
}

// The share of faults matches the configured percentage.
func TestFaultPercentIsHeld(t *testing.T) {
	t.Parallel()
	w := serve(t, simulator.Config{Tenants: 1, Faults: []simulator.Fault{{Kind: simulator.FaultEmpty404, Percent: 20}},
		Throttle: simulator.Throttle{Reads: simulator.Bucket{Size: 5000, PerSecond: 1}}})
	bearer := w.signIn("contoso.example")
	hit := 0
	for range 2000 {
		if got := w.check(bearer); got.status == 404 && got.body == "" {
			hit++
		}
	}
	if math.Abs(float64(hit)/2000-0.2) > 0.03 || w.sim.Stats().Faults != int64(hit) {
		t.Errorf("%d of 2000 requests met a fault of 20 percent; stats %+v", hit, w.sim.Stats())
	}
}

// With bursts of one to three and a draw of ten percent, two of twelve requests
// are hit on average; single hits would be one of ten.
func TestThrottleBurstsLastOneToThreeRequests(t *testing.T) {
	t.Parallel()
	w := serve(t, simulator.Config{Tenants: 1, Faults: []simulator.Fault{{Kind: simulator.FaultThrottleBurst, Percent: 10}},
		Throttle: simulator.Throttle{Reads: simulator.Bucket{Size: 5000, PerSecond: 1}}})
	bearer := w.signIn("contoso.example")
	for range 2000 {
		if got := w.check(bearer); got.status == 429 && got.header.Get("Retry-After") != "1" {
			t.Fatalf("Retry-After is %q", got.header.Get("Retry-After"))
		}
	}
	if hit := w.sim.Stats().Throttled; hit < 280 || hit > 450 {
		t.Errorf("%d of 2000 requests were throttled, want about 360", hit)
	}
}

func TestTenantTraitsAreStable(t *testing.T) {
	t.Parallel()
	w := serve(t, simulator.Config{Tenants: 100, LinkedPercent: 100, Faults: []simulator.Fault{{Kind: simulator.FaultStringVersions, Percent: 30}, {Kind: simulator.FaultHostileNames, Percent: 100}}})
	strange := 0
	for _, tenant := range w.sim.Tenants() {
		hostile(t, tenant.DisplayName)
		bearer := w.signIn(tenant.TenantID)
		first := strings.Contains(w.check(bearer).body, `"etag":"`)
		for range 3 {
			if again := strings.Contains(w.check(bearer).body, `"etag":"`); again != first {
				t.Errorf("%s is not the same each time", tenant.Name)
			}
		}
		if first {
			strange++
		}
	}
	if strange < 15 || strange > 45 {
		t.Errorf("%d of 100 tenants, want about 30", strange)
	}
}

func TestParseFault(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]float64{"html=5": 5, "html=0.5": 0.5, "html=100%": 100} {
		if f, err := simulator.ParseFault(in); err != nil || f != (simulator.Fault{Kind: simulator.FaultHTML, Percent: want}) {
			t.Errorf("%q: %+v, %v", in, f, err)
		}
	}
	for in, part := range map[string]string{
		"html": "KIND=PERCENT", "": "KIND=PERCENT", "html=": "percentage", "html=x": `"x"`, "html=101": "0 to 100", "html=-1": "0 to 100",
		"html=NaN": "0 to 100", "htlm=5": "known are latency_jitter, throttle_burst",
	} {
		if _, err := simulator.ParseFault(in); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%q: %v, want something about %q", in, err, part)
		}
	}
}

func TestParseThrottle(t *testing.T) {
	t.Parallel()
	published := simulator.Throttle{Reads: simulator.Bucket{Size: 250, PerSecond: 25}, Writes: simulator.Bucket{Size: 200, PerSecond: 10}}
	slow := published
	slow.Writes = simulator.Bucket{Size: 1, PerSecond: 0.5}
	for in, want := range map[string]simulator.Throttle{"reads=250/25,writes=200/10": published, "writes=1/0.5": slow, "reads=250/25": published} {
		if got, err := simulator.ParseThrottle(in); err != nil || got != want {
			t.Errorf("%q: %+v, %v", in, got, err)
		}
	}
	for in, part := range map[string]string{
		"": "accepted are reads=", "deletes=1/1": "accepted are", "reads=5": "SIZE/PER_SECOND", "reads=x/1": `"x/1"`, "reads=0/1": "size of at least 1",
		"reads=1/0": "rate above 0", "reads=1/NaN": "rate above 0", "reads=1/Inf": "at most", "reads=1/1,reads=2/2": "twice",
	} {
		if _, err := simulator.ParseThrottle(in); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%q: %v, want something about %q", in, err, part)
		}
	}
}

func TestConfigErrors(t *testing.T) {
	t.Parallel()
	_, err := simulator.New(simulator.Config{
		Tenants: -1, Latency: -1, TokenLifetime: -1, LinkedPercent: 101, JournalLimit: -1, ErrorShape: "round",
		Throttle: simulator.Throttle{Reads: simulator.Bucket{Size: -1}}, Faults: []simulator.Fault{{Kind: "htlm"}},
	})
	for _, part := range []string{"tenants", "latency", "token lifetime", "linked percent", "journal limit", `"round"`, "throttle reads", `"htlm"`} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not name %s", err, part)
		}
	}
}

func TestSettersNameWhatIsMissing(t *testing.T) {
	t.Parallel()
	sim := newSim(t, simulator.Config{})
	for name, err := range map[string]error{
		"SetLink": sim.SetLink("nowhere", "1234567"), "ClearLink": sim.ClearLink("nowhere"), "Tombstone": sim.Tombstone("nowhere"),
		"SetConsent": sim.SetConsent("nowhere", true), "AddPrincipal": sim.AddPrincipal("nowhere", "o", "c", "s"),
	} {
		if err == nil || !strings.Contains(err.Error(), `"nowhere"`) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := sim.SetLink("contoso", "12"); err == nil {
		t.Error("SetLink takes a malformed ID")
	}
	if err := sim.AddPrincipal("contoso", "o", sim.ClientID(), "s"); err == nil {
		t.Error("AddPrincipal takes a client ID that is there")
	}
	if err := sim.AddPrincipal("contoso", "o", "c", ""); err == nil {
		t.Error("AddPrincipal takes an empty secret")
	}
	if _, ok := sim.Tenant("nowhere"); ok {
		t.Error("Tenant finds a tenant that does not exist")
	}
	if _, ok := sim.Link("nowhere", ""); ok {
		t.Error("Link finds a link in a tenant that does not exist")
	}
}

func TestJournalLimit(t *testing.T) {
	t.Parallel()
	clk := newClock()
	w := serve(t, simulator.Config{JournalLimit: 5, Now: clk.Now})
	token, err := w.sim.Token("contoso", "")
	if err != nil {
		t.Fatal(err)
	}
	for range 23 {
		clk.Advance(time.Second)
		w.check(token)
	}
	got := w.sim.Journal()
	if len(got) != 5 || !got[4].Time.Equal(clk.Now()) || !got[0].Time.Equal(clk.Now().Add(-4*time.Second)) || w.sim.Stats().ARMReads != 23 {
		t.Errorf("%d records, the last of %v, and stats %+v; want the newest five of 23", len(got), got[len(got)-1].Time, w.sim.Stats())
	}
}
