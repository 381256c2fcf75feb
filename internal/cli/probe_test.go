package cli

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"mcp-partner/internal/exit"
)

// TestHealthOfAServer probes the real program, and then what stands for one
// whose ledger is gone.
func TestHealthOfAServer(t *testing.T) {
	t.Parallel()
	r := start(t, nil, "serve", "--simulate", "--http", "127.0.0.1:0")
	var at ready
	r.line(&at)
	probe := start(t, nil, "health", "--url", strings.TrimSuffix(at.URL, "/mcp")+"/readyz")
	if code, out := probe.end(); code != exit.CodeDone || !strings.Contains(out, "Ready.") {
		t.Errorf("exit code %d: %s %s", code, out, probe.err)
	}
	sick := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte(`{"status":"not_ready","checks":{"vault":"ok","ledger":"vault_unavailable"}}`))
	}))
	defer sick.Close()
	probe = start(t, nil, "health", "--url", sick.URL+"/readyz")
	if code, out := probe.end(); code != exit.CodeFailed || !strings.Contains(out, "Not ready: ledger (vault_unavailable).") {
		t.Errorf("exit code %d: %s %s", code, out, probe.err)
	}
}
