package armclient

import (
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"

	azlog "github.com/Azure/azure-sdk-for-go/sdk/azcore/log"

	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

// seenRequest is a request as a real server read it from the socket.
type seenRequest struct {
	method, uri, length, userAgent, accept, contentType string
	chunked                                             bool
	body                                                int
}

// loopback is a TLS server with the production HTTP client in front of it.
type loopback struct {
	server *httptest.Server
	mu     sync.Mutex
	seen   []seenRequest
}

func (l *loopback) requests() []seenRequest {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]seenRequest(nil), l.seen...)
}

func startLoopback(t *testing.T, http2 bool, handler http.HandlerFunc) *loopback {
	t.Helper()
	l := &loopback{}
	l.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		l.mu.Lock()
		l.seen = append(l.seen, seenRequest{r.Method, r.RequestURI, r.Header.Get("Content-Length"), r.UserAgent(), r.Header.Get("Accept"),
			r.Header.Get("Content-Type"), len(r.TransferEncoding) > 0, len(body)})
		l.mu.Unlock()
		handler(w, r)
	}))
	l.server.EnableHTTP2 = http2
	l.server.StartTLS()
	t.Cleanup(l.server.Close)
	return l
}

func (l *loopback) client(t *testing.T) *Client {
	t.Helper()
	o := testOptions(production(t, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: l.server.Certificate().Raw})))
	o.Endpoint = l.server.URL
	return newClient(t, withToken(goodToken()), o)
}

func serveLink(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = io.WriteString(w, linkBody(partner1, 1, "Active"))
}

// The wire contract: api-version always, no body, Content-Length: 0 for PUT.
func TestRequestsOnTheWire(t *testing.T) {
	t.Parallel()
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := startLoopback(t, http2, serveLink)
			c := l.client(t)
			c.Link(t.Context())
			c.Partner(t.Context(), partner1)
			for _, kind := range []string{http.MethodPut, http.MethodPatch, http.MethodDelete} {
				change := Change{kind, partner1, linkedTo(partner1, 0)}
				if got := c.Apply(t.Context(), permit(t, change), change); !permitWasUsed(got) {
					t.Fatalf("%s: %+v", kind, got.Problem)
				}
			}
			checkRequests(t, l.requests())
		})
	}
}

func permitWasUsed(o Outcome) bool { return o.After.Link.State == answers.LinkLinked }

func checkRequests(t *testing.T, seen []seenRequest) {
	t.Helper()
	const partners, one = "/providers/Microsoft.ManagementPartner/partners?api-version=2018-02-01", "/providers/Microsoft.ManagementPartner/partners/1234567?api-version=2018-02-01"
	want := []string{"GET " + partners, "GET " + one, "PUT " + one, "GET " + partners, "PATCH " + one, "GET " + partners, "DELETE " + one, "GET " + partners}
	var got []string
	for _, s := range seen {
		got = append(got, s.method+" "+s.uri)
		if needsLength := s.method == http.MethodPut || s.method == http.MethodPatch; needsLength && s.length != "0" {
			t.Errorf("%s with Content-Length %q", s.method, s.length)
		}
		if s.body != 0 || s.chunked || s.contentType != "" || s.accept != "application/json" || !strings.HasPrefix(s.userAgent, "mcp-partner azsdk-go-armclient/") {
			t.Errorf("%+v", s)
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("sent %q, want %q", got, want)
	}
}

// A redirect to any host must not receive the token, whatever the policy of the
// HTTP client is.
func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	for _, code := range []int{301, 302, 303, 307, 308} {
		elsewhere := startLoopback(t, false, serveLink)
		l := startLoopback(t, false, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.server.URL+r.RequestURI, code)
		})
		following := l.client(t).options.Transport.(*http.Client)
		following.CheckRedirect = nil
		o := testOptions(following)
		o.Endpoint = l.server.URL
		c := newClient(t, withToken(goodToken()), o)
		if read := c.Link(t.Context()); codeOfProblem(read.Problem) != problems.CodeUnexpectedResponse {
			t.Errorf("%d: %+v", code, read)
		}
		change := Change{http.MethodPatch, partner1, linkedTo(partner2, 1)}
		if got := c.Apply(t.Context(), permit(t, change), change); got.Applied != AppliedUnknown {
			t.Errorf("%d: %+v", code, got)
		}
		if n := len(elsewhere.requests()); n != 0 {
			t.Errorf("%d: %d requests went elsewhere", code, n)
		}
	}
}

// A transport of another type may follow redirects by itself; its answer is not
// used then.
func TestAnswersForAnotherURLAreNotUsed(t *testing.T) {
	t.Parallel()
	w := transportFunc(func(r *http.Request) (*http.Response, error) {
		moved := r.Clone(r.Context())
		moved.URL.Host = "elsewhere.test"
		return notFound().response(moved), nil
	})
	read := newClient(t, withToken(goodToken()), testOptions(w)).Link(t.Context())
	if codeOfProblem(read.Problem) != problems.CodeUnexpectedResponse {
		t.Errorf("%+v", read)
	}
}

