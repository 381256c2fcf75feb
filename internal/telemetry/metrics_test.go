package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mcp-partner/schemas/answers"
)

func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	body, err := io.ReadAll(w.Body)
	if err != nil || w.Code != 200 {
		t.Fatalf("status %d, %v: %s", w.Code, err, body)
	}
	return string(body)
}

func wantMetrics(t *testing.T, got string, wanted ...string) {
	t.Helper()
	for _, line := range wanted {
		if !strings.Contains(got, "mcp_partner_"+line+"\n") {
			t.Errorf("there is no line %q", line)
		}
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testMetrics)
}

func testMetrics(t *testing.T) {
	now := time.Now()
	m := NewMetrics("1.2.3", Lookups{
		Pending: func(context.Context) (int, error) { return 4, nil },
		Credentials: func() []answers.CredentialView {
			return []answers.CredentialView{{}, {ExpiresAt: now.Add(37 * time.Hour).Format(time.RFC3339)}, {ExpiresAt: now.Add(36 * time.Hour).Format(time.RFC3339)}}
		},
		Certificate: func() (time.Time, bool) { return now.Add(-12 * time.Hour), true },
	})
	m.Call("check_partner_link", "done", "", 30*time.Millisecond)
	m.Call("check_partner_link", "failed", "throttled", time.Second)
	m.Answered(200)
	m.Answered(401)
	m.ARM("GET", 200, time.Millisecond)
	m.ARM("GET", 429, time.Millisecond)
	m.ARM("PUT", 0, time.Millisecond)
	m.Token("client_secret", "")
	m.Token("client_secret", "credential_expired")
	wantMetrics(t, scrape(t, m),
		`calls_total{code="",outcome="done",tool="check_partner_link"} 1`,
		`calls_total{code="throttled",outcome="failed",tool="check_partner_link"} 1`,
		`call_duration_seconds_bucket{tool="check_partner_link",le="0.1"} 1`,
		`call_duration_seconds_count{tool="check_partner_link"} 2`,
		`http_requests_total{status="200"} 1`, `http_requests_total{status="401"} 1`,
		`arm_requests_total{method="GET",status="200"} 1`, `arm_requests_total{method="GET",status="429"} 1`,
		`arm_requests_total{method="PUT",status="0"} 1`, `arm_throttled_total 1`,
		`token_requests_total{code="",kind="client_secret"} 1`, `token_requests_total{code="credential_expired",kind="client_secret"} 1`,
		`approvals_pending 4`, `credential_expiry_days 1.5`, `tls_certificate_expiry_days -0.5`, `build_info{version="1.2.3"} 1`)
}

func TestUnknownMetricsAreOmitted(t *testing.T) {
	t.Parallel()
	got := scrape(t, NewMetrics("1", Lookups{
		Pending:     func(context.Context) (int, error) { return 0, errors.New(canary) },
		Credentials: func() []answers.CredentialView { return []answers.CredentialView{{}} },
	}))
	for _, name := range []string{"approvals_pending", "credential_expiry_days", "tls_certificate_expiry_days", canary} {
		if strings.Contains(got, name) {
			t.Errorf("%s is there", name)
		}
	}
}

// Whatever callers and far sides send, the metrics stay few.
func TestLabelsAreBounded(t *testing.T) {
	t.Parallel()
	m := NewMetrics("1", Lookups{})
	series := func() int { return strings.Count(scrape(t, m), "\nmcp_partner_") }
	send := func(i int) {
		text := fmt.Sprintf("%s-%d", canary, i)
		m.Call(text, text, text, 0)
		m.ARM(text, 1000+i, 0)
		m.Answered(-1 - i)
		m.Token("client_secret", text)
	}
	send(0)
	before := series()
	for i := range 500 {
		send(i)
	}
	if after := series(); after != before || strings.Contains(scrape(t, m), canary) {
		t.Errorf("%d lines became %d", before, after)
	}
}

func TestNilMetricsAreSafe(t *testing.T) {
	t.Parallel()
	var m *Metrics
	m.Call("a", "b", "c", 0)
	m.ARM("GET", 200, 0)
	m.Answered(200)
	m.Token("x", "")
}
