package server

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"sync"
	"time"

	"mcp-partner/schemas"
	"mcp-partner/schemas/problems"
)

const (
	readyPath   = "/readyz"
	metricsPath = "/metrics"

	// readyFor is how long an answer about readiness is used again: anybody may
	// ask, and a check opens files.
	readyFor = 2 * time.Second
	// checkLimit bounds one check.
	checkLimit = 5 * time.Second
)

// Check is one thing that the server cannot do without. Run returns what is
// wrong with it; of a problem the code is shown, of another error nothing.
type Check struct {
	Name string
	Run  func(context.Context) error
}

// Health knows whether the server can do its work.
type Health struct {
	checks []Check

	mu       sync.Mutex
	until    time.Time
	last     readiness
	stopping bool
}

// readiness is what /readyz answers.
type readiness struct {
	Status string            `json:"status"`
	Checks map[string]string `json:"checks"`
}

// NewHealth makes a Health of checks.
func NewHealth(checks ...Check) *Health { return &Health{checks: checks} }

// stop makes every answer from now on a no: the server is about to end.
func (h *Health) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stopping = true
}

// state runs the checks, unless somebody asked just now.
func (h *Health) state(ctx context.Context) readiness {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now := time.Now(); !now.Before(h.until) {
		// Others wait for this answer; that one of them hangs up is no reason to fail it.
		h.last, h.until = h.look(context.WithoutCancel(ctx)), now.Add(readyFor)
	}
	state := h.last
	if h.stopping {
		state.Status = "stopping"
	}
	return state
}

func (h *Health) look(ctx context.Context) readiness {
	state := readiness{Status: "ready", Checks: map[string]string{}}
	for _, check := range h.checks {
		state.Checks[check.Name] = "ok"
		limited, cancel := context.WithTimeout(ctx, checkLimit)
		if err := check.Run(limited); err != nil {
			state.Status, state.Checks[check.Name] = "not_ready", string(problems.As(err).Code)
		}
		cancel()
	}
	return state
}

// serveHealth answers those who watch over the server: is it alive, can it work,
// what has it done.
func (t *httpTransport) serveHealth(w http.ResponseWriter, r *http.Request, path string) *refusal {
	if refused := checkReading(r); refused != nil {
		return refused
	}
	switch {
	case path == livePath:
		beginAnswer(w, r)
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("ok\n")) // a client that left needs no answer
	case path == readyPath:
		state, status := t.opts.Health.state(r.Context()), http.StatusOK
		if state.Status != "ready" {
			status = http.StatusServiceUnavailable
		}
		writeValue(w, r, status, state)
	case path == metricsPath && t.opts.Metrics != nil:
		beginAnswer(w, r)
		t.opts.Metrics.ServeHTTP(w, r)
	default:
		return nothingHere()
	}
	return nil
}

func checkReading(r *http.Request) *refusal {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return nil
	}
	return refuse(http.StatusMethodNotAllowed, "Use GET.").with("Allow", "GET, HEAD")
}

// checkProbedHost lets addresses and requests without a Host pass beside the names
// that are allowed: probes come so, and only a name can be rebound.
func (t *httpTransport) checkProbedHost(r *http.Request) *refusal {
	if host := hostName(r.Host); host == "" || net.ParseIP(host) != nil {
		return nil
	}
	return t.checkHost(r)
}

// writeValue answers with strings, numbers and lists of them, which always encode.
func writeValue(w http.ResponseWriter, r *http.Request, status int, value any) {
	text, _ := json.Marshal(value)
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, r, status, append(text, '\n'))
}

func writeJSON(w http.ResponseWriter, r *http.Request, status int, text []byte) {
	beginAnswer(w, r)
	sendJSON(w, status, text)
}

func sendJSON(w http.ResponseWriter, status int, text []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(text) // a client that left needs no answer
}

// serveMonitor is the handler of a separate listener for health and metrics. It
// authenticates no one: everything it serves is fit for all who reach it.
func (t *httpTransport) serveMonitor(w http.ResponseWriter, r *http.Request) {
	refused := firstError(r, t.checkProbedHost, t.checkOrigin, checkContentEncoding)
	if refused == nil {
		refused = t.serveHealth(w, r, r.URL.EscapedPath())
	}
	refused.write(w)
}

func nothingHere() *refusal {
	return refuse(http.StatusNotFound, "Not found. MCP is served on "+mcpPath+".")
}

const openAPIPath = "/openapi.json"

// serveOpenAPI answers with the provider's wire contract. It is the same for
// everybody and holds nothing of this server, so it takes no bearer.
func serveOpenAPI(w http.ResponseWriter, r *http.Request) *refusal {
	if refused := checkReading(r); refused != nil {
		return refused
	}
	writeJSON(w, r, http.StatusOK, schemas.OpenAPI())
	return nil
}
