package server_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"mcp-partner/internal/wiretest"
)

// shownPages tells what reached it.
func shownPages(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	_, _ = fmt.Fprintf(w, "%s %s auth=%q cookie=%q body=%d", r.Method, r.URL.Path, r.Header.Values("Authorization"), r.Header.Get("Cookie"), len(body))
}

func startPages(t *testing.T, pages http.HandlerFunc) *httpServer {
	t.Helper()
	o := httpOptions()
	o.Pages, o.PagePaths, o.MaxConcurrent = pages, []string{"/", "/signin", "/oauth/"}, 4
	return serveHTTP(t, newServer(newFixtures(), nil), o, "")
}

func TestPagesGetSessionsAndNoBearer(t *testing.T) {
	t.Parallel()
	c := startPages(t, shownPages)
	for _, test := range []struct {
		name, method, path, host string
		authorization            []string
		encoding                 string
		body                     int
		status                   int
		want                     string
	}{
		{name: "a page", method: "GET", path: "/signin", status: 200, want: `GET /signin auth=[] cookie="s=1"`},
		{name: "the address alone", method: "GET", path: "/", status: 200, want: `GET / auth=[] cookie="s=1"`},
		{name: "below a folder", method: "POST", path: "/oauth/token", body: 10, status: 200, want: `POST /oauth/token auth=[] cookie="s=1" body=10`},
		{name: "a bearer", method: "GET", path: "/signin", authorization: []string{"Bearer " + goodToken}, status: 200, want: `auth=[]`},
		{name: "a client's secret", method: "POST", path: "/oauth/token", authorization: []string{"basic eDp5"}, status: 200, want: `auth=["basic eDp5"]`},
		{name: "two secrets", method: "POST", path: "/oauth/token", authorization: []string{"Basic eDp5", "Basic eDp6"}, status: 200, want: `auth=[]`},
		{name: "another host", method: "GET", path: "/signin", host: "rebound.example", status: 403},
		{name: "compressed", method: "POST", path: "/oauth/token", encoding: "gzip", status: 415},
		{name: "too large for a form", method: "POST", path: "/oauth/token", body: 65 << 10, status: 413},
		{name: "too large for all", method: "POST", path: "/oauth/token", body: 300 << 10, status: 413},
		{name: "no page", method: "GET", path: "/signin/", status: 404},
		{name: "a path in disguise", method: "GET", path: "/%73ignin", status: 404},
	} {
		r, err := http.NewRequestWithContext(t.Context(), test.method, "http://"+c.Addr+test.path, strings.NewReader(strings.Repeat("x", test.body)))
		if err != nil {
			t.Fatal(err)
		}
		r.Host = test.host
		r.Header.Set("Cookie", "s=1")
		r.Header["Authorization"] = test.authorization
		if test.encoding != "" {
			r.Header.Set("Content-Encoding", test.encoding)
		}
		if answer := c.Do(r); answer.Status != test.status || !strings.Contains(string(answer.Body), test.want) {
			t.Errorf("%s: %d %s", test.name, answer.Status, answer.Body)
		}
	}
}

// A signed-in browser is nobody to MCP.
func TestCookieIsNoBearer(t *testing.T) {
	t.Parallel()
	c := startPages(t, shownPages)
	r := c.NewRequest(wiretest.Modern.Call(1, "echo", nil))
	r.Header.Set("Cookie", "__Host-session="+goodToken)
	if answer := c.Do(r); answer.Status != 401 {
		t.Errorf("a cookie alone: %d %s", answer.Status, answer.Body)
	}
	r = c.NewRequest(wiretest.Modern.Call(1, "echo", nil))
	r.Header.Set("Authorization", "Bearer "+goodToken)
	if answer := c.Do(r); answer.Status != 200 {
		t.Errorf("a bearer: %d %s", answer.Status, answer.Body)
	}
}

// Pages that hang take no place of a call, and one address not all of theirs.
func TestPagesHavePlacesOfTheirOwn(t *testing.T) {
	t.Parallel()
	hold, here := make(chan struct{}), make(chan struct{})
	c := startPages(t, func(http.ResponseWriter, *http.Request) {
		here <- struct{}{}
		<-hold
	})
	var asked sync.WaitGroup
	for range 3 {
		asked.Go(func() { get(t, c, "/signin") })
		<-here
	}
	if answer := get(t, c, "/signin"); answer.Status != 503 || answer.Header.Get("Retry-After") == "" {
		t.Errorf("one address takes a fourth place of four: %d", answer.Status)
	}
	c.Bearer = goodToken
	if answer := c.Post(wiretest.Modern.Call(1, "echo", nil)); answer.Status != 200 {
		t.Errorf("a call meanwhile: %d", answer.Status)
	}
	close(hold)
	asked.Wait()
}
