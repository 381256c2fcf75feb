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
		"found":             {200, `{"issuer":"{base}/` + strings.ToUpper(id) + `/v2.0"}`, nil, ""},
		"unknown":           {400, `{"error":"invalid_tenant","error_codes":[90002]}`, nil, problems.CodeTenantNotFound},
		"unknown by number": {400, `{"error":"invalid_request","error_codes":[900023]}`, nil, problems.CodeTenantNotFound},
		"bad request":       {400, `{"error":"invalid_request"}`, nil, problems.CodeSignInUnavailable},
		"not found, bare":   {404, `<html>no</html>`, nil, problems.CodeSignInUnavailable},
		"down":              {503, `{"error":"invalid_tenant"}`, nil, problems.CodeSignInUnavailable},
		"throttled":         {429, `{"error":"invalid_tenant"}`, http.Header{"Retry-After": {"7"}}, problems.CodeSignInUnavailable},
		"redirect":          {302, `{"issuer":"{base}/` + id + `/v2.0"}`, http.Header{"Location": {"https://127.0.0.1:1/"}}, problems.CodeSignInUnavailable},
		"foreign issuer":    {200, `{"issuer":"https://login.example.com/` + id + `/v2.0"}`, nil, problems.CodeUnexpectedResponse},
		"shared issuer":     {200, `{"issuer":"{base}/{tenantid}/v2.0"}`, nil, problems.CodeUnexpectedResponse},
		"older issuer":      {200, `{"issuer":"{base}/` + id + `/"}`, nil, problems.CodeUnexpectedResponse},
		"no issuer":         {200, `{}`, nil, problems.CodeUnexpectedResponse},
		"no document":       {200, `<html>sign in to the hotel</html>`, nil, problems.CodeUnexpectedResponse},
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
		"closed port":      {t.Context(), closed, "contoso.example", problems.CodeNetwork},
		"certificate":      {t.Context(), untrusted, "contoso.example", problems.CodeNetwork},
		"cancelled":        {ended, cloud, "contoso.example", problems.CodeCancelled},
		"no domain":        {t.Context(), cloud, "../common", problems.CodeInvalidArgument},
		"without TLS":      {t.Context(), plain, "contoso.example", problems.CodeInvalidArgument},
		"cloud of no name": {t.Context(), tenants.Cloud{Name: "mars"}, "contoso.example", problems.CodeInvalidArgument},
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
		{tenants.CloudPublic, "https://login.microsoftonline.com/" + id + "/v2.0", "microsoftonline.com", true},
		{tenants.CloudPublic, "https://login.microsoftonline.com/" + id + "/v2.0", "microsoftonline.us", false},
		{tenants.CloudPublic, "https://login.partner.microsoftonline.cn/" + id + "/v2.0", "", false},
		{tenants.CloudPublic, "http://login.microsoftonline.com/" + id + "/v2.0", "", false},
		{tenants.CloudUSGovernment, "https://login.microsoftonline.us/" + id + "/v2.0", "microsoftonline.us", true},
		{tenants.CloudUSGovernment, "https://login.microsoftonline.com/" + id + "/v2.0", "microsoftonline.com", false},
		{tenants.CloudChina, "https://login.partner.microsoftonline.cn/" + id + "/v2.0", "partner.microsoftonline.cn", true},
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
