package server

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// What web pages of an allowed origin may send, and may see of an answer. A
// browser allows neither without these headers (CORS).
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

// crossOrigin trusts no origin that cannot be parsed.
func (s *Server) crossOrigin(origins []string) *http.CrossOriginProtection {
	protection := http.NewCrossOriginProtection()
	for _, origin := range origins {
		if err := protection.AddTrustedOrigin(origin); err != nil {
			s.log.Error("not a web origin, and not trusted", "origin", origin)
		}
	}
	return protection
}

// checkOrigin goes by Sec-Fetch-Site as browsers set it, and by the Origin
// itself too, which other software can be made to send.
func (t *httpTransport) checkOrigin(r *http.Request) *refusal {
	origin, ok := originOf(r)
	if ok && t.foreign.Check(r) == nil && (origin == "" || slices.Contains(t.opts.Origins, origin) || ownOrigin(origin, r)) {
		return nil
	}
	return foreignOrigin()
}

// originOf returns the one Origin of a request, or "". ok is false where there
// are two, of which somebody in between may have checked the other.
func originOf(r *http.Request) (origin string, ok bool) {
	origins := r.Header.Values("Origin")
	if len(origins) == 0 {
		return "", len(r.Header.Values("Sec-Fetch-Site")) <= 1
	}
	return origins[0], len(origins) == 1 && origins[0] != "" && len(r.Header.Values("Sec-Fetch-Site")) <= 1
}

func foreignOrigin() *refusal {
	return refuse(http.StatusForbidden, "Web pages of this Origin may not call this server.")
}

// ownOrigin wants the exact form in which browsers send an origin, so that
// nothing beside scheme and host can be in it.
func ownOrigin(origin string, r *http.Request) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || origin != u.Scheme+"://"+u.Host || !strings.EqualFold(u.Host, r.Host) {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && r.TLS == nil
}
