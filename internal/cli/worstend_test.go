package cli

import (
	"testing"
	"time"

	"mcp-partner/vault"
)

func TestWorstEnd(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	day := func(n int) time.Time { return now.AddDate(0, 0, n) }
	secret := func(end time.Time) vault.CredentialConfig {
		return vault.CredentialConfig{Kind: vault.KindClientSecret, Expires: end.Format(time.RFC3339)}
	}
	certificate := secret(day(90))
	certificate.Kind = vault.KindClientCertificate
	for name, test := range map[string]struct {
		backend time.Time
		uses    []vault.CredentialConfig
		state   vault.ExpiryState
		end     time.Time
	}{
		"nobody uses it":                  {state: vault.ExpiryUnknown},
		"nobody uses it, backend knows":   {backend: day(60), state: vault.ExpiryValid, end: day(60)},
		"a person":                        {uses: []vault.CredentialConfig{{Kind: vault.KindBrowser}}, state: vault.ExpiryNone},
		"nobody said":                     {uses: []vault.CredentialConfig{{Kind: vault.KindClientSecret}}, state: vault.ExpiryUnknown},
		"the nearer of two":               {uses: []vault.CredentialConfig{secret(day(50)), secret(day(10))}, state: vault.ExpirySoon, end: day(10)},
		"one of two is known":             {uses: []vault.CredentialConfig{{Kind: vault.KindClientSecret}, secret(day(50))}, state: vault.ExpiryValid, end: day(50)},
		"the backend knows better":        {backend: day(60), uses: []vault.CredentialConfig{secret(day(-1))}, state: vault.ExpiryValid, end: day(60)},
		"the certificate knows by itself": {backend: day(5), uses: []vault.CredentialConfig{certificate}, state: vault.ExpiryValid, end: day(90)},
	} {
		state, end := worstEnd(now, test.backend, test.uses)
		if state != string(test.state) || test.end.IsZero() != (end == nil) || end != nil && !end.Equal(test.end) {
			t.Errorf("%s: %s, %v, want %s, %s", name, state, end, test.state, test.end)
		}
	}
}
