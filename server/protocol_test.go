package server_test

import (
	"strings"
	"testing"

	"mcp-partner/internal/wiretest"
)

func TestHandshakeNegotiatesEveryOlderRevision(t *testing.T) {
	t.Parallel()
	for asked, want := range map[string]string{
		"2024-11-05": "2024-11-05", "2025-03-26": "2025-03-26", "2025-06-18": "2025-06-18",
		"2025-11-25": "2025-11-25", "2026-07-28": "2025-11-25", "1999-01-01": "2025-11-25",
	} {
		stdio, http := startStdio(t, newFixtures()), startHTTP(t, newFixtures())
		for _, reply := range []wiretest.Reply{
			stdio.Ask(wiretest.Initialize(asked, nil)), http.Post(wiretest.Initialize(asked, nil)).Last(t),
		} {
			if got := reply.Path("protocolVersion"); got != want {
				t.Errorf("asked for %s, got %v, want %s", asked, got, want)
			}
			if got := reply.Path("serverInfo", "title"); got != "Fixture" {
				t.Errorf("title is %v", got)
			}
			if reply.Path("capabilities", "elicitation") != nil {
				t.Error("elicitation is a capability of clients")
			}
		}
	}
}

func TestDiscover(t *testing.T) {
	t.Parallel()
	onEveryWire(t, func(t *testing.T, era wiretest.Era, send wire) {
		reply := send(era.Request(1, "server/discover", nil, nil))
		if era == wiretest.Legacy {
			wantError(t, reply, -32601, "server/discover")
			return
		}
		versions, _ := reply.Path("supportedVersions").([]any)
		if len(versions) != 5 || versions[0] != "2026-07-28" {
			t.Errorf("supportedVersions: %v", versions)
		}
		if reply.Path("instructions") != "Read the tests." || reply.Path("ttlMs") != 300000.0 {
			t.Errorf("discover: %s", reply.Raw)
		}
	})
}

func TestLists(t *testing.T) {
	t.Parallel()
	onEveryWire(t, func(t *testing.T, era wiretest.Era, send wire) {
		for method, want := range map[string]int{
			"tools/list": 13, "prompts/list": 1, "resources/list": 1, "resources/templates/list": 1,
		} {
			reply := send(era.Request("l", method, nil, nil))
			what := strings.Split(method, "/")[0]
			if method == "resources/templates/list" {
				what = "resourceTemplates"
			}
			if list, _ := reply.Path(what).([]any); len(list) != want {
				t.Errorf("%s has %d entries, want %d: %s", method, len(list), want, reply.Raw)
			}
		}
		wantError(t, send(era.Request(2, "tools/list", wiretest.Object{"cursor": "!"}, nil)), -32602, "cursor")
	})
}

func TestCallsAndReads(t *testing.T) {
	t.Parallel()
	onEveryWire(t, func(t *testing.T, era wiretest.Era, send wire) {
		wantText(t, send(era.Call(7, "echo", wiretest.Object{"text": "a <b> & c"})), "a <b> & c")
		prompt := send(era.Request(8, "prompts/get", wiretest.Object{"name": "greet", "arguments": wiretest.Object{"name": "Ada"}}, nil))
		if !strings.Contains(string(prompt.Result), "Hello, Ada") {
			t.Errorf("prompt: %s", prompt.Raw)
		}
		for _, uri := range []string{"test://doc", "test://things/1"} {
			read := send(era.Request(9, "resources/read", wiretest.Object{"uri": uri}, nil))
			if !strings.Contains(string(read.Result), "a doc") {
				t.Errorf("%s: %s", uri, read.Raw)
			}
		}
		completion := send(era.Request(10, "completion/complete", wiretest.Object{
			"ref":      wiretest.Object{"type": "ref/prompt", "name": "greet"},
			"argument": wiretest.Object{"name": "name", "value": "A"},
		}, nil))
		if values, _ := completion.Path("completion", "values").([]any); len(values) != 2 || values[0] != "A-one" {
			t.Errorf("completion: %s", completion.Raw)
		}
	})
}

