package server_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"mcp-partner/access"
	"mcp-partner/internal/testkit"
	"mcp-partner/internal/wiretest"
	"mcp-partner/server"
)

func TestHTTPManyCallsAtOnce(t *testing.T) {
	t.Parallel()
	testkit.SkipShort(t, testkit.Load)
	overEachHTTP(t, func(t *testing.T, start starter) {
		for _, era := range wiretest.Eras() {
			for _, tool := range []string{"notify", "classic"} {
				t.Run(string(era)+"/"+tool, func(t *testing.T) {
					t.Parallel()
					manyCalls(t, start(t, newServer(newFixtures(), nil), httpOptions(), goodToken), era, tool)
				})
			}
		}
	})
}

// manyCalls has 300 clients that all use the same request ID, told apart by
// their progress tokens.
func manyCalls(t *testing.T, c *httpServer, era wiretest.Era, tool string) {
	t.Helper()
	const calls = 300
	failures := make(chan error, calls)
	for i := range calls {
		request := c.NewRequest(era.Request(1, "tools/call", wiretest.Object{
			"name": tool, "arguments": wiretest.Object{"text": i}, "_meta": wiretest.Object{"progressToken": fmt.Sprint(i)},
		}, nil))
		go func() {
			answer, err := c.Try(request)
			if err == nil {
				err = ownStream(t, answer, fmt.Sprint(i))
			}
			failures <- err
		}()
	}
	for range calls {
		if err := <-failures; err != nil {
			t.Error(err)
		}
	}
}

// ownStream wants three notifications with the call's token and its answer.
func ownStream(t *testing.T, answer wiretest.Answer, token string) error {
	replies := answer.Replies(t)
	if len(replies) != 4 {
		return fmt.Errorf("call %s got %d messages: %s", token, len(replies), answer.Body)
	}
	for i, reply := range replies[:3] {
		if reply.Param("progressToken") != token || reply.Param("progress") != float64(i+1) {
			return fmt.Errorf("call %s got %s", token, reply.Raw)
		}
	}
	if resultText(replies[3]) != token {
		return fmt.Errorf("call %s was answered %s", token, replies[3].Raw)
	}
	return nil
}

func TestHTTPHostileRequests(t *testing.T) {
	t.Parallel()
	overEachHTTP(t, hostileRequests)
}

