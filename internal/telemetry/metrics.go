package telemetry

import (
	"context"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

const (
	namespace = "mcp_partner"
	// other replaces a label's value that is not listed.
	other = "other"
	// askLimit bounds the lookups of a scrape.
	askLimit = 2 * time.Second
	// scrapesAtOnce bounds simultaneous scrapes.
	scrapesAtOnce = 4
)

// Lookups are metrics that are read at each scrape. Each may be nil.
type Lookups struct {
	// Pending counts the questions that wait for an approver.
	Pending func(context.Context) (int, error)
	// Credentials are what the directory has.
	Credentials func() []answers.CredentialView
	// Certificate is when the server's own certificate ends.
	Certificate func() (time.Time, bool)
}

// Metrics are the metrics of one process. It is safe for concurrent use; the
// methods of a nil *Metrics do nothing.
type Metrics struct {
	registry *prometheus.Registry
	handler  http.Handler

	calls     *prometheus.CounterVec
	durations *prometheus.HistogramVec
	requests  *prometheus.CounterVec
	arm       *prometheus.CounterVec
	armTime   *prometheus.HistogramVec
	throttled prometheus.Counter
	tokens    *prometheus.CounterVec

	tools, codes map[string]bool
}

// NewMetrics makes metrics that start at zero.
func NewMetrics(version string, l Lookups) *Metrics {
	m := &Metrics{
		registry:  prometheus.NewRegistry(),
		calls:     counters("calls_total", "Calls of tools, by outcome.", "tool", "outcome", "code"),
		durations: histogram("call_duration_seconds", "Duration of tool calls, including people's answers.", "tool"),
		requests:  counters("http_requests_total", "Requests to the MCP endpoint, by status.", "status"),
		arm:       counters("arm_requests_total", "Requests to Azure Resource Manager, by status; 0 is a request without an answer.", "method", "status"),
		armTime:   histogram("arm_request_duration_seconds", "Duration of requests to Azure Resource Manager.", "method"),
		throttled: prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: "arm_throttled_total", Help: "Answers of Azure Resource Manager with status 429."}),
		tokens:    counters("token_requests_total", "Sign-ins, by kind of credential and problem code; empty if a token was issued.", "kind", "code"),
		tools:     map[string]bool{}, codes: map[string]bool{"": true},
	}
	for _, op := range schemas.Catalogue() {
		m.tools[op.Name] = true
	}
	for _, info := range problems.Codes() {
		m.codes[string(info.Code)] = true
	}
	m.registry.MustRegister(m.calls, m.durations, m.requests, m.arm, m.armTime, m.throttled, m.tokens,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), build(version))
	m.lookUp(l)
	m.handler = promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: scrapesAtOnce, ErrorHandling: promhttp.ContinueOnError})
	return m
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

func histogram(name, help string, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: namespace, Name: name, Help: help, Buckets: []float64{.001, .005, .025, .1, .25, .5, 1, 2.5, 5, 10, 20, 45},
	}, labels)
}

func build(version string) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info", Help: "Version of the program.", ConstLabels: prometheus.Labels{"version": version},
	}, func() float64 { return 1 })
}

// scraped are metrics that are read at each scrape, and not before.
type scraped func(chan<- prometheus.Metric)

// Describe implements prometheus.Collector.
func (scraped) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (s scraped) Collect(to chan<- prometheus.Metric) { s(to) }

func described(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
}

func valued(desc *prometheus.Desc, value float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
}

func (m *Metrics) lookUp(l Lookups) {
	if l.Pending != nil {
		m.registry.MustRegister(lookup("approvals_pending", "Questions that wait for an approver.", func() (float64, bool) {
			ctx, cancel := context.WithTimeout(context.Background(), askLimit)
			defer cancel()
			n, err := l.Pending(ctx)
			return float64(n), err == nil
		}))
	}
	if l.Credentials != nil {
		m.registry.MustRegister(credentials(l.Credentials, m.codes))
	}
	days := func(name, help string, when func() (time.Time, bool)) {
		if when == nil {
			return
		}
		m.registry.MustRegister(lookup(name, help, func() (float64, bool) {
			at, known := when()
			return math.Round(time.Until(at).Hours()/24*100) / 100, known
		}))
	}
	days("credential_expiry_days", "Days until the next credential ends, if known.", l.nextEnd)
	days("tls_certificate_expiry_days", "Days until the server's own certificate ends.", l.Certificate)
}