func TestAnswersCarryTheRequestsOwnID(t *testing.T) {
	t.Parallel()
	onEveryWire(t, func(t *testing.T, era wiretest.Era, send wire) {
		for _, id := range []any{0, -5, 1, "1", "", "ünï", 9007199254740991} {
			message := era.Call(id, "echo", wiretest.Object{"text": "x"})
			reply := send(message)
			if want := wiretest.Parse(t, []byte(message)).ID; string(reply.ID) != string(want) {
				t.Errorf("sent ID %s, got %s", want, reply.ID)
			}
		}
	})
}

func TestProtocolErrorsAreSpecific(t *testing.T) {
	t.Parallel()
	cases := []struct {
		method string
		params wiretest.Object
		code   int
		says   string
	}{
		{method: "tools/call", params: wiretest.Object{"name": "nope"}, code: -32602, says: `no tool "nope". See tools/list`},
		{method: "tools/call", params: wiretest.Object{"name": 5}, code: -32602, says: "params.name must be a string"},
		{method: "tools/call", params: wiretest.Object{}, code: -32602, says: "params.name must be a string"},
		{method: "tools/call", params: wiretest.Object{"name": "echo", "arguments": "x"}, code: -32602, says: "params.arguments must be an object"},
		{method: "tools/call", params: wiretest.Object{"name": "echo", "arguments": "[]"}, code: -32602, says: "params.arguments must be an object"},
		{
			method: "tools/call", params: wiretest.Object{"name": "echo", "arguments": []any{1}}, code: -32602,
			says: "params.arguments must be an object",
		},
		{method: "tools/call", params: wiretest.Object{"name": "fail"}, code: -32603, says: "log, not here"},
		{method: "tools/call", params: wiretest.Object{"name": "panic"}, code: -32603, says: "log, not here"},
		{method: "tools/call", params: wiretest.Object{"name": "nothing"}, code: -32603, says: "log, not here"},
		{method: "prompts/get", params: wiretest.Object{"name": "greet"}, code: -32602, says: `needs the argument "name"`},
		{
			method: "prompts/get", params: wiretest.Object{"name": "greet", "arguments": wiretest.Object{"name": 1}}, code: -32602,
			says: `params.arguments["name"] must be a string`,
		},
		{
			method: "prompts/get", params: wiretest.Object{"name": "greet", "arguments": wiretest.Object{"name": "a", "nmae": "b"}},
			code: -32602, says: `no argument "nmae"; it takes: name, tone`,
		},
		{method: "prompts/get", params: wiretest.Object{"name": "greet", "arguments": 3}, code: -32602, says: "must be an object"},
		{method: "prompts/get", params: wiretest.Object{"name": "nope"}, code: -32602, says: `no prompt "nope"`},
		{method: "resources/read", params: wiretest.Object{"uri": 1}, code: -32602, says: "params.uri must be a string"},
		{method: "resources/read", params: wiretest.Object{"uri": "test://things/panic"}, code: -32603, says: "log, not here"},
		{method: "completion/complete", params: wiretest.Object{"ref": wiretest.Object{"type": "x"}}, code: -32602, says: "params.ref.type"},
		{
			method: "completion/complete", params: wiretest.Object{"ref": wiretest.Object{"type": "ref/prompt", "name": "p"}}, code: -32602,
			says: "params.argument.name",
		},
		{method: "tools/list", params: wiretest.Object{"cursor": 5}, code: -32602, says: "must not be a number"},
		{method: "no/such", code: -32601, says: "no/such"},
	}
	onEveryWire(t, func(t *testing.T, era wiretest.Era, send wire) {
		for _, c := range cases {
			reply := send(era.Request("f", c.method, c.params, nil))
			wantError(t, reply, c.code, c.says)
			if string(reply.ID) != `"f"` {
				t.Errorf("%s: the error has ID %s", c.method, reply.ID)
			}
			if strings.Contains(string(reply.Raw), hidden) || strings.Contains(string(reply.Raw), "Go ") {
				t.Errorf("%s lets internals out: %s", c.method, reply.Raw)
			}
		}
	})
}

