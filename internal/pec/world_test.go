package pec_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"mcp-partner/armclient"
	"mcp-partner/simulator"
)

// world is one tenant of the simulator and a client of its application.
type world struct {
	sim    *simulator.Simulator
	client *armclient.Client
	tenant simulator.Tenant
}

func newWorld(t testing.TB, r roles) *world {
	t.Helper()
	sim, err := simulator.New(simulator.Config{Tenants: 1, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{sim: sim, tenant: sim.Tenants()[0]}
	w.set(t, r)
	w.client, err = armclient.New(signIn{sim, w.tenant}, armclient.Options{
		TenantID: w.tenant.TenantID, TenantName: w.tenant.Name, Cloud: "custom", Credential: "default",
		Endpoint: "https://arm.test", Audience: sim.Audience(), Transport: direct{sim.Handler()}, RetryDelay: time.Millisecond, Once: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// set puts the real IDs of tenant and application into roles.
func (w *world) set(t testing.TB, r roles) {
	t.Helper()
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var real roles
	if err := json.Unmarshal([]byte(strings.NewReplacer("APP", w.tenant.ObjectID, "HOME", w.tenant.TenantID).Replace(string(text))), &real); err != nil {
		t.Fatal(err)
	}
	if err := w.sim.SetRoles(w.tenant.Name, real); err != nil {
		t.Fatal(err)
	}
}

// direct is a transport that calls the simulator without a network.
type direct struct{ handler http.Handler }

func (d direct) Do(r *http.Request) (resp *http.Response, err error) {
	recorder := httptest.NewRecorder()
	defer func() {
		if recover() != nil { // a connection that breaks
			resp = recorder.Result()
			err = http.ErrHandlerTimeout
		}
		if err != nil {
			resp = nil
		}
	}()
	inner := r.Clone(r.Context())
	inner.Host, inner.RequestURI = r.URL.Host, ""
	d.handler.ServeHTTP(recorder, inner)
	resp = recorder.Result()
	resp.Request = r
	return resp, nil
}

// signIn gets its tokens from the simulator's token endpoint.
type signIn struct {
	sim    *simulator.Simulator
	tenant simulator.Tenant
}

func (s signIn) GetToken(ctx context.Context, _ policy.TokenRequestOptions) (azcore.AccessToken, error) {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {s.sim.ClientID()}, "client_secret": {s.sim.ClientSecret()}, "scope": {s.sim.Audience() + "/.default"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://arm.test/"+s.tenant.TenantID+"/oauth2/v2.0/token", strings.NewReader(form.Encode()))
	if err != nil {
		return azcore.AccessToken{}, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := direct{s.sim.Handler()}.Do(req)
	if err != nil {
		return azcore.AccessToken{}, err
	}
	var body struct {
		Token string `json:"access_token"`
	}
	err = json.NewDecoder(resp.Body).Decode(&body)
	return azcore.AccessToken{Token: body.Token, ExpiresOn: time.Now().Add(time.Hour)}, err
}