type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) Do(r *http.Request) (*http.Response, error) { return f(r) }

func TestBrokenConnections(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		want    problems.Code
	}{
		"no answer": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, problems.CodeNetwork},
		"half a body": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "500")
			_, _ = io.WriteString(w, linkBody(partner1, 1, "Active")[:100])
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, problems.CodeUnexpectedResponse},
		"endless body": {func(w http.ResponseWriter, _ *http.Request) {
			for range 3 {
				_, _ = w.Write(make([]byte, maxBody))
			}
		}, problems.CodeUnexpectedResponse},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := startLoopback(t, false, test.handler)
			l.server.Config.ErrorLog = nil
			if read := l.client(t).Link(t.Context()); codeOfProblem(read.Problem) != test.want || read.Link.State != answers.LinkUnknown {
				t.Errorf("%+v", read.Problem)
			}
		})
	}
}

// A connection that breaks after the write was carried out.
func TestLostAnswerOnTheWire(t *testing.T) {
	t.Parallel()
	var written bool
	var mu sync.Mutex
	l := startLoopback(t, false, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if r.Method == http.MethodPut {
			written = true
			panic(http.ErrAbortHandler)
		}
		if written {
			serveLink(w, r)
		}
	})
	change := Change{http.MethodPut, partner1, absent()}
	got := l.client(t).Apply(t.Context(), permit(t, change), change)
	if got.Applied != AppliedYes || got.Problem != nil {
		t.Errorf("%+v", got)
	}
	if puts := strings.Count(methods(l.requests()), "PUT"); puts != 1 {
		t.Errorf("%d PUTs", puts)
	}
}

func methods(seen []seenRequest) string {
	var all []string
	for _, s := range seen {
		all = append(all, s.method)
	}
	return strings.Join(all, " ")
}

func TestUnreachableAndUntrusted(t *testing.T) {
	t.Parallel()
	l := startLoopback(t, false, serveLink)
	o := testOptions(production(t, nil))
	o.Endpoint = l.server.URL
	if read := newClient(t, withToken(goodToken()), o).Link(t.Context()); codeOfProblem(read.Problem) != problems.CodeNetwork || len(l.requests()) != 0 ||
		read.Problem.Message != l.server.Listener.Addr().String()+" shows a certificate that is not trusted." {
		t.Errorf("untrusted: %+v", read.Problem)
	}
	c := l.client(t)
	l.server.Close()
	// Nothing can have left, so there is nothing to doubt.
	change := Change{http.MethodPut, partner1, absent()}
	if got := c.Apply(t.Context(), permit(t, change), change); got.Applied != AppliedNo || codeOfProblem(got.Problem) != problems.CodeNetwork {
		t.Errorf("unreachable write: %+v", got)
	}
	if read := c.Link(t.Context()); codeOfProblem(read.Problem) != problems.CodeNetwork || read.Problem.Message != l.server.Listener.Addr().String()+" refuses the connection." {
		t.Errorf("unreachable: %+v", read.Problem)
	}
}

// All that this package gives out, printed in every way, holds neither the
// token nor a body. Not parallel: azcore has one log for the process.
func TestOutputHoldsNoTokenOrBody(t *testing.T) {
	const canary = "CANARY"
	var mu sync.Mutex
	var logged strings.Builder
	azlog.SetListener(func(_ azlog.Event, text string) {
		mu.Lock()
		defer mu.Unlock()
		logged.WriteString(text)
	})
	defer azlog.SetListener(nil)
	token := jwt(map[string]any{"tid": tenantID, "oid": objectID, "canary": canary})
	change := Change{http.MethodPatch, partner1, linkedTo(partner2, 1)}
	var all strings.Builder
	for _, answer := range []reply{
		ok(`{"` + canary + `":1}`), ok(canary), {status: 404, body: canary}, {status: 500, body: `{"error":{"code":"X","` + canary + `":"m"}}`},
		{err: errors.New("BROKEN")}, {status: 200, body: canary, cut: true},
	} {
		c := newClient(t, withToken(token), testOptions(replying(answer)))
		read, outcome := c.Link(t.Context()), c.Apply(t.Context(), permit(t, change), change)
		_, _, err := c.Operations(t.Context())
		text, _ := json.Marshal([]any{read, outcome, err})
		fmt.Fprintf(&all, "%s %+v %+v %v %v %v\n", text, read, outcome, err, read.Problem, outcome.Problem)
	}
	mu.Lock()
	defer mu.Unlock()
	secret := strings.Split(token, ".")[1]
	if strings.Contains(all.String(), "BROKEN") {
		t.Error("answers hold the text of an error of the transport")
	}
	for name, text := range map[string]string{"answers": all.String(), "log": logged.String()} {
		if strings.Contains(text, secret) || strings.Contains(text, canary) {
			t.Errorf("%s hold the token or a body", name)
		}
	}
	if logged.Len() == 0 {
		t.Error("nothing was logged: the test proves nothing")
	}
}
