package telemetry

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"mcp-partner/schemas/problems"
)

// collector is a receiver of OTLP over HTTP. It reads the request by its wire
// form: field 1, again and again, is a ResourceSpans.
type collector struct {
	*httptest.Server
	t        *testing.T
	requests chan *http.Request
	spans    chan *tracepb.Span
	// refuse is how many requests are still answered with 503.
	refuse atomic.Int32
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{t: t, requests: make(chan *http.Request, 100), spans: make(chan *tracepb.Span, 1000)}
	c.Server = httptest.NewServer(http.HandlerFunc(c.receive))
	t.Cleanup(c.Close)
	return c
}

func (c *collector) receive(w http.ResponseWriter, r *http.Request) {
	c.requests <- r
	if c.refuse.Add(-1) >= 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	var from io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(r.Body)
		if err != nil {
			c.t.Error(err)
			return
		}
		from = unzipped
	}
	body, err := io.ReadAll(from)
	if err != nil {
		c.t.Error(err)
	}
	for len(body) > 0 {
		field, kind, n := protowire.ConsumeTag(body)
		content, m := protowire.ConsumeBytes(body[max(n, 0):])
		var about tracepb.ResourceSpans
		if n < 0 || m < 0 || field != 1 || kind != protowire.BytesType || proto.Unmarshal(content, &about) != nil {
			c.t.Errorf("the request cannot be read: %x", body)
			return
		}
		body = body[n+m:]
		for _, scope := range about.ScopeSpans {
			for _, span := range scope.Spans {
				c.spans <- span
			}
		}
	}
}

// env makes an environment of pairs.
func env(pairs ...string) func(string) string {
	values := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		values[pairs[i]] = pairs[i+1]
	}
	return func(name string) string { return values[name] }
}

func (c *collector) start(pairs ...string) *Tracing {
	c.t.Helper()
	tracing, err := StartTracing(env(append(pairs, "OTEL_EXPORTER_OTLP_ENDPOINT", c.URL)...), "1.2.3", slog.New(slog.DiscardHandler))
	if err != nil || tracing == nil {
		c.t.Fatalf("no traces: %v", err)
	}
	return tracing
}