func hostileRequests(t *testing.T, start starter) {
	o := httpOptions()
	o.Origins = []string{"https://app.example"}
	log := &logBook{}
	c := start(t, newServer(newFixtures(), log), o, goodToken)
	_, port, _ := net.SplitHostPort(c.Addr)
	set := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	method := func(name string) func(*http.Request) { return func(r *http.Request) { r.Method = name } }
	body := func(text string) func(*http.Request) {
		return func(r *http.Request) {
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
		}
	}
	big := `{"jsonrpc":"2.0","id":1,"method":"` + strings.Repeat("a", 256<<10) + `"}`
	for _, test := range []struct {
		name   string
		change func(*http.Request)
		status int
		header string
		says   string
	}{
		{name: "as it should be", change: func(*http.Request) {}, status: 200, says: `"fine"`},
		{name: "Host localhost", change: func(r *http.Request) { r.Host = "LOCALHOST:" + port }, status: 200, says: "fine"},
		{name: "own Origin", change: set("Origin", c.Base), status: 200, says: "fine"},
		{name: "allowed Origin", change: set("Origin", "https://app.example"), status: 200, says: "fine"},
		{name: "foreign Origin", change: set("Origin", "https://evil.example"), status: 403, says: "Origin"},
		{name: "null Origin", change: set("Origin", "null"), status: 403, says: "Origin"},
		{
			name: "two Origins", change: func(r *http.Request) { r.Header["Origin"] = []string{c.Base, "https://evil.example"} },
			status: 403, says: "Origin",
		},
		{name: "the own Origin twice", change: func(r *http.Request) { r.Header["Origin"] = []string{c.Base, c.Base} }, status: 403, says: "Origin"},
		{name: "an empty Origin", change: func(r *http.Request) { r.Header["Origin"] = []string{""} }, status: 403, says: "Origin"},
		{name: "own host, another scheme", change: set("Origin", "ftp://"+c.Addr), status: 403, says: "Origin"},
		{name: "own host, an extension", change: set("Origin", "chrome-extension://"+c.Addr), status: 403, says: "Origin"},
		{name: "own host, no scheme", change: set("Origin", "//"+c.Addr), status: 403, says: "Origin"},
		{name: "own host, a user", change: set("Origin", strings.Replace(c.Base, "://", "://user@", 1)), status: 403, says: "Origin"},
		{name: "own host, a password", change: set("Origin", strings.Replace(c.Base, "://", "://evil.example:x@", 1)), status: 403, says: "Origin"},
		{name: "own host, a path", change: set("Origin", c.Base+"/"), status: 403, says: "Origin"},
		{name: "own host, a query", change: set("Origin", c.Base+"?x"), status: 403, says: "Origin"},
		{name: "own host, capitals", change: set("Origin", strings.ToUpper(c.Base)), status: 403, says: "Origin"},
		{
			name: "Content-Encoding of a plain body", change: set("Content-Encoding", "gzip"), status: 415,
			header: "Accept-Encoding: identity", says: "Content-Encoding",
		},
		{
			name: "a second Content-Encoding", change: func(r *http.Request) { r.Header["Content-Encoding"] = []string{"identity", "br"} },
			status: 415, says: "Content-Encoding",
		},
		{name: "Content-Encoding that is none", change: set("Content-Encoding", "identity"), status: 200, says: "fine"},
		{name: "Origin of another port", change: set("Origin", "http://127.0.0.1:1"), status: 403, says: "Origin"},
		{name: "cross-site", change: set("Sec-Fetch-Site", "cross-site"), status: 403, says: "Origin"},
		{name: "foreign Origin that claims to be the same", change: func(r *http.Request) {
			r.Header.Set("Origin", "https://evil.example")
			r.Header.Set("Sec-Fetch-Site", "same-origin")
		}, status: 403, header: "", says: "Origin"},
		{name: "rebound Host", change: func(r *http.Request) { r.Host = "evil.example:" + port }, status: 403, says: "Host"},
		{
			name: "Host with a name behind its port", change: func(r *http.Request) { r.Host = "localhost:" + port + ",evil.example" },
			status: 403, says: "Host",
		},
		{name: "Host that begins like ours", change: func(r *http.Request) { r.Host = "localhost.evil.example" }, status: 403, says: "Host"},
		{
			name: "no bearer", change: func(r *http.Request) { r.Header.Del("Authorization") }, status: 401,
			header: `Www-Authenticate: Bearer realm="mcp"`, says: "Authorization",
		},
		{name: "wrong bearer", change: set("Authorization", "Bearer wrong"), status: 401, header: "Www-Authenticate: Bearer", says: "not valid"},
		{name: "empty bearer", change: set("Authorization", "Bearer "), status: 401, header: "Www-Authenticate: Bearer", says: "Authorization"},
		{name: "basic", change: set("Authorization", "Basic eDp5"), status: 401, header: "Www-Authenticate: Bearer", says: "Authorization"},
		{
			name: "two bearers", change: func(r *http.Request) { r.Header.Add("Authorization", "Bearer "+goodToken) }, status: 401,
			header: "Www-Authenticate: Bearer", says: "Authorization",
		},
		{name: "bearer in the query", change: func(r *http.Request) {
			r.Header.Del("Authorization")
			r.URL.RawQuery = "access_token=" + goodToken
		}, status: 401, header: "Www-Authenticate: Bearer", says: ""},
		{name: "GET", change: method("GET"), status: 405, header: "Allow: POST", says: "POST"},
		{name: "PUT", change: method("PUT"), status: 405, header: "Allow: POST", says: "POST"},
		{name: "DELETE", change: method("DELETE"), status: 405, header: "Allow: POST", says: "POST"},
		{name: "OPTIONS", change: method("OPTIONS"), status: 405, header: "Allow: POST", says: "POST"},
		{name: "HEAD", change: method("HEAD"), status: 405, header: "Allow: POST"},
		{name: "no content type", change: func(r *http.Request) { r.Header.Del("Content-Type") }, status: 415, says: "application/json"},
		{name: "text/plain", change: set("Content-Type", "text/plain"), status: 415, says: "application/json"},
		{
			name:   "two content types",
			change: func(r *http.Request) { r.Header["Content-Type"] = []string{"application/json", "text/plain"} }, status: 415,
			says: "application/json",
		},
		{name: "form", change: set("Content-Type", "application/x-www-form-urlencoded"), status: 415, says: "application/json"},
		{name: "UTF-16", change: set("Content-Type", "application/json; charset=utf-16"), status: 415, says: "UTF-8"},
		{name: "UTF-8", change: set("Content-Type", "application/json; charset=UTF-8"), status: 200, says: "fine"},
		{name: "Accept HTML", change: set("Accept", "text/html"), status: 406, says: "Accept"},
		{name: "Accept JSON alone", change: set("Accept", "application/json"), status: 200, header: "Content-Type: application/json", says: "fine"},
		{name: "Accept a group alone", change: set("Accept", "application/*"), status: 200, header: "Content-Type: application/json", says: "fine"},
		{
			name: "Accept a stream alone", change: set("Accept", "text/event-stream"), status: 200,
			header: "Content-Type: text/event-stream", says: "fine",
		},
		{name: "Accept text of any kind", change: set("Accept", "text/*"), status: 200, header: "Content-Type: text/event-stream", says: "fine"},
		{
			name: "Accept but not SSE", change: set("Accept", "*/*, text/event-stream;q=0.0"), status: 200,
			header: "Content-Type: application/json", says: "fine",
		},
		{
			name: "Accept but not JSON", change: set("Accept", "application/json;q=0, */*"), status: 200,
			header: "Content-Type: text/event-stream", says: "fine",
		},
		{name: "Accept nothing", change: set("Accept", "*/*;q=0"), status: 406, says: "Accept"},
		{name: "Accept with a broken quality", change: set("Accept", "application/json;q=x"), status: 406, says: "Accept"},
		{name: "Accept anything", change: set("Accept", "*/*"), status: 200, says: "fine"},
		{name: "no Accept", change: func(r *http.Request) { r.Header.Del("Accept") }, status: 200, says: "fine"},
		{name: "big body", change: body(big), status: 413, says: "262144 bytes"},
		{name: "big chunked body", change: func(r *http.Request) { body(big)(r); r.ContentLength = -1 }, status: 413, says: "262144 bytes"},
		{
			name: "byte order mark", change: body("\ufeff" + wiretest.Legacy.Call(1, "echo", wiretest.Object{"text": "fine"})), status: 200,
			says: "fine",
		},
		{name: "two byte order marks", change: body("\ufeff\ufeff{}"), status: 400, says: "not valid JSON"},
		{name: "batch", change: body(`[{"jsonrpc":"2.0","id":1,"method":"ping"}]`), status: 400, says: "Batches are not accepted"},
		{name: "garbage", change: body("hello"), status: 400, says: "not valid JSON"},
		{name: "empty body", change: body(""), status: 400, says: "not valid JSON"},
		{name: "invalid UTF-8", change: body("{\"\xff\"}"), status: 400, says: "UTF-8"},
		{name: "null id", change: body(`{"jsonrpc":"2.0","id":null,"method":"ping"}`), status: 400, says: `\"id\" must be`},
		{name: "unknown revision", change: set("Mcp-Protocol-Version", "1999-01-01"), status: 400, says: "1999-01-01"},
		{name: "another path", change: func(r *http.Request) { r.URL.Path = "/" }, status: 404, says: "/mcp"},
		{name: "path with a slash", change: func(r *http.Request) { r.URL.Path = "/mcp/" }, status: 200, says: "fine"},
		{name: "path with two slashes", change: func(r *http.Request) { r.URL.Path = "/mcp//" }, status: 404, says: "/mcp"},
		{
			name: "path with a slash, escaped", change: func(r *http.Request) { r.URL.Path, r.URL.RawPath = "/mcp/", "/mcp%2F" },
			status: 404, says: "/mcp",
		},
		{name: "path below", change: func(r *http.Request) { r.URL.Path = "/mcp/x" }, status: 404, says: "/mcp"},
		{name: "SSE of old", change: func(r *http.Request) { r.URL.Path = "/sse" }, status: 404, says: "/mcp"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := c.NewRequest(wiretest.Legacy.Call(1, "echo", wiretest.Object{"text": "fine"}))
			test.change(r)
			answer := c.Do(r)
			name, value, _ := strings.Cut(test.header, ": ")
			if answer.Status != test.status || !strings.Contains(string(answer.Body), test.says) ||
				!strings.HasPrefix(answer.Header.Get(name), value) {
				t.Errorf("got %d %v %s", answer.Status, answer.Header, answer.Body)
			}
			if test.name != "allowed Origin" && answer.Header.Get("Access-Control-Allow-Origin") != "" || strings.Contains(string(answer.Body), "token\":") {
				t.Errorf("lets too much out: %v %s", answer.Header, answer.Body)
			}
		})
	}
	if strings.Contains(log.String(), goodToken) || strings.Contains(log.String(), "wrong") {
		t.Errorf("a token was logged: %s", log)
	}
}

