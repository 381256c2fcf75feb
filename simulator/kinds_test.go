package simulator_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"mcp-partner/simulator"
)

// signed makes a client assertion by hand, so that each part can be wrong.
func signed(t *testing.T, key *rsa.PrivateKey, header, claims map[string]any) string {
	t.Helper()
	part := func(v any) string {
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(raw)
	}
	input := part(header) + "." + part(claims)
	sum := sha256.Sum256([]byte(input))
	signature, err := rsa.SignPSS(rand.Reader, key, crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func TestAssertionsAreVerified(t *testing.T) {
	t.Parallel()
	c := newClock()
	w := serve(t, simulator.Config{Tenants: 1, Now: c.Now})
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "app"}, NotBefore: c.Now().Add(-time.Hour), NotAfter: c.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	issued, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	w.sim.RegisterCertificate(issued)
	sum := sha256.Sum256(der)
	endpoint := w.srv.URL() + "/" + w.sim.Tenants()[0].TenantID + "/oauth2/v2.0/token"
	serial := 0
	good := func() (header, claims map[string]any) {
		serial++
		return map[string]any{"alg": "PS256", "typ": "JWT", "x5t#S256": base64.RawURLEncoding.EncodeToString(sum[:])},
			map[string]any{"aud": endpoint, "iss": w.sim.ClientID(), "sub": w.sim.ClientID(), "jti": fmt.Sprint("id-", serial),
				"nbf": c.Now().Unix(), "exp": c.Now().Add(10 * time.Minute).Unix()}
	}
	ask := func(assertion string) (int, string) {
		response, err := w.hc.PostForm(endpoint, url.Values{"grant_type": {"client_credentials"}, "client_id": {w.sim.ClientID()}, "scope": {w.sim.Audience() + "/.default"},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {assertion}})
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		return response.StatusCode, string(body)
	}
	header, claims := good()
	right := signed(t, key, header, claims)
	if status, body := ask(right); status != http.StatusOK {
		t.Fatalf("a good assertion: %d %s", status, body)
	}
	if status, body := ask(right); status != http.StatusUnauthorized || !strings.Contains(body, "used before") {
		t.Errorf("the same once more: %d %s", status, body)
	}
	for name, test := range map[string]struct {
		change func(header, claims map[string]any)
		code   string
	}{
		"another algorithm":   {func(h, _ map[string]any) { h["alg"] = "RS256" }, "700027"},
		"another certificate": {func(h, _ map[string]any) { h["x5t#S256"] = "AAAA" }, "700027"},
		"another audience":    {func(_, c map[string]any) { c["aud"] = w.srv.URL() + "/other/oauth2/v2.0/token" }, "700023"},
		"another subject":     {func(_, c map[string]any) { c["sub"] = "somebody" }, "50013"},
		"no ID":               {func(_, c map[string]any) { delete(c, "jti") }, "50013"},
		"in the past":         {func(_, m map[string]any) { m["exp"] = c.Now().Add(-6 * time.Minute).Unix() }, "700024"},
		"in the future":       {func(_, m map[string]any) { m["nbf"] = c.Now().Add(6 * time.Minute).Unix() }, "700024"},
		"for too long":        {func(_, m map[string]any) { m["exp"] = c.Now().Add(48 * time.Hour).Unix() }, "700024"},
		"of another issuer":   {func(_, c map[string]any) { c["iss"] = "https://elsewhere.example" }, "700211"},
	} {
		header, claims := good()
		test.change(header, claims)
		if status, body := ask(signed(t, key, header, claims)); status != http.StatusUnauthorized || !strings.Contains(body, "AADSTS"+test.code) {
			t.Errorf("%s: %d %s, want %s", name, status, body, test.code)
		}
	}
	header, claims = good()
	tampered := []byte(signed(t, key, header, claims))
	tampered[len(tampered)-10] ^= 1
	if status, body := ask(string(tampered)); status == http.StatusOK {
		t.Errorf("a wrong signature: %s", body)
	}
	c.Advance(2 * time.Hour)
	header, claims = good()
	if status, body := ask(signed(t, key, header, claims)); status != http.StatusUnauthorized || !strings.Contains(body, "has expired") {
		t.Errorf("a certificate that ended: %d %s", status, body)
	}
}

func TestDeviceCodeFlow(t *testing.T) {
	t.Parallel()
	c := newClock()
	w := serve(t, simulator.Config{Tenants: 2, Now: c.Now})
	if _, err := w.sim.AddUser("alice@contoso.example", "contoso"); err != nil {
		t.Fatal(err)
	}
	base := w.srv.URL() + "/" + w.sim.Tenants()[0].TenantID + "/oauth2/v2.0/"
	post := func(path string, form url.Values) map[string]any {
		form.Set("client_id", simulator.PublicClientID)
		form.Set("scope", w.sim.Audience()+"/.default offline_access openid profile")
		response, err := w.hc.PostForm(base+path, form)
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
	begin := func() (device, user string) {
		a := post("devicecode", url.Values{})
		return a["device_code"].(string), a["user_code"].(string)
	}
	poll := func(device string) map[string]any {
		return post("token", url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {device}})
	}
	device, user := begin()
	for i, want := range []string{"authorization_pending", "slow_down"} {
		if got := poll(device)["error"]; got != want {
			t.Errorf("poll %d: %v, want %s", i, got, want)
		}
	}
	c.Advance(6 * time.Second)
	if got := poll(device)["error"]; got != "authorization_pending" {
		t.Errorf("after the interval: %v", got)
	}
	if err := w.sim.ApproveDevice(user, "alice@contoso.example"); err != nil {
		t.Fatal(err)
	}
	granted := poll(device)
	refresh, _ := granted["refresh_token"].(string)
	if granted["access_token"] == nil || granted["client_info"] == nil || granted["id_token"] == nil || refresh == "" {
		t.Fatalf("granted %v", granted)
	}
	if got := poll(device)["error"]; got != "bad_verification_code" {
		t.Errorf("a code that was redeemed: %v", got)
	}
	declined, user := begin()
	if err := w.sim.DeclineDevice(user); err != nil {
		t.Fatal(err)
	}
	if got := poll(declined)["error"]; got != "authorization_declined" {
		t.Errorf("declined: %v", got)
	}
	late, _ := begin()
	c.Advance(16 * time.Minute)
	if got := poll(late)["error"]; got != "expired_token" {
		t.Errorf("late: %v", got)
	}
	renewed := post("token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}})
	if renewed["access_token"] == nil || renewed["refresh_token"] == refresh {
		t.Errorf("renewed: %v", renewed)
	}
	w.sim.EndSignIns("alice@contoso.example")
	if got := post("token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}})["error"]; got != "invalid_grant" {
		t.Errorf("after the end: %v", got)
	}
}

func TestAuthorizationCodeNeedsItsVerifier(t *testing.T) {
	t.Parallel()
	w := serve(t, simulator.Config{Tenants: 1})
	if _, err := w.sim.AddUser("alice@contoso.example", "contoso"); err != nil {
		t.Fatal(err)
	}
	if err := w.sim.SignInBrowser("alice@contoso.example"); err != nil {
		t.Fatal(err)
	}
	base := w.srv.URL() + "/" + w.sim.Tenants()[0].TenantID + "/oauth2/v2.0/"
	const redirect, verifier = "http://localhost:49152", "a-verifier-that-is-long-enough-for-anybody"
	sum := sha256.Sum256([]byte(verifier))
	code := func() string {
		response, err := w.hc.Get(base + "authorize?" + url.Values{"client_id": {simulator.PublicClientID}, "response_type": {"code"}, "redirect_uri": {redirect}, "state": {"s"},
			"response_mode": {"form_post"}, "code_challenge_method": {"S256"}, "code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}}.Encode())
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		page, _ := io.ReadAll(response.Body)
		_, after, _ := strings.Cut(string(page), `name="code" value="`)
		value, _, found := strings.Cut(after, `"`)
		if !found {
			t.Fatalf("the page has no code: %s", page)
		}
		return value
	}
	redeem := func(code, redirect, verifier string) int {
		response, err := w.hc.PostForm(base+"token", url.Values{"grant_type": {"authorization_code"}, "client_id": {simulator.PublicClientID}, "code": {code},
			"redirect_uri": {redirect}, "code_verifier": {verifier}, "scope": {w.sim.Audience() + "/.default"}})
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response.StatusCode
	}
	once := code()
	if got := redeem(once, redirect, verifier); got != http.StatusOK {
		t.Errorf("a good code: %d", got)
	}
	for name, status := range map[string]int{
		"once more": redeem(once, redirect, verifier), "another verifier": redeem(code(), redirect, "x"), "another redirect": redeem(code(), "http://localhost:1", verifier),
	} {
		if status != http.StatusBadRequest {
			t.Errorf("%s: %d", name, status)
		}
	}
}

func TestMetadataEndpoints(t *testing.T) {
	t.Parallel()
	sim := newSim(t, simulator.Config{Tenants: 1})
	const client, object = "0c1b2a39-2222-4222-8333-000000000001", "0c1b2a39-2222-4222-8333-000000000002"
	if err := sim.AddManagedIdentity(simulator.ManagedIdentity{Tenant: "contoso", ClientID: client, ObjectID: object}); err != nil {
		t.Fatal(err)
	}
	machine := httptest.NewServer(sim.MetadataHandler())
	t.Cleanup(machine.Close)
	ask := func(path string, header map[string]string) int {
		request, err := http.NewRequest(http.MethodGet, machine.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range header {
			request.Header.Set(name, value)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response.StatusCode
	}
	const imds, service = "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=x", "/msi/token?api-version=2019-08-01&resource=x"
	metadata, secret := map[string]string{"Metadata": "true"}, map[string]string{"X-IDENTITY-HEADER": sim.IdentityHeader()}
	for name, test := range map[string]struct {
		path   string
		header map[string]string
		status int
	}{
		"metadata service": {path: imds, header: metadata, status: 200}, "without its header": {path: imds, status: 400},
		"forwarded":                        {path: imds, header: map[string]string{"Metadata": "true", "X-Forwarded-For": "a"}, status: 400},
		"of an identity that is not there": {path: imds + "&client_id=y", header: metadata, status: 400},
		"named":                            {path: imds + "&client_id=" + client, header: metadata, status: 200},
		"App Service":                      {path: service, header: secret, status: 200}, "App Service without its header": {path: service, status: 401},
		"elsewhere": {path: "/x", header: metadata, status: 404},
	} {
		if got := ask(test.path, test.header); got != test.status {
			t.Errorf("%s: %d, want %d", name, got, test.status)
		}
	}
}
