package armclient

import (
	"fmt"
	"strings"
	"testing"
)

// An observer receives each request and its answer, and never the token.
func TestObserveShowsNoToken(t *testing.T) {
	t.Parallel()
	token := goodToken()
	w := replying(
		reply{status: 503, body: `{"error":{"code":"Busy","message":"again"}}`},
		reply{status: 404, body: `{"code":"NotFound","message":"you sent Bearer ` + token + `"}`, header: map[string]string{"X-Debug": token, "Set-Cookie": "a=b", "Retry-After": "1"}},
	)
	o := testOptions(w)
	var seen []Exchange
	o.Observe = func(x Exchange) { seen = append(seen, x) }
	newClient(t, withToken(token), o).Link(t.Context())
	if len(seen) != 2 || seen[0].Status != 503 || seen[1].Status != 404 || !seen[1].Echoed || seen[1].Header.Get("Retry-After") != "1" {
		t.Fatalf("%+v", seen)
	}
	if text := fmt.Sprintf("%+v %s", seen, seen[1].Body); strings.Contains(text, token[:piece]) || strings.Contains(text, "a=b") || strings.Contains(text, "X-Debug") {
		t.Errorf("the token, or a header that nobody asked for: %s", text)
	}
	if seen[1].Sent != 0 || seen[1].Method != "GET" || !strings.HasSuffix(seen[1].URL, "/partners?api-version=2018-02-01") {
		t.Errorf("%+v", seen[1])
	}
}

// A request that got no answer is seen as well, with status 0.
func TestObserveSeesLostAnswers(t *testing.T) {
	t.Parallel()
	o := testOptions(replying(broken()))
	var seen []Exchange
	o.Observe = func(x Exchange) { seen = append(seen, x) }
	newClient(t, withToken(goodToken()), o).Link(t.Context())
	if len(seen) == 0 || seen[0].Status != 0 || seen[0].Body != nil {
		t.Errorf("%+v", seen)
	}
}

// The probe takes whatever segment it is given, as one segment, and only reads.
func TestProbe(t *testing.T) {
	t.Parallel()
	w := replying(notFound())
	client := testClient(t, w)
	for segment, want := range map[string]string{"abc": "/partners/abc?", "../x": "/partners/..%2Fx?", "a?b#c": "/partners/a%3Fb%23c?"} {
		if err := client.Probe(t.Context(), segment, ""); err == nil {
			t.Errorf("%s: no error for a 404", segment)
		}
		all := w.all()
		if last := all[len(all)-1]; last.method != "GET" || !strings.Contains(last.url, want+"api-version=2018-02-01") {
			t.Errorf("%s: %+v", segment, last)
		}
	}
}
