package vault

import (
	"testing"
	"time"

	"mcp-partner/tenants"
)

func TestEarliestExpiryIsReported(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	day := func(n int) time.Time { return now.AddDate(0, 0, n) }
	secret := func(end time.Time) tenants.CredentialConfig {
		return tenants.CredentialConfig{Kind: tenants.KindClientSecret, Expires: end.Format(time.RFC3339)}
	}
	certificate := secret(day(90))
	certificate.Kind = tenants.KindClientCertificate
	for name, test := range map[string]struct {
		backend time.Time
		uses    []tenants.CredentialConfig
		state   tenants.ExpiryState
		end     time.Time
	}{
		"nobody uses it":                  {state: tenants.ExpiryUnknown},
		"nobody uses it, backend knows":   {backend: day(60), state: tenants.ExpiryValid, end: day(60)},
		"a person":                        {uses: []tenants.CredentialConfig{{Kind: tenants.KindBrowser}}, state: tenants.ExpiryNone},
		"nobody said":                     {uses: []tenants.CredentialConfig{{Kind: tenants.KindClientSecret}}, state: tenants.ExpiryUnknown},
		"the nearer of two":               {uses: []tenants.CredentialConfig{secret(day(50)), secret(day(10))}, state: tenants.ExpirySoon, end: day(10)},
		"one of two is known":             {uses: []tenants.CredentialConfig{{Kind: tenants.KindClientSecret}, secret(day(50))}, state: tenants.ExpiryValid, end: day(50)},
		"the backend knows better":        {backend: day(60), uses: []tenants.CredentialConfig{secret(day(-1))}, state: tenants.ExpiryValid, end: day(60)},
		"the certificate knows by itself": {backend: day(5), uses: []tenants.CredentialConfig{certificate}, state: tenants.ExpiryValid, end: day(90)},
	} {
		state, end := worstEnd(now, test.backend, test.uses)
		if state != test.state || !end.Equal(test.end) {
			t.Errorf("%s: %s, %v, want %s, %s", name, state, end, test.state, test.end)
		}
	}
}
