package server

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"slices"
	"strings"
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
	now    func() time.Time

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

// NewHealth makes a Health of checks. now is nil but in tests.
func NewHealth(now func() time.Time, checks ...Check) *Health {
	if now == nil {
		now = time.Now
	}
	return &Health{checks: checks, now: now}
}

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
	if now := h.now(); !now.Before(h.until) {
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

// Monitor answers those who watch over the server: is it alive, can it work, what
// has it done.
type Monitor struct {
	// Health answers /livez and /readyz.
	Health *Health
	// Metrics answers /metrics; nil means there are none, or they are elsewhere.
	Metrics http.Handler
	// Hosts are the names under which it may be reached, beside addresses.
	Hosts []string
	// TLS, if set, is what connections are encrypted with.
	TLS *tls.Config
}

func (m Monitor) serve(w http.ResponseWriter, r *http.Request, path string) *refusal {
	if refused := checkReading(r); refused != nil {
		return refused
	}
	switch {
	case path == livePath:
		beginAnswer(w, r)
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("ok\n")) // a client that left needs no answer
	case path == readyPath:
		state, status := m.Health.state(r.Context()), http.StatusOK
		if state.Status != "ready" {
			status = http.StatusServiceUnavailable
		}
		writeValue(w, r, status, state)
	case path == metricsPath && m.Metrics != nil:
		beginAnswer(w, r)
		m.Metrics.ServeHTTP(w, r)
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

// checkHost lets addresses and requests without a Host pass beside the names that
// are allowed: probes come so, and only a name can be rebound.
func (m Monitor) checkHost(r *http.Request) *refusal {
	host := hostName(r.Host)
	if host == "" || net.ParseIP(host) != nil || slices.ContainsFunc(m.Hosts, func(allowed string) bool { return strings.EqualFold(allowed, host) }) {
		return nil
	}
	return foreignHost()
}

// onlyOwnOrigin keeps web pages of others out where no origins can be allowed.
func onlyOwnOrigin(r *http.Request) *refusal {
	if origin, ok := originOf(r); ok && (origin == "" || ownOrigin(origin, r)) {
		return nil
	}
	return foreignOrigin()
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

// Handler is the handler of a separate listener for health and metrics. It
// authenticates no one: everything it serves is fit for all who reach it.
func (m Monitor) Handler() http.Handler {
	m.Health, m.Hosts = cmp.Or(m.Health, NewHealth(nil)), append([]string{"localhost"}, m.Hosts...)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refused := firstError(r, m.checkHost, onlyOwnOrigin, checkContentEncoding)
		if refused == nil {
			refused = m.serve(w, r, r.URL.EscapedPath())
		}
		refused.write(w)
	})
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
