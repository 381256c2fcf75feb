package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mcp-partner/schemas/answers"
)

// credentials reads the credentials at each scrape and sums them by kind. Their names
// are not shown: many are named after a customer.
type credentials struct {
	look  func() []answers.CredentialView
	codes map[string]bool

	number, tenants, ends, success, failure, failing *prometheus.Desc
}

func newCredentials(look func() []answers.CredentialView, codes map[string]bool) *credentials {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, append([]string{"kind"}, labels...), nil)
	}
	return &credentials{
		look: look, codes: codes,
		number:  desc("credentials", "Credentials, by expiry.", "expiry"),
		tenants: desc("credential_tenants", "Tenants that credentials of a kind serve."),
		ends:    desc("credential_end_timestamp_seconds", "When the next credential of a kind ends, if known."),
		success: desc("credential_last_success_timestamp_seconds", "When a credential of a kind last signed in."),
		failure: desc("credential_last_failure_timestamp_seconds", "When a credential of a kind last failed to sign in, by problem code.", "code"),
		failing: desc("credentials_failing", "Credentials whose last sign-in failed, by problem code.", "code"),
	}
}

// Describe implements prometheus.Collector.
func (c *credentials) Describe(to chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{c.number, c.tenants, c.ends, c.success, c.failure, c.failing} {
		to <- desc
	}
}

// Collect implements prometheus.Collector.
func (c *credentials) Collect(to chan<- prometheus.Metric) {
	sums := sums{}
	for _, one := range c.look() {
		code := listed(c.codes, string(one.LastProblem))
		sums[sumKey{c.number, one.Kind, one.Expiry}]++
		sums[sumKey{c.tenants, one.Kind, ""}] += float64(one.Tenants)
		sums.first(sumKey{c.ends, one.Kind, ""}, one.ExpiresAt)
		sums.last(sumKey{c.success, one.Kind, ""}, one.LastSuccess)
		sums.last(sumKey{c.failure, one.Kind, code}, one.LastFailure)
		if one.LastFailure > one.LastSuccess { // of one form, in UTC
			sums[sumKey{c.failing, one.Kind, code}]++
		}
	}
	for of, value := range sums {
		labels := []string{of.kind}
		if of.other != "" {
			labels = append(labels, of.other)
		}
		to <- prometheus.MustNewConstMetric(of.desc, prometheus.GaugeValue, value, labels...)
	}
}

// sums are metrics by their labels.
type sums map[sumKey]float64

// sumKey is a metric with its labels: the kind, and another one or "".
type sumKey struct {
	desc        *prometheus.Desc
	kind, other string
}

// first keeps the earliest known time.
func (s sums) first(key sumKey, text string) {
	at, known := seconds(text)
	if have, ok := s[key]; known && (!ok || at < have) {
		s[key] = at
	}
}

// last keeps the latest known time.
func (s sums) last(key sumKey, text string) {
	if at, known := seconds(text); known {
		s[key] = max(s[key], at)
	}
}

// seconds are those since 1970 of a time in RFC 3339; false for "".
func seconds(text string) (float64, bool) {
	at, err := time.Parse(time.RFC3339, text)
	return float64(at.Unix()), err == nil
}
