package signin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"mcp-partner/internal/roomtest"
	"mcp-partner/schemas/problems"
	"mcp-partner/tenants"
)

func TestNetworkFailures(t *testing.T) {
	t.Parallel()
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, 1)
		r.entra.server.Close()
		_, err := r.get(context.Background(), 0, "")
		roomtest.WantCode(t, err, problems.CodeNetwork)
	})
	t.Run("certificate", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, 1)
		_ = r.directory.Edit(context.Background(), "tenant-0000", func(e *tenants.Entry) error { e.Cloud.CAPEM = ""; return nil })
		_, err := r.get(context.Background(), 0, "")
		problem := roomtest.WantCode(t, err, problems.CodeNetwork)
		if !strings.Contains(problem.Message, "certificate") || !strings.Contains(problem.Hint, "--ca-file") {
			t.Errorf("message %q, hint %q", problem.Message, problem.Hint)
		}
	})
}

func TestEntraErrors(t *testing.T) {
	t.Parallel()
	html := answer{status: 404, body: "<html>proxy</html>"}
	for _, test := range []struct {
		name   string
		answer answer
		code   problems.Code
		retry  bool
	}{
		{name: "wrong secret", answer: refuse(401, "invalid_client", "", 7000215), code: problems.CodeCredentialRejected},
		{name: "invalid_client of an unknown number", answer: refuse(400, "invalid_client", "", 1), code: problems.CodeCredentialRejected},
		{name: "expired", answer: refuse(401, "invalid_client", "", 7000222), code: problems.CodeCredentialExpired},
		{name: "not in tenant", answer: refuse(400, "unauthorized_client", "", 700016), code: problems.CodeConsentMissing},
		{name: "no principal", answer: refuse(401, "invalid_client", "", 7000229), code: problems.CodeConsentMissing},
		{name: "unauthorized of an unknown number", answer: refuse(400, "unauthorized_client", "", 2), code: problems.CodeConsentMissing},
		{name: "disabled", answer: refuse(400, "unauthorized_client", "", 7000112), code: problems.CodeCredentialRejected},
		{name: "consent", answer: refuse(400, "invalid_grant", "consent_required", 65001), code: problems.CodeConsentMissing},
		{name: "no tenant", answer: refuse(400, "invalid_request", "", 90002), code: problems.CodeTenantNotFound},
		{name: "invalid tenant", answer: refuse(400, "invalid_tenant", "", 90002), code: problems.CodeTenantNotFound},
		{name: "mfa", answer: refuse(400, "interaction_required", "basic_action", 50076), code: problems.CodeInteractionRequired},
		{name: "mfa as a grant", answer: refuse(400, "invalid_grant", "", 50076), code: problems.CodeInteractionRequired},
		{name: "user elsewhere", answer: refuse(400, "invalid_grant", "", 50020), code: problems.CodeForeignPrincipal},
		{name: "audience", answer: refuse(400, "invalid_resource", "", 500011), code: problems.CodeSignInUnavailable},
		{name: "unknown", answer: refuse(400, "something_new", "", 3), code: problems.CodeSignInUnavailable},
		{name: "busy", answer: refuse(400, "temporarily_unavailable", "", 90033), code: problems.CodeSignInUnavailable, retry: true},
		{name: "busy for all", answer: refuse(503, "server_error", "", 90033), code: problems.CodeSignInUnavailable, retry: true},
		{
			name: "slow down", answer: answer{status: 429, header: http.Header{"Retry-After": {"120"}}, body: "{}"},
			code: problems.CodeSignInUnavailable, retry: true,
		},
		{name: "html", answer: html, code: problems.CodeSignInUnavailable, retry: true},
		{name: "no json", answer: answer{status: 200, body: "<html>"}, code: problems.CodeSignInUnavailable, retry: true},
		{name: "empty object", answer: answer{status: 200, body: "{}"}, code: problems.CodeSignInUnavailable, retry: true},
		{
			name: "expired at once", answer: answer{status: 200, body: `{"token_type":"Bearer","access_token":"a.b.c","expires_in":0}`},
			code: problems.CodeSignInUnavailable, retry: true,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 1)
			r.entra.set(func(string, url.Values) answer { return test.answer })
			_, err := r.get(context.Background(), 0, "")
			problem := roomtest.WantCode(t, err, test.code)
			if problem.Retryable != test.retry {
				t.Errorf("retryable is %t", problem.Retryable)
			}
			if problem.Message == "" || problem.Hint == "" {
				t.Errorf("problem without message or hint: %+v", problem)
			}
			if strings.Contains(test.answer.body, "correlation_id") && problem.CorrelationID != "dddddddd-1111-4222-8333-444455556666" {
				t.Errorf("correlation ID is %q", problem.CorrelationID)
			}
		})
	}
}

