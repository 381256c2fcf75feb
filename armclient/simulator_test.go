package armclient

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/partnerid"
	"mcp-partner/schemas/problems"
	"mcp-partner/simulator"
)

// simulated is a client against the simulator's real TLS listener.
type simulated struct {
	sim    *simulator.Simulator
	client *Client
	tenant simulator.Tenant
}

// simulatorToken takes tokens past the simulator's sign-in, which is not this
// package's to test.
type simulatorToken struct {
	sim    *simulator.Simulator
	tenant string
}

func (s simulatorToken) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	token, err := s.sim.Token(s.tenant, "")
	return azcore.AccessToken{Token: token, ExpiresOn: time.Now().Add(time.Hour)}, err
}

func simulate(t *testing.T, config simulator.Config) simulated {
	t.Helper()
	sim, err := simulator.New(config)
	if err != nil {
		t.Fatal(err)
	}
	server, err := sim.Start(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	tenant := sim.Tenants()[0]
	o := testOptions(production(t, server.CAPEM()))
	o.TenantID, o.TenantName, o.Endpoint, o.Audience = tenant.TenantID, tenant.Name, server.URL(), sim.Audience()
	return simulated{sim, newClient(t, simulatorToken{sim, tenant.TenantID}, o), tenant}
}

func (s simulated) apply(t *testing.T, kind string, partnerID string, before LinkRead) Outcome {
	t.Helper()
	once := permitFor(t, toolOf[kind], before.Identity.TenantID, before.Identity.ObjectID, partnerID)
	return s.client.Apply(t.Context(), once, Change{kind, partnerid.ID(partnerID), before.Link})
}

// A link's whole life, with both of the possible behaviours after a DELETE and
// all three shapes of errors.
func TestLinkLifecycleInEveryErrorShape(t *testing.T) {
	t.Parallel()
	for _, shape := range []simulator.ErrorShape{simulator.ErrorShapeNested, simulator.ErrorShapeFlat, simulator.ErrorShapeBoth} {
		for _, tombstones := range []float64{0, 100} {
			t.Run(string(shape), func(t *testing.T) {
				t.Parallel()
				liveALink(t, simulate(t, simulator.Config{Tenants: 2, LinkedPercent: -1, ErrorShape: shape, Faults: []simulator.Fault{{Kind: simulator.FaultDeleted200, Percent: tombstones}}}))
			})
		}
	}
}

func liveALink(t *testing.T, s simulated) {
	t.Helper()
	read := s.client.Link(t.Context())
	if read.Link.State != answers.LinkNotLinked || read.RequestID == "" {
		t.Fatalf("before: %+v", read)
	}
	for _, step := range []struct {
		kind    string
		partner string
		absent  bool
	}{{kind: http.MethodPut, partner: partner1}, {kind: http.MethodPatch, partner: partner2},
		{kind: http.MethodDelete, partner: partner2, absent: true}, {kind: http.MethodPut, partner: partner1}} {
		got := s.apply(t, step.kind, step.partner, read)
		if got.Applied != AppliedYes || got.Problem != nil || got.After.Link.State.Absent() != step.absent || got.RequestID == "" {
			t.Fatalf("%s %s: %+v, %+v", step.kind, step.partner, got, got.Problem)
		}
		read = got.After
	}
	truth, _ := s.sim.Link(s.tenant.TenantID, "")
	if *read.Link.Version != int64(truth.Version) || truth.Version != 4 || string(read.Link.PartnerID) != truth.PartnerID {
		t.Errorf("%+v, truth %+v", read.Link, truth)
	}
	again := s.apply(t, http.MethodPut, partner2, LinkRead{Link: absent(), Identity: read.Identity})
	if again.Applied != AppliedNo || codeOfProblem(again.Problem) != problems.CodeConcurrentChange || again.After.Link.PartnerID != partner1 {
		t.Errorf("create over a link: %+v, %+v", again, again.Problem)
	}
}

// Every fault that can befall a write: what is said must be true of what the
// simulator knows to have happened, and the write must have been sent once.
func TestWriteOutcomeUnderEveryFault(t *testing.T) {
	t.Parallel()
	for kind, want := range map[simulator.FaultKind]struct {
		applied Applied
		code    problems.Code
	}{
		simulator.FaultLostAnswer:       {AppliedYes, ""},
		simulator.FaultErrorAfterWrite:  {AppliedYes, ""},
		simulator.FaultCutBody:          {AppliedYes, ""},
		simulator.FaultSlowWrite:        {AppliedYes, ""},
		simulator.FaultServerError:      {AppliedNo, problems.CodeWriteNotApplied},
		simulator.FaultHTML:             {AppliedNo, problems.CodeWriteNotApplied},
		simulator.FaultEmpty404:         {AppliedNo, problems.CodeWriteNotApplied},
		simulator.FaultThrottleLong:     {AppliedNo, problems.CodeThrottled},
		simulator.FaultNamespace404:     {AppliedNo, problems.CodeProviderUnavailable},
		simulator.FaultForbidden:        {AppliedNo, problems.CodeForbidden},
		simulator.FaultUnauthorized:     {AppliedNo, problems.CodeUnauthorized},
		simulator.FaultClaimsChallenge:  {AppliedYes, ""},
		simulator.FaultOtherWriter:      {AppliedYes, problems.CodeConcurrentChange},
		simulator.FaultOtherWriterBack:  {AppliedYes, problems.CodeConcurrentChange},
		simulator.FaultOtherWriterLate:  {AppliedYes, problems.CodeConcurrentChange},
		simulator.FaultForeignPrincipal: {AppliedNo, problems.CodeForeignPrincipal},
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s := simulate(t, simulator.Config{Tenants: 1, LinkedPercent: -1})
			if err := s.sim.SetLink(s.tenant.TenantID, partner1); err != nil {
				t.Fatal(err)
			}
			before := s.client.Link(t.Context())
			s.sim.Inject(simulator.Rule{Kind: kind, Method: "PATCH", Times: 1, Delay: 50 * time.Millisecond})
			got := s.apply(t, http.MethodPatch, partner2, before)
			if got.Applied != want.applied || codeOfProblem(got.Problem) != want.code {
				t.Errorf("%s, %+v; want %s, %q", got.Applied, got.Problem, want.applied, want.code)
			}
			s.checkTruth(t, got, kind == simulator.FaultClaimsChallenge)
		})
	}
}

