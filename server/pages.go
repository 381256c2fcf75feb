package server

import (
	"net/http"
	"slices"
)

// What web pages of an allowed origin may send, and may see of an answer. A
// browser lets them do neither unless it is told (CORS).
const (
	pageMethods = "GET, POST"
	pageHeaders = "Accept, Authorization, Content-Type, Last-Event-ID, Mcp-Method, Mcp-Name, Mcp-Protocol-Version, Mcp-Session-Id, Traceparent, Tracestate"
	pageSees    = "Retry-After, WWW-Authenticate, X-Request-Id"
	// pageAsksAgain is after how many seconds a browser asks again.
	pageAsksAgain = "600"
)

// admitPage tells a browser that pages of an allowed origin may call, and answers
// if that was all it asked. Cookies are never allowed: a caller is who its bearer
// says. To a page of the server's own origin and to everybody else nothing is
// said.
func (t *httpTransport) admitPage(w http.ResponseWriter, r *http.Request) (answered bool) {
	origin, ok := originOf(r)
	if !ok || origin == "" || !slices.Contains(t.opts.Origins, origin) || t.checkHost(r) != nil {
		return false
	}
	h := w.Header()
	h.Add("Vary", "Origin")
	h.Set("Access-Control-Allow-Origin", origin)
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		h.Set("Access-Control-Expose-Headers", pageSees)
		return false
	}
	h.Set("Access-Control-Allow-Methods", pageMethods)
	h.Set("Access-Control-Allow-Headers", pageHeaders)
	h.Set("Access-Control-Max-Age", pageAsksAgain)
	w.WriteHeader(http.StatusNoContent)
	return true
}