func TestConsentHintNamesTheURLOfThatTenant(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	r.entra.set(func(string, url.Values) answer { return refuse(400, "unauthorized_client", "", 700016) })
	_, err := r.get(context.Background(), 0, "")
	problem := roomtest.WantCode(t, err, problems.CodeConsentMissing)
	want := r.entra.server.URL + "/" + roomtest.TenantID(0) + "/adminconsent?client_id=" + roomtest.ClientID
	if !strings.Contains(problem.Hint, want) || problem.ForeignCode != "AADSTS700016" {
		t.Errorf("hint %q, code %q", problem.Hint, problem.ForeignCode)
	}
}

// A server that echoes the request, in any way, must not make the secret
// visible anywhere; nor must a token in a malformed answer.
func TestEchoedSecretIsNotShown(t *testing.T) {
	t.Parallel()
	const leaked = "eyJhbGciOiJub25lIn0.dG9rZW4tY2FuYXJ5.c2ln"
	for name, reply := range map[string]func(url.Values) answer{
		"echo as a description": func(form url.Values) answer {
			body, _ := json.Marshal(map[string]any{"error": "invalid_client", "error_description": "you sent " + form.Get("client_secret")})
			return answer{status: 401, body: string(body)}
		},
		"echo of the form": func(form url.Values) answer {
			body, _ := json.Marshal(map[string]any{"error": "invalid_client", "error_description": form.Encode(), "correlation_id": form.Get("client_secret")})
			return answer{status: 401, body: string(body)}
		},
		"echo in pieces of the answer": func(form url.Values) answer {
			return answer{status: 400, header: http.Header{"X-Ms-Request-Id": {url.QueryEscape(form.Get("client_secret"))}}, body: form.Get("client_secret")}
		},
		"malformed success": func(url.Values) answer {
			return answer{status: 200, body: `{"access_token":"` + leaked + `","expires_in":}`}
		},
		"success of the wrong type": func(url.Values) answer {
			return answer{status: 200, body: `{"access_token":"` + leaked + `","expires_in":{"a":"` + leaked + `"}}`}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 1)
			var log bytes.Buffer
			r.opts.Logger = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			r.entra.set(func(_ string, form url.Values) answer { return reply(form) })
			_, err := r.get(context.Background(), 0, "")
			if err == nil {
				t.Fatal("no error")
			}
			event := <-r.events
			encoded, _ := json.Marshal(err)
			shown := []string{err.Error(), string(encoded), log.String(), fmt.Sprintf("%+v %#v", *problems.As(err), event.Problem),
				fmt.Sprintf("%+v %#v", event, event), fmt.Sprintf("%+v", r.Source), fmt.Sprintf("%#v", r.caches.Values())}
			roomtest.WantNoLeak(t, leaked, shown...)
		})
	}
}

func TestSecretIsNotShownAfterSuccess(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	minted := r.must(0)
	s, _ := r.caches.Get(tokenKey{roomtest.TenantID(0), "partner"})
	credential, _ := r.Credential(context.Background(), "", "")
	event := <-r.events
	roomtest.WantNoLeak(t, minted, fmt.Sprintf("%+v %#v", s.token, s.token), fmt.Sprintf("%+v %#v", credential, credential),
		fmt.Sprintf("%+v", r.Source), fmt.Sprintf("%+v", event), fmt.Sprintf("%#v", r.store))
}

// failing is a client whose every request fails.
type failing struct{ err error }

func (f failing) RoundTrip(*http.Request) (*http.Response, error) { return nil, f.err }

func TestInstanceDiscoveryThatFailsIsNamed(t *testing.T) {
	t.Parallel()
	where := target{tenant: "contoso", tenantID: roomtest.TenantID(0), cloud: tenants.Cloud{Authority: "https://login.example.com"}}
	x := newExchange(&http.Client{Transport: failing{errors.New("canary")}}, where)
	request := httptest.NewRequest("GET", "https://login.microsoftonline.com/common/discovery/instance?api-version=1.1", nil)
	request.RequestURI = ""
	if _, err := x.Do(request); err == nil {
		t.Fatal("no error")
	}
	problem := roomtest.WantCode(t, x.problem(where), problems.CodeNetwork)
	if !strings.Contains(problem.Message, "login.microsoftonline.com") || !strings.Contains(problem.Hint, "--skip-instance-discovery") {
		t.Errorf("message %q, hint %q", problem.Message, problem.Hint)
	}
}