func TestHTTPWithoutVerifierRefusesEveryCaller(t *testing.T) {
	t.Parallel()
	c := serveHTTP(t, newServer(newFixtures(), nil), server.HTTPOptions{}, "")
	if got := c.Post(wiretest.Legacy.Call(1, "echo", nil)).Status; got != 401 {
		t.Errorf("got %d", got)
	}
	open := serveHTTP(t, newServer(newFixtures(), nil), server.HTTPOptions{Anonymous: access.Principal{Caller: "anybody"}}, "")
	if got := resultText(open.Post(wiretest.Legacy.Call(1, "whoami", nil)).Last(t)); !strings.HasPrefix(got, "anybody ") {
		t.Errorf("got %q", got)
	}
}

func TestHTTPHandlersSeeTheCallerAndNoCredential(t *testing.T) {
	t.Parallel()
	c := startHTTP(t, newFixtures())
	c.Bearer = goodToken + "-two"
	r := c.NewRequest(wiretest.Modern.Call(1, "whoami", nil))
	for _, name := range []string{"Cookie", "X-Api-Key", "X-Forwarded-For", "Mcp-Session-Id", "Proxy-Authorization"} {
		r.Header.Set(name, hidden)
	}
	if got := resultText(c.Do(r).Last(t)); got != "tester-two map[]" {
		t.Errorf("more than the caller reaches the handler: %q", got)
	}
	stdio := startStdio(t, newFixtures())
	if got := resultText(stdio.Ask(wiretest.Modern.Call(1, "whoami", nil))); !strings.HasPrefix(got, "tester ") {
		t.Errorf("stdio: got %q", got)
	}
}