func (s simulated) checkTruth(t *testing.T, got Outcome, challenged bool) {
	t.Helper()
	truth, _ := s.sim.Link(s.tenant.TenantID, "")
	if got.After.Link.State != answers.LinkLinked || string(got.After.Link.PartnerID) != truth.PartnerID || *got.After.Link.Version != int64(truth.Version) {
		t.Errorf("after %+v, truth %+v", got.After.Link, truth)
	}
	sent, written := 0, false
	for _, r := range s.sim.Journal() {
		if r.Method == "PATCH" {
			sent++
			written = written || r.Written
		}
	}
	if most := map[bool]int{false: 1, true: 2}[challenged]; sent != most || written != (got.Applied == AppliedYes) {
		t.Errorf("%d PATCHes, written %v, but %s", sent, written, got.Applied)
	}
}

func TestReadResultUnderEveryFault(t *testing.T) {
	t.Parallel()
	for kind, want := range map[simulator.FaultKind]problems.Code{
		simulator.FaultThrottleLong: problems.CodeThrottled, simulator.FaultServerError: problems.CodeARMUnavailable,
		simulator.FaultEmpty404: problems.CodeUnexpectedResponse, simulator.FaultNamespace404: problems.CodeProviderUnavailable,
		simulator.FaultUnauthorized: problems.CodeUnauthorized, simulator.FaultForbidden: problems.CodeForbidden,
		simulator.FaultCutBody: problems.CodeUnexpectedResponse, simulator.FaultForeignPrincipal: problems.CodeForeignPrincipal,
		simulator.FaultClaimsChallenge: problems.CodeUnauthorized,
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s := simulate(t, simulator.Config{Tenants: 1, LinkedPercent: -1})
			remove := s.sim.Inject(simulator.Rule{Kind: kind})
			if read := s.client.Link(t.Context()); read.Link.State != answers.LinkUnknown || codeOfProblem(read.Problem) != want {
				t.Errorf("%+v, want %s", read.Problem, want)
			}
			remove()
			if read := s.client.Link(t.Context()); read.Link.State != answers.LinkNotLinked {
				t.Errorf("afterwards %+v", read)
			}
		})
	}
}

func TestListsOfTheSimulator(t *testing.T) {
	t.Parallel()
	s := simulate(t, simulator.Config{Tenants: 1})
	operations, identity, err := s.client.Operations(t.Context())
	if err != nil || len(operations) < 4 || identity.TenantID != s.tenant.TenantID {
		t.Errorf("%v, %v", operations, err)
	}
	tenants, _, err := s.client.Tenants(t.Context())
	if err != nil || len(tenants) != 1 || tenants[0].TenantID != s.tenant.TenantID || tenants[0].Category != "Home" {
		t.Errorf("%v, %v", tenants, err)
	}
}
