package cli

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"mcp-partner/internal/exit"
	"mcp-partner/internal/wiretest"
)

// collect starts a receiver of OTLP.
func collect(t *testing.T) (url string, spans chan *tracepb.Span) {
	t.Helper()
	spans = make(chan *tracepb.Span, 1000)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var data tracepb.TracesData
		if err != nil || proto.Unmarshal(body, &data) != nil {
			t.Errorf("what arrived cannot be read: %v", err)
		}
		for _, about := range data.ResourceSpans {
			for _, scope := range about.ScopeSpans {
				for _, span := range scope.Spans {
					spans <- span
				}
			}
		}
	}))
	t.Cleanup(s.Close)
	return s.URL, spans
}

const (
	metaTrace   = "0af7651916cd43dd8448eb211c80319c"
	headerTrace = "1bf7651916cd43dd8448eb211c80319d"
)

// TestTracesOfAServer has two callers name their traces, one in _meta and one
// in a header, and looks at what a collector gets.
func TestTracesOfAServer(t *testing.T) {
	t.Parallel()
	url, received := collect(t)
	r := start(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": url}, "serve", "--simulate", "--http", "127.0.0.1:0", "--allow-writes", "--approval", "none")
	var at ready
	r.line(&at)
	c := wiretest.HTTPAt(t, at.URL, at.Token, &http.Transport{})
	c.Post(wiretest.Legacy.Request(1, "tools/call", wiretest.Object{
		"name": "check_partner_link", "arguments": wiretest.Object{"tenant": "contoso"},
		"_meta": wiretest.Object{"traceparent": "00-" + metaTrace + "-b7ad6b7169203331-01"},
	}, nil))
	request := c.NewRequest(wiretest.Modern.Call(2, "remove_partner", wiretest.Object{"tenant": "contoso", "partner_id": "2345678", "reason": "s3cret-reason"}))
	request.Header.Set("Traceparent", "00-"+headerTrace+"-b7ad6b7169203331-01")
	answer := c.Do(request)
	if answer.Header.Get("X-Request-Id") == "" || !strings.Contains(string(answer.Body), `"status":"done"`) {
		t.Fatalf("got %v %s", answer.Header, answer.Body)
	}
	r.stop()
	if code, _ := r.end(); code != exit.CodeDone {
		t.Errorf("exit code %d", code)
	}
	byTrace, calls := map[string][]string{}, map[string]*tracepb.Span{}
	var spans []*tracepb.Span
	for len(received) > 0 {
		span := <-received
		spans = append(spans, span)
		id := hex.EncodeToString(span.TraceId)
		byTrace[id] = append(byTrace[id], span.Name)
		if strings.HasPrefix(span.Name, "tools/call") {
			calls[id] = span
		}
		if leak := regexp.MustCompile("contoso|2345678|s3cret|Bearer|" + regexp.QuoteMeta(at.Token)).FindString(span.String()); leak != "" {
			t.Errorf("a span tells %q: %v", leak, span)
		}
	}
	for id, want := range map[string][]string{
		metaTrace:   {"ARM GET", "guard", "token", "tools/call check_partner_link"},
		headerTrace: {"ARM DELETE", "ARM GET", "guard", "token", "tools/call remove_partner"},
	} {
		got := slices.Sorted(slices.Values(byTrace[id]))
		for _, name := range want {
			if name != "token" && !slices.Contains(got, name) {
				t.Errorf("trace %s has no span %s: %v", id, name, got)
			}
		}
	}
	if !slices.Contains(byTrace[metaTrace], "token") {
		t.Errorf("nobody signed in: %v", byTrace)
	}
	for _, span := range spans {
		if id := hex.EncodeToString(span.TraceId); !strings.HasPrefix(span.Name, "tools/call") && string(span.ParentSpanId) != string(calls[id].GetSpanId()) {
			t.Errorf("%s is no child of its call", span.Name)
		}
	}
	if !strings.Contains(r.err.String(), "trace_id="+headerTrace) {
		t.Errorf("the log does not name the trace:\n%s", r.err)
	}
}

// TestMetricsOfAServer counts what a few calls do.
func TestMetricsOfAServer(t *testing.T) {
	t.Parallel()
	r := start(t, nil, "serve", "--simulate", "--http", "127.0.0.1:0", "--approval", "approver", "--allow-writes")
	var at ready
	r.line(&at)
	c := wiretest.HTTPAt(t, at.URL, at.Token, &http.Transport{})
	c.Post(wiretest.Modern.Call(1, "check_partner_link", wiretest.Object{"tenant": "contoso"}))
	c.Post(wiretest.Modern.Call(2, "check_partner_link", wiretest.Object{"tenant": "no-such"}))
	c.Post("garbage")
	request, _ := http.NewRequest(http.MethodGet, strings.TrimSuffix(at.URL, "/mcp")+"/metrics", nil)
	request.Header.Set("Authorization", "Bearer "+at.Token)
	body := string(c.Do(request).Body)
	for _, want := range []string{
		`mcp_partner_calls_total{code="",outcome="done",tool="check_partner_link"} 1`,
		`mcp_partner_calls_total{code="unknown_tenant",outcome="refused",tool="check_partner_link"} 1`,
		`mcp_partner_http_requests_total{status="200"} 2`, `mcp_partner_http_requests_total{status="400"} 1`,
		`mcp_partner_arm_requests_total{method="GET",status="200"} 1`,
		`mcp_partner_token_requests_total{code="",kind="client-secret"} 1`, `mcp_partner_approvals_pending 0`,
	} {
		if !strings.Contains(body, want+"\n") {
			t.Errorf("there is no %s", want)
		}
	}
	if strings.Contains(body, "contoso") || strings.Contains(body, "no-such") || strings.Contains(body, at.Token) {
		t.Error("the figures tell of tenants or tokens")
	}
	if t.Failed() {
		t.Log(body)
	}
}