func TestHTTPCancelOfAnotherCallerIsDropped(t *testing.T) {
	t.Parallel()
	overEachHTTP(t, func(t *testing.T, start starter) {
		for _, era := range wiretest.Eras() {
			f := newFixtures()
			c := start(t, newServer(f, nil), httpOptions(), goodToken)
			answered := make(chan wiretest.Answer, 1)
			request := c.NewRequest(era.Call(1, "block", wiretest.Object{"text": "survivor"}))
			go func() {
				answer, _ := c.Try(request)
				answered <- answer
			}()
			<-f.started
			for _, cancel := range wiretest.Eras() {
				if got := c.Post(cancel.Notification("notifications/cancelled", wiretest.Object{"requestId": 1})); got.Status != 202 {
					t.Errorf("cancel was answered %d %s", got.Status, got.Body)
				}
			}
			close(f.release)
			wantText(t, (<-answered).Last(t), "survivor")
		}
	})
}

func TestHTTPHangingUpCancels(t *testing.T) {
	t.Parallel()
	f := newFixtures()
	c := startHTTP(t, f)
	conn, err := net.Dial("tcp", c.Addr)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.NewRequest(wiretest.Modern.Call(1, "block", nil)).Write(conn); err != nil {
		t.Fatal(err)
	}
	<-f.started
	_ = conn.Close()
	if err := <-f.finished; err == nil {
		t.Error("the call went on")
	}
}

func TestHTTPNotificationsAndStrayResponses(t *testing.T) {
	t.Parallel()
	c := startHTTP(t, newFixtures())
	for message, want := range map[string]int{
		wiretest.Legacy.Notification("notifications/initialized", nil): 202,
		wiretest.Modern.Notification("notifications/unheard-of", nil):  202,
		`{"jsonrpc":"2.0","id":1,"result":{"action":"accept"}}`:        202,
		`{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"}}`:    202,
	} {
		if got := c.Post(message); got.Status != want || len(got.Body) != 0 {
			t.Errorf("%s: got %d %s", message, got.Status, got.Body)
		}
	}
}

func TestHTTPModernErrorsHaveTheirStatus(t *testing.T) {
	t.Parallel()
	c := startHTTP(t, newFixtures())
	for method, want := range map[string]int{"ping": 404, "no/such": 404, "prompts/get": 400, "tools/list": 200} {
		if got := c.Post(wiretest.Modern.Request(1, method, nil, nil)); got.Status != want {
			t.Errorf("%s: got %d %s", method, got.Status, got.Body)
		}
	}
	incapable := c.Post(wiretest.Modern.Call(1, "sampler", nil))
	if incapable.Status != 400 || incapable.Last(t).Code() != -32021 || !strings.Contains(string(incapable.Body), `"data":{"requiredCapabilities":{"sampling":{}}}`) {
		t.Errorf("missing capability: %d %s", incapable.Status, incapable.Body)
	}
}

