package server

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// impatientWriter remembers that a deadline for reading was set.
type impatientWriter struct {
	*httptest.ResponseRecorder
	hurried bool
}

// SetReadDeadline is what http.ResponseController looks for.
func (w *impatientWriter) SetReadDeadline(time.Time) error {
	w.hurried = true
	return nil
}

// Over HTTP/2 a deadline that has passed ends the body for good, and finding out
// who calls may take longer than a body is waited for that nobody reads.
func TestUnreadBodyDeadlineIsHTTP1Only(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		major int
		body  string
		want  bool
	}{"HTTP/1": {major: 1, body: "{}", want: true}, "HTTP/2": {major: 2, body: "{}"}, "no body": {major: 1}} {
		r := httptest.NewRequest(http.MethodPost, "/mcp", strings.NewReader(test.body))
		r.ProtoMajor = test.major
		w := &impatientWriter{ResponseRecorder: httptest.NewRecorder()}
		impatient(http.NotFoundHandler()).ServeHTTP(w, r)
		if w.hurried != test.want {
			t.Errorf("%s: %v", name, w.hurried)
		}
	}
}
