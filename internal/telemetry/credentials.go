package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Credential is what metrics say about a credential. Unknown times are zero. It
// has no name: many are named after a customer.
type Credential struct {
	// Kind and Expiry are of the program's closed lists.
	Kind, Expiry string
	// Tenants is how many tenants of the directory use it.
	Tenants                        int
	Ends, LastSuccess, LastFailure time.Time
	// LastProblem is the code of the last failure.
	LastProblem string
}

// credentials reads the credentials at each scrape and sums them by kind.
type credentials struct {
	look  func() []Credential
	codes map[string]bool

	number, tenants, ends, success, failure, failing *prometheus.Desc
}

func newCredentials(look func() []Credential, codes map[string]bool) *credentials {
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
		code := listed(c.codes, one.LastProblem)
		sums[sumKey{c.number, one.Kind, one.Expiry}]++
		sums[sumKey{c.tenants, one.Kind, ""}] += float64(one.Tenants)
		sums.first(sumKey{c.ends, one.Kind, ""}, one.Ends)
		sums.last(sumKey{c.success, one.Kind, ""}, one.LastSuccess)
		sums.last(sumKey{c.failure, one.Kind, code}, one.LastFailure)
		if one.LastFailure.After(one.LastSuccess) {
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
func (s sums) first(key sumKey, at time.Time) {
	if have, ok := s[key]; !at.IsZero() && (!ok || float64(at.Unix()) < have) {
		s[key] = float64(at.Unix())
	}
}

// last keeps the latest known time.
func (s sums) last(key sumKey, at time.Time) {
	if !at.IsZero() {
		s[key] = max(s[key], float64(at.Unix()))
	}
}
