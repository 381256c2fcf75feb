package signin

import (
	"context"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"mcp-partner/internal/httpclient"
	"mcp-partner/internal/roomtest"
	"mcp-partner/schemas/problems"
	"mcp-partner/tenants"
)

// discoveryServer answers every look-up alike; {base} is its own address.
func discoveryServer(t *testing.T, status int, header http.Header, body string) (tenants.Cloud, *atomic.Pointer[http.Request]) {
	t.Helper()
	var last atomic.Pointer[http.Request]
	server := httptest.NewUnstartedServer(nil)
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		last.Store(r)
		for name, values := range header {
			w.Header()[name] = values
		}
		w.WriteHeader(status)
		io.WriteString(w, strings.ReplaceAll(body, "{base}", server.URL))
	})
	server.StartTLS()
	t.Cleanup(server.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	return tenants.Cloud{Name: tenants.CloudCustom, Authority: server.URL, ARMEndpoint: server.URL, ARMAudience: "https://management.example/", CAPEM: string(ca)}, &last
}

func codeOf(err error) problems.Code {
	if problem, ok := errors.AsType[*problems.Problem](err); ok {
		return problem.Code
	}
	return ""
}

func TestTenantOfDomain(t *testing.T) {
	t.Parallel()
	id := roomtest.TenantID(7)
	for name, c := range map[string]struct {
		status int
		body   string
		header http.Header
		code   problems.Code // empty: the tenant is found
	}{
		"found":             {status: 200, body: `{"issuer":"{base}/` + strings.ToUpper(id) + `/v2.0"}`},
		"unknown":           {status: 400, body: `{"error":"invalid_tenant","error_codes":[90002]}`, code: problems.CodeTenantNotFound},
		"unknown by number": {status: 400, body: `{"error":"invalid_request","error_codes":[900023]}`, code: problems.CodeTenantNotFound},
		"bad request":       {status: 400, body: `{"error":"invalid_request"}`, code: problems.CodeSignInUnavailable},
		"not found, bare":   {status: 404, body: `<html>no</html>`, code: problems.CodeSignInUnavailable},
		"down":              {status: 503, body: `{"error":"invalid_tenant"}`, code: problems.CodeSignInUnavailable},
		"throttled": {
			status: 429, body: `{"error":"invalid_tenant"}`, header: http.Header{"Retry-After": {"7"}}, code: problems.CodeSignInUnavailable,
		},
		"redirect": {
			status: 302, body: `{"issuer":"{base}/` + id + `/v2.0"}`, header: http.Header{"Location": {"https://127.0.0.1:1/"}},
			code: problems.CodeSignInUnavailable,
		},
		"foreign issuer": {status: 200, body: `{"issuer":"https://login.example.com/` + id + `/v2.0"}`, code: problems.CodeUnexpectedResponse},
		"shared issuer":  {status: 200, body: `{"issuer":"{base}/{tenantid}/v2.0"}`, code: problems.CodeUnexpectedResponse},
		"older issuer":   {status: 200, body: `{"issuer":"{base}/` + id + `/"}`, code: problems.CodeUnexpectedResponse},
		"no issuer":      {status: 200, body: `{}`, code: problems.CodeUnexpectedResponse},
		"no document":    {status: 200, body: `<html>sign in to the hotel</html>`, code: problems.CodeUnexpectedResponse},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud, last := discoveryServer(t, c.status, c.header, c.body)
			pool := httpclient.NewPool(httpclient.Options{})
			t.Cleanup(pool.CloseIdle)
			got, err := TenantOfDomain(t.Context(), pool, cloud, "größe.example")
			if codeOf(err) != c.code || c.code == "" && got != id || c.code != "" && got != "" {
				t.Errorf("got %q, %v; want code %q", got, err, c.code)
			}
			r := last.Load()
			if r.URL.Path != "/xn--gre-6ka8i.example/v2.0/.well-known/openid-configuration" || r.Method != http.MethodGet || r.Header.Get("Authorization") != "" || r.Header.Get("Cookie") != "" {
				t.Errorf("asked %s %s with %v", r.Method, r.URL, r.Header)
			}
		})
	}
}

func TestTenantOfDomainWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	cloud, last := discoveryServer(t, 200, nil, "{}")
	pool := httpclient.NewPool(httpclient.Options{})
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	closed := cloud
	closed.Authority = "https://127.0.0.1:1"
	untrusted := cloud
	untrusted.CAPEM = ""
	plain := cloud
	plain.Authority = strings.Replace(cloud.Authority, "https", "http", 1)
	for name, c := range map[string]struct {
		ctx    context.Context
		cloud  tenants.Cloud
		domain string
		code   problems.Code
	}{
		"closed port":      {ctx: t.Context(), cloud: closed, domain: "contoso.example", code: problems.CodeNetwork},
		"certificate":      {ctx: t.Context(), cloud: untrusted, domain: "contoso.example", code: problems.CodeNetwork},
		"cancelled":        {ctx: ended, cloud: cloud, domain: "contoso.example", code: problems.CodeCancelled},
		"no domain":        {ctx: t.Context(), cloud: cloud, domain: "../common", code: problems.CodeInvalidArgument},
		"without TLS":      {ctx: t.Context(), cloud: plain, domain: "contoso.example", code: problems.CodeInvalidArgument},
		"cloud of no name": {ctx: t.Context(), cloud: tenants.Cloud{Name: "mars"}, domain: "contoso.example", code: problems.CodeInvalidArgument},
	} {
		if got, err := TenantOfDomain(c.ctx, pool, c.cloud, c.domain); codeOf(err) != c.code || got != "" {
			t.Errorf("%s: got %q, %v; want code %s", name, got, err, c.code)
		}
	}
	if last.Load() != nil {
		t.Error("something was asked")
	}
}

func TestIssuersOfClouds(t *testing.T) {
	t.Parallel()
	id := roomtest.TenantID(3)
	for _, c := range []struct {
		cloud, issuer, instance string
		ok                      bool
	}{
		{cloud: tenants.CloudPublic, issuer: "https://login.microsoftonline.com/" + id + "/v2.0", instance: "microsoftonline.com", ok: true},
		{cloud: tenants.CloudPublic, issuer: "https://login.microsoftonline.com/" + id + "/v2.0", instance: "microsoftonline.us"},
		{cloud: tenants.CloudPublic, issuer: "https://login.partner.microsoftonline.cn/" + id + "/v2.0"},
		{cloud: tenants.CloudPublic, issuer: "http://login.microsoftonline.com/" + id + "/v2.0"},
		{cloud: tenants.CloudUSGovernment, issuer: "https://login.microsoftonline.us/" + id + "/v2.0", instance: "microsoftonline.us", ok: true},
		{cloud: tenants.CloudUSGovernment, issuer: "https://login.microsoftonline.com/" + id + "/v2.0", instance: "microsoftonline.com"},
		{
			cloud: tenants.CloudChina, issuer: "https://login.partner.microsoftonline.cn/" + id + "/v2.0",
			instance: "partner.microsoftonline.cn", ok: true,
		},
	} {
		cloud, err := tenants.CloudNamed(c.cloud)
		if err != nil {
			t.Fatal(err)
		}
		got, err := lookup{cloud, "contoso.example"}.tenant([]byte(`{"issuer":"` + c.issuer + `","cloud_instance_name":"` + c.instance + `"}`))
		if (err == nil) != c.ok || c.ok && got != id {
			t.Errorf("%+v: got %q, %v", c, got, err)
		}
	}
}
