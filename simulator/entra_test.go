package simulator_test

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"mcp-partner/simulator"
)

func TestTokenErrors(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		tenant string
		change func(*simulator.Simulator, url.Values)
		status int
		oauth  string
		code   int
	}{
		"no such tenant": {tenant: "nowhere.example", status: 400, oauth: "invalid_request", code: 90002},
		"no consent": {tenant: "contoso.example", change: func(s *simulator.Simulator, _ url.Values) {
			if err := s.SetConsent("contoso", false); err != nil {
				panic(err)
			}
		}, status: 400, oauth: "unauthorized_client", code: 700016},
		"unknown application": {
			tenant: "contoso.example", change: with("client_id", "elsewhere"), status: 400, oauth: "unauthorized_client", code: 700016,
		},
		"wrong secret": {
			tenant: "contoso.example", change: with("client_secret", "wrong"), status: 401, oauth: "invalid_client", code: 7000215,
		},
		"expired secret": {
			tenant: "contoso.example", change: func(s *simulator.Simulator, _ url.Values) { s.ExpireSecret() }, status: 401,
			oauth: "invalid_client", code: 7000222,
		},
		"renewed secret": {
			tenant: "contoso.example", change: func(s *simulator.Simulator, _ url.Values) { s.RenewSecret() }, status: 401,
			oauth: "invalid_client", code: 7000215,
		},
		"no secret": {tenant: "contoso.example", change: with("client_secret", ""), status: 401, oauth: "invalid_client", code: 7000218},
		"an assertion": {tenant: "contoso.example", change: func(_ *simulator.Simulator, f url.Values) {
			f.Del("client_secret")
			f.Set("client_assertion", "e30.e30.x")
		}, status: 401, oauth: "invalid_client", code: 700027},
		"no grant type": {tenant: "contoso.example", change: with("grant_type", ""), status: 400, oauth: "invalid_request", code: 900144},
		"no client":     {tenant: "contoso.example", change: with("client_id", ""), status: 400, oauth: "invalid_request", code: 900144},
		"another grant type": {
			tenant: "contoso.example", change: with("grant_type", "password"), status: 400, oauth: "unsupported_grant_type", code: 70003,
		},
		"no scope": {tenant: "contoso.example", change: with("scope", ""), status: 400, oauth: "invalid_request", code: 900144},
		"a delegated scope": {
			tenant: "contoso.example", change: with("scope", "https://management.simulator.invalid/user_impersonation"), status: 400,
			oauth: "invalid_scope", code: 1002012,
		},
		"two scopes": {
			tenant: "contoso.example", change: with("scope", "a/.default b/.default"), status: 400, oauth: "invalid_scope", code: 1002012,
		},
		"an unknown resource": {
			tenant: "contoso.example", change: with("scope", "https://elsewhere.invalid/.default"), status: 400, oauth: "invalid_resource",
			code: 500011,
		},
		"a form out of bound": {
			tenant: "contoso.example", change: with("client_secret", strings.Repeat("x", 70<<10)), status: 400, oauth: "invalid_request",
			code: 9002313,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := serve(t, simulator.Config{Tenants: 1})
			form := w.form()
			if tt.change != nil {
				tt.change(w.sim, form)
			}
			got := w.requestToken(tt.tenant, form)
			var body struct {
				Error         string
				Description   string `json:"error_description"`
				TraceID       string `json:"trace_id"`
				CorrelationID string `json:"correlation_id"`
				Timestamp     string
				Codes         []int `json:"error_codes"`
			}
			if err := json.Unmarshal([]byte(got.body), &body); err != nil {
				t.Fatalf("%q: %v", got.body, err)
			}
			if got.status != tt.status || body.Error != tt.oauth || len(body.Codes) != 1 || body.Codes[0] != tt.code {
				t.Errorf("got %d %s, want %d %s %d", got.status, got.body, tt.status, tt.oauth, tt.code)
			}
			checkDescription(t, body.Description, body.TraceID, body.CorrelationID, body.Timestamp)
			if strings.Contains(got.body, form.Get("client_secret")) && form.Get("client_secret") != "" {
				t.Error("the answer holds the secret")
			}
		})
	}
}

func with(name, value string) func(*simulator.Simulator, url.Values) {
	return func(_ *simulator.Simulator, f url.Values) { f.Set(name, value) }
}

func checkDescription(t *testing.T, description, trace, correlation, timestamp string) {
	t.Helper()
	want := regexp.MustCompile(`^AADSTS\d+: .+ Trace ID: ` + trace + ` Correlation ID: ` + correlation + ` Timestamp: ` + timestamp + `$`)
	if !want.MatchString(description) || len(trace) != 36 || len(correlation) != 36 {
		t.Errorf("description %q does not hold trace %q, correlation %q and timestamp %q", description, trace, correlation, timestamp)
	}
	if _, err := time.Parse("2006-01-02 15:04:05Z", timestamp); err != nil {
		t.Error(err)
	}
}