// nextEnd is when the next credential ends, which may have passed.
func (l Lookups) nextEnd() (next time.Time, known bool) {
	if l.Credentials == nil {
		return next, false
	}
	for _, one := range l.Credentials() {
		if at, err := time.Parse(time.RFC3339, one.ExpiresAt); err == nil && (!known || at.Before(next)) {
			next, known = at, true
		}
	}
	return next, known
}

// lookup is a gauge that may have no value.
func lookup(name, help string, look func() (float64, bool)) scraped {
	desc := described(name, help)
	return func(to chan<- prometheus.Metric) {
		if value, known := look(); known {
			to <- valued(desc, value)
		}
	}
}

// ServeHTTP answers in Prometheus' text format.
func (m *Metrics) ServeHTTP(w http.ResponseWriter, r *http.Request) { m.handler.ServeHTTP(w, r) }

// Call counts a call of a tool. An unlisted name or code becomes other.
func (m *Metrics) Call(tool, outcome, code string, took time.Duration) {
	if m == nil {
		return
	}
	tool = listed(m.tools, tool)
	m.calls.WithLabelValues(tool, listed(outcomes, outcome), listed(m.codes, code)).Inc()
	m.durations.WithLabelValues(tool).Observe(took.Seconds())
}

// outcomes are the statuses of the envelope, and asked for an open question.
var outcomes = map[string]bool{
	string(answers.StatusDone): true, string(answers.StatusUnchanged): true, string(answers.StatusApprovalRequired): true,
	string(answers.StatusRefused): true, string(answers.StatusFailed): true, "asked": true,
}

func listed(list map[string]bool, value string) string {
	if list[value] {
		return value
	}
	return other
}

// Answered counts a request to the MCP endpoint.
func (m *Metrics) Answered(status int) {
	if m != nil {
		m.requests.WithLabelValues(statusLabel(status)).Inc()
	}
}

// statusLabel bounds the labels that a remote server can create.
func statusLabel(status int) string {
	if status != 0 && (status < 100 || status > 599) {
		return other
	}
	return strconv.Itoa(status)
}

// ARM counts a request to Azure Resource Manager; status is 0 without an answer.
func (m *Metrics) ARM(method string, status int, took time.Duration) {
	if m == nil {
		return
	}
	method = listed(methods, method)
	m.arm.WithLabelValues(method, statusLabel(status)).Inc()
	m.armTime.WithLabelValues(method).Observe(took.Seconds())
	if status == http.StatusTooManyRequests {
		m.throttled.Inc()
	}
}

var methods = map[string]bool{http.MethodGet: true, http.MethodPut: true, http.MethodPatch: true, http.MethodDelete: true}

// Token counts a sign-in; code is "" if it issued a token. Kind is a kind of
// credential.
func (m *Metrics) Token(kind, code string) {
	if m != nil {
		m.tokens.WithLabelValues(kind, listed(m.codes, code)).Inc()
	}
}

// credentials sums the credentials by kind. Their names are not shown: many are named
// after a customer.
func credentials(look func() []answers.CredentialView, codes map[string]bool) scraped {
	number := described("credentials", "Credentials, by expiry.", "kind", "expiry")
	tenants := described("credential_tenants", "Tenants that credentials of a kind serve.", "kind")
	ends := described("credential_end_timestamp_seconds", "When the next credential of a kind ends, if known.", "kind")
	success := described("credential_last_success_timestamp_seconds", "When a credential of a kind last signed in.", "kind")
	failure := described("credential_last_failure_timestamp_seconds", "When a credential of a kind last failed to sign in, by problem code.", "kind", "code")
	failing := described("credentials_failing", "Credentials whose last sign-in failed, by problem code.", "kind", "code")
	return func(to chan<- prometheus.Metric) {
		sums := sums{}
		for _, one := range look() {
			code := listed(codes, string(one.LastProblem))
			sums[sumKey{number, one.Kind, one.Expiry}]++
			sums[sumKey{tenants, one.Kind, ""}] += float64(one.Tenants)
			sums.first(sumKey{ends, one.Kind, ""}, one.ExpiresAt)
			sums.last(sumKey{success, one.Kind, ""}, one.LastSuccess)
			sums.last(sumKey{failure, one.Kind, code}, one.LastFailure)
			if one.LastFailure > one.LastSuccess { // of one form, in UTC
				sums[sumKey{failing, one.Kind, code}]++
			}
		}
		for of, value := range sums {
			labels := []string{of.kind}
			if of.other != "" {
				labels = append(labels, of.other)
			}
			to <- valued(of.desc, value, labels...)
		}
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