func TestMissingResourceHasTheCodeOfItsEra(t *testing.T) {
	t.Parallel()
	code := map[wiretest.Era]int{wiretest.Legacy: -32002, wiretest.Modern: -32602}
	onEveryWire(t, func(t *testing.T, era wiretest.Era, send wire) {
		unknown := send(era.Request(1, "resources/read", wiretest.Object{"uri": "test://nope"}, nil))
		wantError(t, unknown, code[era], `no resource "test://nope"`)
		refused := send(era.Request(2, "resources/read", wiretest.Object{"uri": "test://things/none"}, nil))
		wantError(t, refused, code[era], "there is no thing of that name")
	})
}

func TestHandlerErrorsAreLoggedWithoutValues(t *testing.T) {
	t.Parallel()
	log := &logBook{}
	c := serveStdio(t, newServer(newFixtures(), log), tester(""))
	for _, tool := range []string{"panic", "fail"} {
		c.Ask(wiretest.Modern.Call(tool, tool, wiretest.Object{"text": hidden}))
	}
	if strings.Contains(log.String(), hidden) {
		t.Errorf("the log holds what the handler failed with: %s", log)
	}
	for _, want := range []string{"handler panicked", "handler failed", "(*fixtures).tools", "errors.errorString"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q: %s", want, log)
		}
	}
}

func TestLogMessagesOnlyWhereAsked(t *testing.T) {
	t.Parallel()
	stdio, http := startStdio(t, newFixtures()), startHTTP(t, newFixtures())
	stdio.Handshake(nil)
	ask := map[string]func(string) []wiretest.Reply{
		"stdio": func(message string) []wiretest.Reply { return untilAnswer(stdio, message) },
		"http":  func(message string) []wiretest.Reply { return http.Post(message).Replies(t) },
	}
	modern := func(level string) string {
		return wiretest.Modern.Request(1, "tools/call", wiretest.Object{
			"name": "log", "_meta": wiretest.Object{"io.modelcontextprotocol/logLevel": level},
		}, nil)
	}
	for name, send := range ask {
		for _, step := range []struct {
			message string
			want    int
		}{
			{wiretest.Modern.Call(1, "log", nil), 1},
			{modern("info"), 3},
			{wiretest.Legacy.Call(2, "log", nil), 1},
			{wiretest.Legacy.Request(3, "logging/setLevel", wiretest.Object{"level": "error"}, nil), 1},
			{wiretest.Legacy.Call(4, "log", nil), 2},
			{modern("debug"), 4},
			{wiretest.Modern.Call(5, "log", nil), 1},
		} {
			if got := send(step.message); len(got) != step.want {
				t.Errorf("%s: %s gave %d messages, want %d", name, step.message, len(got), step.want)
			}
		}
	}
	http.Bearer = goodToken + "2"
	if got := http.Post(wiretest.Legacy.Call(6, "log", nil)).Replies(t); len(got) != 1 {
		t.Errorf("one caller's log level holds for another: %d messages", len(got))
	}
}

// untilAnswer sends a request and returns all messages up to its response.
func untilAnswer(c *stdioClient, message string) []wiretest.Reply {
	replies := []wiretest.Reply{c.Ask(message)}
	for replies[len(replies)-1].Method != "" {
		replies = append(replies, c.Next())
	}
	return replies
}

func TestNotificationsAfterAnswerAreDropped(t *testing.T) {
	t.Parallel()
	f := newFixtures()
	stdio := serveStdio(t, newServer(f, nil), tester(""))
	http := serveHTTP(t, newServer(f, nil), httpOptions(), goodToken)
	wantText(t, stdio.Ask(wiretest.Modern.Call(1, "leak", wiretest.Object{"text": "a"})), "a")
	wantText(t, http.Post(wiretest.Modern.Call(1, "leak", wiretest.Object{"text": "b"})).Last(t), "b")
	close(f.release)
	for range 2 {
		if err := <-f.finished; err == nil || !strings.Contains(err.Error(), "has been answered") {
			t.Errorf("a late notification was taken: %v", err)
		}
	}
	wantText(t, stdio.Ask(wiretest.Modern.Call(2, "echo", wiretest.Object{"text": "c"})), "c")
}
