package serve

import (
	"path/filepath"
	"testing"
	"time"

	"mcp-partner/access"
	"mcp-partner/auth"
	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/config"
	"mcp-partner/internal/issuertest"
	"mcp-partner/jobs/schedules"
	"mcp-partner/tools"
)

const (
	scheduled    = "schedule:nightly"
	entraTenant  = "11111111-2222-3333-4444-555555555555"
	entraIssuer  = "https://login.microsoftonline.com/" + entraTenant + "/v2.0"
	testAudience = "api://mcp-partner"
)

// A schedule reads without anybody, so nobody may be taken for one: whatever a person,
// an issuer or the config file calls somebody, that name is refused or comes behind
// another kind.
func TestNobodyIsTakenForASchedule(t *testing.T) {
	t.Parallel()
	if s := (schedules.Schedule{Name: "nightly"}); s.Caller() != scheduled || !s.Caller().Scheduled() {
		t.Fatalf("a schedule is called %q", s.Caller())
	}
	issuer := issuertest.Start(t)
	callers, err := config.Parse("config.yaml", []byte(`callers:
  scopes: {`+scheduled+`: [partner.read]}
  grants:
    - {name: "`+scheduled+`", issuer: "`+issuer.URL()+`", subject: "`+scheduled+`", tenants: ["*"]}
    - {name: "`+scheduled+`", tenant_id: `+entraTenant+`, role: "`+scheduled+`", tenants: ["*"]}
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	if grant, ok := callers.Callers.Standing(scheduled); ok {
		t.Errorf("the config file grants %+v to a schedule", grant)
	}
	caller := callersOf(t, issuer, callers.Callers)
	for name, test := range map[string]struct {
		caller  access.Caller
		refused bool
	}{
		"stdio":                             {caller: tools.StdioCaller},
		"terminal":                          {caller: app.TerminalCaller},
		"server without authentication":     {caller: Anybody},
		"token of the start":                {caller: caller.ofStart()},
		"token for a schedule":              {caller: caller.ofToken(scheduled), refused: true},
		"token for the word schedule":       {caller: caller.ofToken("schedule")},
		"subject":                           {caller: caller.ofClaims(issuertest.Claims{"sub": scheduled})},
		"client without a subject":          {caller: caller.ofClaims(issuertest.Claims{"sub": nil, "azp": scheduled}), refused: true},
		"scope":                             {caller: caller.ofClaims(issuertest.Claims{"scope": scheduled})},
		"person of Entra ID":                {caller: caller.ofEntra(issuertest.Claims{"sub": scheduled, "preferred_username": scheduled})},
		"object ID of Entra ID":             {caller: caller.ofEntra(issuertest.Claims{"oid": scheduled}), refused: true},
		"tenant of Entra ID":                {caller: caller.ofEntra(issuertest.Claims{"tid": scheduled}), refused: true},
		"issuer that nobody asked to trust": {caller: caller.ofClaims(issuertest.Claims{"iss": scheduled}), refused: true},
	} {
		if test.caller.Scheduled() || test.refused != (test.caller == "") {
			t.Errorf("%s: the caller is %q, refused should be %t", name, test.caller, test.refused)
		}
	}
}

// callersOfServer names who shows a token to a server; "" for one that is refused.
type callersOfServer struct {
	t        *testing.T
	issuer   *issuertest.Issuer
	verifier *auth.Authenticator
	guard    *guard.Guard
}

func callersOf(t *testing.T, issuer *issuertest.Issuer, mapping auth.Mapping) callersOfServer {
	t.Helper()
	verifier, err := auth.New(auth.Options{Issuers: []string{issuer.URL(), entraIssuer}, Audiences: []string{testAudience}, Client: issuer.Client(), Mapping: mapping})
	if err != nil {
		t.Fatal(err)
	}
	simulation, err := app.StartSimulation(t.Context(), app.SimulationOptions{Tenants: 1}, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	settings := app.NewSettings(func(string) (string, bool) { return "", false }, nil)
	settings.SetStateDir(filepath.Join(t.TempDir(), "state"))
	opened, err := settings.Open(simulation)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(opened.Close)
	decider, err := opened.Guard(guard.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return callersOfServer{t, issuer, verifier, decider}
}

func (c callersOfServer) ofStart() access.Caller {
	token, b := newBearer(time.Now)
	p, err := b.Authenticate(c.t.Context(), token)
	if err != nil {
		c.t.Fatal(err)
	}
	return p.Caller
}

func (c callersOfServer) ofToken(name string) access.Caller {
	grant := access.Grant{Scopes: []access.Scope{access.ScopeRead}, Tenants: []string{access.AllTenants}}
	secret, _, err := c.guard.IssueToken(c.t.Context(), guard.TokenRequest{For: name, Grant: grant})
	if err != nil {
		return ""
	}
	p, err := (app.InvocationTokens{Decider: c.guard}).Authenticate(c.t.Context(), secret)
	if err != nil {
		c.t.Fatal(err)
	}
	return p.Caller
}

func (c callersOfServer) ofClaims(changes issuertest.Claims) access.Caller {
	now := time.Now().Unix()
	p, _ := c.verifier.Authenticate(c.t.Context(), c.issuer.Token(issuertest.With(issuertest.Claims{
		"iss": c.issuer.URL(), "aud": testAudience, "sub": "alice", "azp": "client", "scope": "partner.read", "exp": now + 3600, "nbf": now, "iat": now,
	}, changes)))
	return p.Caller
}

func (c callersOfServer) ofEntra(changes issuertest.Claims) access.Caller {
	return c.ofClaims(issuertest.With(issuertest.Claims{
		"iss": entraIssuer, "tid": entraTenant, "oid": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "ver": "2.0", "scope": nil, "scp": "partner.read",
	}, changes))
}
