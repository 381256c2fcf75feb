package telemetry

import (
	"strings"
	"testing"
	"time"

	"mcp-partner/schemas/answers"
)

func TestMetricsOfCredentials(t *testing.T) {
	t.Parallel()
	at := func(seconds int64) string { return time.Unix(seconds, 0).UTC().Format(time.RFC3339) }
	got := scrape(t, NewMetrics("1", Lookups{Credentials: func() []answers.CredentialView {
		return []answers.CredentialView{
			{Kind: "client-secret", Expiry: "valid", Tenants: 400, ExpiresAt: at(1900000000), LastSuccess: at(1800000000), LastFailure: at(1700000000), LastProblem: "credential_rejected"},
			{Kind: "client-secret", Expiry: "valid", Tenants: 2, ExpiresAt: at(1900000001), LastSuccess: at(1600000000), LastFailure: at(1700000002), LastProblem: "credential_rejected"},
			{Kind: "client-secret", Expiry: "unknown", Tenants: 1},
			{Kind: "managed-identity", Expiry: "none", LastFailure: at(1700000001), LastProblem: canary},
		}
	}}))
	wantMetrics(t, got,
		`credentials{expiry="valid",kind="client-secret"} 2`, `credentials{expiry="unknown",kind="client-secret"} 1`, `credentials{expiry="none",kind="managed-identity"} 1`,
		`credential_tenants{kind="client-secret"} 403`, `credential_tenants{kind="managed-identity"} 0`,
		`credential_end_timestamp_seconds{kind="client-secret"} 1.9e+09`,
		`credential_last_success_timestamp_seconds{kind="client-secret"} 1.8e+09`,
		`credential_last_failure_timestamp_seconds{code="credential_rejected",kind="client-secret"} 1.700000002e+09`,
		`credential_last_failure_timestamp_seconds{code="other",kind="managed-identity"} 1.700000001e+09`,
		`credentials_failing{code="credential_rejected",kind="client-secret"} 1`, `credentials_failing{code="other",kind="managed-identity"} 1`)
	for _, absent := range []string{`end_timestamp_seconds{kind="managed`, `last_success_timestamp_seconds{kind="managed`, canary} {
		if strings.Contains(got, absent) {
			t.Errorf("%s is there", absent)
		}
	}
}