func TestSpansOfACall(t *testing.T) {
	t.Parallel()
	c := newCollector(t)
	tracing := c.start("OTEL_EXPORTER_OTLP_HEADERS", "x-key=a%20b, x-other=c", "OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
	o := &Observer{Tracing: tracing, RequestID: tracingID}
	ctx := tracing.Remote(t.Context(), func(name string) string {
		return map[string]string{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}[name]
	}, func(string) string { return "00-1111111111111111111111111111111f-1111111111111111-01" })
	ctx, ended := o.Begin(ctx, "check_partner_link")
	if TraceID(ctx) != "0af7651916cd43dd8448eb211c80319c" {
		t.Errorf("the trace is %q", TraceID(ctx))
	}
	_, step := o.Step(ctx, "guard")
	step(errors.New(canary))
	_, arm := o.ARM(ctx, "GET")
	arm(503)
	ended("failed", problems.CodeThrottled, time.Second)
	tracing.Close()
	request := <-c.requests
	if request.URL.Path != "/v1/traces" || request.Header.Get("Content-Type") != "application/x-protobuf" || request.Header.Get("X-Key") != "a b" || request.Header.Get("X-Other") != "c" {
		t.Errorf("asked for %s with %v", request.URL.Path, request.Header)
	}
	spans := map[string]*tracepb.Span{}
	for range 3 {
		span := <-c.spans
		spans[span.Name] = span
		if strings.Contains(span.String(), canary) {
			t.Errorf("a span leaks: %v", span)
		}
	}
	call := spans["tools/call check_partner_link"]
	if call == nil || string(call.ParentSpanId) != "\xb7\xad\x6b\x71\x69\x20\x33\x31" || call.Status.GetCode() != tracepb.Status_STATUS_CODE_ERROR {
		t.Fatalf("the call is %v", call)
	}
	for _, want := range []string{`gen_ai.tool.name=check_partner_link`, `error.type=throttled`, `mcp_partner.outcome=failed`, `mcp_partner.request_id=r1`} {
		if !strings.Contains(attributesOf(call), want) {
			t.Errorf("the call has no %s: %s", want, attributesOf(call))
		}
	}
	for name, want := range map[string]string{"guard": "error.type=internal_error", "ARM GET": "http.response.status_code=503"} {
		span := spans[name]
		if span == nil || string(span.ParentSpanId) != string(call.SpanId) || !strings.Contains(attributesOf(span), want) {
			t.Errorf("%s is %v", name, span)
		}
	}
}

func attributesOf(span *tracepb.Span) string {
	var b strings.Builder
	for _, a := range span.Attributes {
		b.WriteString(a.Key + "=")
		if text := a.Value.GetStringValue(); text != "" {
			b.WriteString(text)
		} else {
			b.WriteString(strings.TrimPrefix(a.Value.String(), "int_value:"))
		}
		b.WriteByte(' ')
	}
	return b.String()
}

func TestBusyCollectorIsRetried(t *testing.T) {
	t.Parallel()
	c := newCollector(t)
	c.refuse.Store(1)
	tracing := c.start()
	_, ended := (&Observer{Tracing: tracing, RequestID: tracingID}).Begin(t.Context(), "unheard-of")
	ended("done", "", 0)
	tracing.Close()
	if span := <-c.spans; span.Name != "tools/call other" || len(c.requests) != 2 {
		t.Errorf("%d requests, %s", len(c.requests), span.Name)
	}
}

func TestTracesAreOffUnlessAskedFor(t *testing.T) {
	t.Parallel()
	for _, pairs := range [][]string{
		nil,
		{"OTEL_SERVICE_NAME", "x"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT", ""},
		{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1", "OTEL_SDK_DISABLED", "TRUE"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER", "none"},
	} {
		if tracing, err := StartTracing(env(pairs...), "1", slog.New(slog.DiscardHandler)); tracing != nil || err != nil {
			t.Errorf("%v: %v, %v", pairs, tracing, err)
		}
	}
	var off *Tracing
	o := &Observer{Tracing: off, RequestID: tracingID}
	if ctx, ended := o.Begin(t.Context(), "x"); ctx != t.Context() {
		t.Error("no traces, and another context")
	} else {
		ended("done", "", 0)
	}
	if off.Remote(t.Context(), nil, nil) != t.Context() {
		t.Error("no traces, and another context")
	}
	off.Close()
}

func TestInvalidTraceSettingsAreRefused(t *testing.T) {
	t.Parallel()
	garbage := filepath.Join(t.TempDir(), "garbage.pem")
	if err := os.WriteFile(garbage, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, pairs := range map[string][]string{
		"ENDPOINT":    {"OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://x"},
		"PROTOCOL":    {"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"},
		"EXPORTER":    {"OTEL_TRACES_EXPORTER", "zipkin"},
		"HEADERS":     {"OTEL_EXPORTER_OTLP_HEADERS", canary},
		"TIMEOUT":     {"OTEL_EXPORTER_OTLP_TIMEOUT", "soon"},
		"CERTIFICATE": {"OTEL_EXPORTER_OTLP_CERTIFICATE", garbage},
		"CLIENT_KEY":  {"OTEL_EXPORTER_OTLP_CLIENT_KEY", garbage},
		"HTTPS_PROXY": {"HTTPS_PROXY", "http://user:" + canary + "@[::1", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://collector.invalid/custom"},
	} {
		base := []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", ""}
		if name != "ENDPOINT" {
			base = []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:1/custom"}
		}
		tracing, err := StartTracing(env(append(base, pairs...)...), "1", slog.New(slog.DiscardHandler))
		if tracing != nil || err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), canary) {
			t.Errorf("%v: %v", pairs, err)
		}
	}
}

func tracingID(context.Context) string { return "r1" }