func TestTokenClaims(t *testing.T) {
	t.Parallel()
	clk := newClock()
	w := serve(t, simulator.Config{Now: clk.Now, TokenLifetime: 10 * time.Minute})
	contoso := w.tenant("contoso")
	for _, tenant := range []string{contoso.TenantID, strings.ToUpper(contoso.TenantID), contoso.Domain} {
		form := w.form()
		form.Set("scope", form.Get("scope")+" openid offline_access profile")
		got := w.requestToken(tenant, form).json(t)
		if got["token_type"] != "Bearer" || got["expires_in"] != 600.0 {
			t.Errorf("%s: got %v", tenant, got)
		}
		payload, err := base64.RawURLEncoding.DecodeString(strings.Split(got["access_token"].(string), ".")[1])
		if err != nil {
			t.Fatal(err)
		}
		var c map[string]any
		if err := json.Unmarshal(payload, &c); err != nil {
			t.Fatal(err)
		}
		now := float64(clk.Now().Unix())
		want := map[string]any{
			"tid": contoso.TenantID, "oid": contoso.ObjectID, "appid": w.sim.ClientID(), "aud": w.sim.Audience(),
			"iss": w.srv.URL() + "/" + contoso.TenantID + "/", "exp": now + 600, "nbf": now, "iat": now,
		}
		for k, v := range want {
			if c[k] != v {
				t.Errorf("%s: claim %s is %v, want %v", tenant, k, c[k], v)
			}
		}
	}
	if stats := w.sim.Stats(); stats.TokenRequests != 3 || stats.ARMReads+stats.ARMWrites != 0 {
		t.Errorf("stats %+v, want 3 token requests and nothing else", stats)
	}
}

func TestRenewedSecretWorks(t *testing.T) {
	t.Parallel()
	w := serve(t, simulator.Config{})
	old := w.sim.ClientSecret()
	w.sim.ExpireSecret()
	if fresh := w.sim.RenewSecret(); fresh == old || fresh != w.sim.ClientSecret() {
		t.Errorf("renewed secret equals the old one or is not what ClientSecret returns")
	}
	w.signIn("contoso.example")
	if err := w.sim.SetConsent("contoso", false); err != nil {
		t.Fatal(err)
	}
	if got := w.requestToken("contoso.example", w.form()); got.status != 400 {
		t.Errorf("without consent: %d", got.status)
	}
	if err := w.sim.SetConsent("contoso", true); err != nil {
		t.Fatal(err)
	}
	w.signIn("contoso.example")
}

func TestDiscovery(t *testing.T) {
	t.Parallel()
	w := serve(t, simulator.Config{})
	contoso := w.tenant("contoso")
	doc := w.do("GET", w.srv.Authority()+contoso.Domain+"/v2.0/.well-known/openid-configuration", "").json(t)
	base := w.srv.Authority() + contoso.TenantID
	for field, want := range map[string]string{"issuer": base + "/v2.0", "token_endpoint": base + "/oauth2/v2.0/token", "authorization_endpoint": base + "/oauth2/v2.0/authorize"} {
		if doc[field] != want {
			t.Errorf("%s is %v, want %s", field, doc[field], want)
		}
	}
	keys := w.do("GET", doc["jwks_uri"].(string), "").json(t)["keys"].([]any)
	if len(keys) != 1 || keys[0].(map[string]any)["crv"] != "P-256" {
		t.Errorf("keys %v", keys)
	}
	missing := w.do("GET", "/nowhere.example/v2.0/.well-known/openid-configuration", "")
	if missing.status != 400 || missing.json(t)["error"] != "invalid_tenant" || !strings.Contains(missing.body, "AADSTS90002") {
		t.Errorf("unknown tenant: %d %s", missing.status, missing.body)
	}
	instance := w.do("GET", "/common/discovery/instance?api-version=1.1&authorization_endpoint=x", "").json(t)
	if !strings.HasPrefix(instance["tenant_discovery_endpoint"].(string), w.srv.URL()) || len(instance["metadata"].([]any)) != 1 {
		t.Errorf("instance metadata %v", instance)
	}
	if stats := w.sim.Stats(); stats != (simulator.Stats{}) {
		t.Errorf("discovery counts as something else: %+v", stats)
	}
}

func TestTokenIsIssuedWithoutHTTP(t *testing.T) {
	t.Parallel()
	w := serve(t, simulator.Config{LinkedPercent: 100})
	token, err := w.sim.Token("contoso", "")
	if err != nil {
		t.Fatal(err)
	}
	if got := w.check(token); got.status != 200 {
		t.Errorf("got %d %s", got.status, got.body)
	}
	if _, err := w.sim.Token("nowhere", ""); err == nil {
		t.Error("a token of a tenant that does not exist")
	}
	if _, err := w.sim.Token("contoso", "nobody"); err == nil {
		t.Error("a token of an identity that does not exist")
	}
}
