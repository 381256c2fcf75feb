package server_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"mcp-partner/internal/wiretest"
)

// A browser lets a page of an allowed origin call only if the server says so, to
// the question before the call and with the answer, whatever that is.
func TestPagesOfAllowedOriginsCanCall(t *testing.T) {
	t.Parallel()
	const page = "https://app.example"
	o := httpOptions()
	o.Origins, o.OAuth = []string{page}, newResourceServer()
	c := serveHTTP(t, newServer(newFixtures(), nil), o, goodToken)
	ask := func(origin, method, path string, change func(*http.Request)) wiretest.Answer {
		t.Helper()
		r := c.NewRequest(wiretest.Legacy.Call(1, "echo", wiretest.Object{"text": "fine"}))
		r.Method, r.URL.Path = method, path
		r.Header.Set("Origin", origin)
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		if change != nil {
			change(r)
		}
		return c.Do(r)
	}
	preflight := func(r *http.Request) {
		r.Header.Del("Authorization")
		r.Header.Set("Access-Control-Request-Method", "POST")
		r.Header.Set("Access-Control-Request-Headers", "authorization,content-type,mcp-protocol-version")
		r.Body, r.ContentLength = http.NoBody, 0
	}
	for name, test := range map[string]struct {
		answer wiretest.Answer
		status int
		admits bool
	}{
		"the question": {answer: ask(page, "OPTIONS", "/mcp", preflight), status: 204, admits: true},
		"a call":       {answer: ask(page, "POST", "/mcp", nil), status: 200, admits: true},
		"a call without token": {
			answer: ask(page, "POST", "/mcp", func(r *http.Request) { r.Header.Del("Authorization") }), status: 401, admits: true,
		},
		"the metadata":          {answer: ask(page, "GET", "/.well-known/oauth-protected-resource/mcp", nil), status: 200, admits: true},
		"another's question":    {answer: ask("https://evil.example", "OPTIONS", "/mcp", preflight), status: 403},
		"another's call":        {answer: ask("https://evil.example", "POST", "/mcp", nil), status: 403},
		"nobody's question":     {answer: ask("null", "OPTIONS", "/mcp", preflight), status: 403},
		"one that begins alike": {answer: ask(page+".evil.example", "OPTIONS", "/mcp", preflight), status: 403},
		"under a rebound host": {answer: ask(page, "OPTIONS", "/mcp", func(r *http.Request) {
			preflight(r)
			r.Host = "evil.example"
		}), status: 403, admits: false},
		"no question": {answer: ask(page, "OPTIONS", "/mcp", nil), status: 405, admits: true},
	} {
		h := test.answer.Header
		allowed := h.Get("Access-Control-Allow-Origin")
		if test.answer.Status != test.status || (allowed == page) != test.admits || !test.admits && allowed != "" || h.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: %d %v", name, test.answer.Status, h)
		}
		if test.admits && !slices.Contains(h.Values("Vary"), "Origin") {
			t.Errorf("%s: a cache would show the answer to other pages: %v", name, h)
		}
		switch {
		case test.status == 204:
			if headers := strings.ToLower(h.Get("Access-Control-Allow-Headers")); !strings.Contains(headers, "authorization") || !strings.Contains(headers, "mcp-protocol-version") || !strings.Contains(h.Get("Access-Control-Allow-Methods"), "POST") {
				t.Errorf("%s: %v", name, h)
			}
		case test.admits && !strings.Contains(h.Get("Access-Control-Expose-Headers"), "WWW-Authenticate"):
			t.Errorf("%s: the page cannot see where to sign in: %v", name, h)
		}
	}
}
