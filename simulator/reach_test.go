package simulator_test

import (
	"encoding/json"
	"net/url"
	"regexp"
	"testing"

	"mcp-partner/simulator"
)

// person signs somebody in by a device code and returns the access token.
func (w *wire) person(t *testing.T, name, tenant string) string {
	t.Helper()
	w.sim.ApproveDevices(name)
	post := func(path string, form url.Values) map[string]any {
		form.Set("client_id", simulator.PublicClientID)
		form.Set("scope", w.sim.Audience()+"/.default")
		response, err := w.hc.PostForm(w.srv.URL()+"/"+tenant+"/oauth2/v2.0/"+path, form)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		var answer map[string]any
		if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
			t.Fatal(err)
		}
		return answer
	}
	device, _ := post("devicecode", url.Values{})["device_code"].(string)
	token, ok := post("token", url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {device}})["access_token"].(string)
	if !ok {
		t.Fatal(name + " got no token")
	}
	return token
}

// A person sees every tenant with an account, and what Lighthouse delegates to
// the tenant of the sign-in; an application sees its own alone.
func TestTenantsOfAPerson(t *testing.T) {
	t.Parallel()
	w := serve(t, simulator.Config{})
	if _, err := w.sim.AddUser("alice@contoso.example", "contoso", "fabrikam"); err != nil {
		t.Fatal(err)
	}
	for _, d := range [][3]string{{"contoso", "litware", simulator.CategoryManagedBy}, {"contoso", "proseware", simulator.CategoryProjectedBy}, {"contoso", "fabrikam", simulator.CategoryManagedBy}} {
		if err := w.sim.Delegate(d[0], d[1], d[2]); err != nil {
			t.Fatal(err)
		}
	}
	list := func(bearer string) map[string]string {
		found := map[string]string{}
		for _, row := range w.do("GET", "/tenants?api-version=2022-12-01", bearer).json(t)["value"].([]any) {
			tenant := row.(map[string]any)
			found[tenant["defaultDomain"].(string)] = tenant["tenantCategory"].(string)
		}
		return found
	}
	for _, c := range []struct {
		bearer string
		want   map[string]string
	}{
		{w.person(t, "alice@contoso.example", "contoso.example"), map[string]string{"contoso.example": "Home", "fabrikam.example": "Home", "litware.example": "ManagedBy", "proseware.example": "ProjectedBy"}},
		{w.person(t, "alice@contoso.example", "fabrikam.example"), map[string]string{"contoso.example": "Home", "fabrikam.example": "Home"}},
		{w.signIn("contoso.example"), map[string]string{"contoso.example": "Home"}},
	} {
		got := list(c.bearer)
		if len(got) != len(c.want) {
			t.Errorf("got %v, want %v", got, c.want)
		}
		for domain, category := range c.want {
			if got[domain] != category {
				t.Errorf("%s is %q, want %q", domain, got[domain], category)
			}
		}
	}
	for _, d := range [][3]string{{"contoso", "litware", "Home"}, {"nowhere", "litware", "ManagedBy"}, {"contoso", "nowhere", "ManagedBy"}} {
		if w.sim.Delegate(d[0], d[1], d[2]) == nil {
			t.Errorf("%v was taken", d)
		}
	}
}

// A domain leads to the issuer of its tenant, as clients look tenants up.
func TestDiscoveryByDomain(t *testing.T) {
	t.Parallel()
	w := serve(t, simulator.Config{})
	issuer, _ := w.do("GET", "/FABRIKAM.example/v2.0/.well-known/openid-configuration", "").json(t)["issuer"].(string)
	if !regexp.MustCompile("^" + regexp.QuoteMeta(w.srv.URL()) + "/" + w.tenant("fabrikam").TenantID + "/v2.0$").MatchString(issuer) {
		t.Errorf("issuer %s", issuer)
	}
}