func TestHTTPHeadersMustRepeatTheMessage(t *testing.T) {
	t.Parallel()
	c := startHTTP(t, newFixtures())
	modern, legacy := wiretest.Modern.Call(1, "echo", nil), wiretest.Legacy.Call(1, "echo", nil)
	for _, test := range []struct {
		name, message, header, value string
		code                         int
		says                         string
	}{
		{name: "another tool", message: modern, header: "Mcp-Name", value: "another", code: -32020, says: `"another"`},
		{name: "another method", message: modern, header: "Mcp-Method", value: "tools/list", code: -32020, says: `"tools/list"`},
		{name: "no method", message: modern, header: "Mcp-Method", code: -32020, says: "Mcp-Method"},
		{name: "another revision", message: modern, header: "Mcp-Protocol-Version", value: "2025-11-25", code: -32020, says: `"2025-11-25"`},
		{name: "no revision", message: modern, header: "Mcp-Protocol-Version", code: -32020, says: "Mcp-Protocol-Version"},
		{name: "a revision in the header alone", message: legacy, header: "Mcp-Protocol-Version", value: "2026-07-28", code: -32602, says: "params._meta"},
		{name: "a stream to resume", message: modern, header: "Last-Event-Id", value: "7", code: -32020, says: "not resumed"},
	} {
		r := c.NewRequest(test.message)
		r.Header.Set(test.header, test.value)
		got := c.Do(r)
		if got.Status != 400 || string(got.Last(t).ID) != "1" {
			t.Errorf("%s: %d %s", test.name, got.Status, got.Body)
		}
		wantError(t, got.Last(t), test.code, test.says)
	}
}

func TestHTTPConcurrencyLimit(t *testing.T) {
	t.Parallel()
	f := newFixtures()
	o := httpOptions()
	o.MaxConcurrent = 1
	c := serveHTTP(t, newServer(f, nil), o, goodToken)
	first := c.NewRequest(wiretest.Modern.Call(1, "block", nil))
	done := make(chan error, 1)
	go func() {
		_, err := c.Try(first)
		done <- err
	}()
	<-f.started
	refused := c.Post(wiretest.Modern.Call(2, "echo", nil))
	if refused.Status != 503 || refused.Header.Get("Retry-After") != "1" || refused.Last(t).Code() != -32000 {
		t.Errorf("got %d %v %s", refused.Status, refused.Header, refused.Body)
	}
	live, err := http.Get("http://" + c.Addr + "/livez")
	if err != nil || live.StatusCode != 200 {
		t.Errorf("not alive while busy: %v %v", live, err)
	}
	_ = live.Body.Close()
	close(f.release)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// One caller gets three places of four: another one still gets in, and so does
// an approver.
func TestHTTPOneCallerLeavesRoomForOthers(t *testing.T) {
	t.Parallel()
	f := newFixtures()
	o := httpOptions()
	o.MaxConcurrent = 4
	c := serveHTTP(t, newServer(f, nil), o, goodToken)
	done := make(chan error, 3)
	for id := range 3 {
		request := c.NewRequest(wiretest.Modern.Call(id+1, "block", nil))
		go func() {
			_, err := c.Try(request)
			done <- err
		}()
		<-f.started
	}
	if got := c.Post(wiretest.Modern.Call(5, "echo", nil)); got.Status != 503 || got.Header.Get("Retry-After") != "1" {
		t.Errorf("a fourth: %d %s", got.Status, got.Body)
	}
	other := c.NewRequest(wiretest.Modern.Call(6, "echo", nil))
	other.Header.Set("Authorization", "Bearer "+goodToken+"-other")
	if got := c.Do(other); got.Status != 200 {
		t.Errorf("another caller: %d %s", got.Status, got.Body)
	}
	close(f.release)
	for range 3 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if got := c.Post(wiretest.Modern.Call(7, "echo", nil)); got.Status != 200 {
		t.Errorf("afterwards: %d %s", got.Status, got.Body)
	}
}

func TestHTTPLivez(t *testing.T) {
	t.Parallel()
	c := startHTTP(t, newFixtures())
	for method, want := range map[string]int{"GET": 200, "HEAD": 200, "POST": 405} {
		r, _ := http.NewRequest(method, "http://"+c.Addr+"/livez", nil)
		if got := c.Do(r); got.Status != want {
			t.Errorf("%s: %d", method, got.Status)
		}
	}
	r, _ := http.NewRequest("GET", "http://"+c.Addr+"/livez", nil)
	r.Host = "evil.example"
	if got := c.Do(r); got.Status != 403 {
		t.Errorf("foreign host: %d", got.Status)
	}
}
