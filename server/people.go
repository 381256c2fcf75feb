package server

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"mcp-partner/access"
)

const (
	// maxPageBody is the largest form or registration in bytes.
	maxPageBody = 64 << 10
	// pageLimit bounds a request for a page, which may ask an issuer meanwhile.
	pageLimit = time.Minute
)

// isPage reports whether Pages answers at a path.
func (o *HTTPOptions) isPage(path string) bool {
	return o.Pages != nil && slices.ContainsFunc(o.PagePaths, func(at string) bool {
		return path == at || strings.HasSuffix(at, "/") && strings.HasPrefix(path, at)
	})
}

// servePage hands a request to the pages, which know a person by a session and never
// by a bearer. They have places of their own, three of four for one address, so
// that neither agents nor one browser keep everybody else from signing in.
func (t *httpTransport) servePage(w http.ResponseWriter, r *http.Request) *refusal {
	if refused := firstError(r, t.checkHost, checkContentEncoding, t.checkLength); refused != nil {
		return refused
	}
	address := access.Caller(hostName(r.RemoteAddr))
	if !t.pages.take(address, 1) {
		return overloaded()
	}
	defer t.pages.give(address, 1)
	if !hasBasic(r.Header) {
		r.Header.Del("Authorization")
	}
	control := http.NewResponseController(w)
	if r.ContentLength != 0 { // without a body the deadline would end the call
		_ = control.SetReadDeadline(time.Now().Add(t.opts.BodyLimit)) // in-memory writers have none
		r.Body = http.MaxBytesReader(w, r.Body, min(maxPageBody, t.opts.MaxBody))
	}
	_ = control.SetWriteDeadline(time.Now().Add(pageLimit))
	t.opts.Pages.ServeHTTP(w, r)
	return nil
}

// hasBasic reports whether a client shows its own secret, as it may for a token.
func hasBasic(h http.Header) bool {
	values := h.Values("Authorization")
	return len(values) == 1 && len(values[0]) > 6 && strings.EqualFold(values[0][:6], "Basic ")
}
