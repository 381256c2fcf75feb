package server_test

import (
	"strings"
	"testing"

	"mcp-partner/internal/wiretest"
)

// into puts text before the other members of a message's params.
func into(message, text string) string {
	return strings.Replace(message, `"params":{`, `"params":{`+text+`,`, 1)
}

// Ambiguous params are refused, so that an intermediary never sees another call
// than the one executed.
func TestAmbiguousParamsAreRefused(t *testing.T) {
	t.Parallel()
	onEveryWire(t, func(t *testing.T, era wiretest.Era, send wire) {
		call := era.Call("two", "echo", wiretest.Object{"text": "ran"})
		complete := era.Request("two", "completion/complete", wiretest.Object{"x": 0}, nil)
		prompt := era.Request("two", "prompts/get", wiretest.Object{"name": "greet"}, nil)
		for _, c := range []struct{ message, says string }{
			{into(call, `"name":"whoami"`), `params has the member "name" twice`},
			{into(call, `"n\u0061me":"whoami"`), `params has the member "name" twice`},
			{into(call, `"Name":"whoami"`), `params has a member "Name", which must be written "name"`},
			{into(call, `"arguments":{"text":"other"}`), `"arguments" twice`},
			{into(call, `"Arguments":{"text":"other"}`), `"Arguments", which must be written "arguments"`},
			{into(call, `"argument\u017f":{"text":"other"}`), `must be written "arguments"`},
			{into(call, `"_meta":{},"_meta":{}`), `"_meta" twice`},
			{into(call, `"_Meta":{}`), `must be written "_meta"`},
			{into(call, `"requestState":"a","requestState":"b"`), `"requestState" twice`},
			{into(call, `"requeststate":"a"`), `must be written "requestState"`},
			{into(call, `"inputResponses":{},"inputResponses":{}`), `"inputResponses" twice`},
			{into(call, `"InputResponses":{}`), `must be written "inputResponses"`},
			{into(call, `"inputResponses":{"q":{},"q":{}}`), `params.inputResponses has the member "q" twice`},
			{into(call, `"inputResponses":{"q":{"action":"decline","action":"accept"}}`), `params.inputResponses["q"] has the member "action" twice`},
			{into(call, `"inputResponses":{"q":{"Action":"accept"}}`), `must be written "action"`},
			{into(call, `"inputResponses":{"q":{"content":{"ok":false,"ok":true}}}`), `params.inputResponses["q"].content has the member "ok" twice`},
			{into(call, `"x":1,"x":2`), `params has the member "x" twice`},
			{into(prompt, `"arguments":{"name":"Ada","name":"Bob"}`), `params.arguments has the member "name" twice`},
			{into(era.Request("two", "resources/read", wiretest.Object{"uri": "test://doc"}, nil), `"uri":"test://things/1"`), `"uri" twice`},
			{into(era.Request("two", "resources/read", wiretest.Object{"uri": "test://doc"}, nil), `"URI":"test://things/1"`), `must be written "uri"`},
			{into(era.Request("two", "tools/list", wiretest.Object{"x": 0}, nil), `"Cursor":"a"`), `must be written "cursor"`},
			{into(complete, `"ref":{"type":"ref/prompt","type":"ref/resource"}`), `params.ref has the member "type" twice`},
			{into(complete, `"ref":{"Name":"greet"}`), `params.ref has a member "Name"`},
			{into(complete, `"argument":{"value":"a","value":"b"}`), `params.argument has the member "value" twice`},
			{into(complete, `"Argument":{}`), `must be written "argument"`},
			{into(complete, `"context":{"arguments":{"a":"1","a":"2"}}`), `params.context.arguments has the member "a" twice`},
		} {
			reply := send(c.message)
			wantError(t, reply, -32602, c.says)
			if string(reply.ID) != `"two"` {
				t.Errorf("the error has ID %s: %s", reply.ID, c.message)
			}
		}
	})
}

func TestAmbiguousMetaIsRefused(t *testing.T) {
	t.Parallel()
	onEveryWire(t, func(t *testing.T, era wiretest.Era, send wire) {
		call := era.Call("two", "echo", wiretest.Object{"text": "ran"}) // which has a _meta in one era only
		for inside, says := range map[string]string{
			`"progressToken":1,"progressToken":2`:                                                  `params._meta has the member "progressToken" twice`,
			`"ProgressToken":1`:                                                                    `must be written "progressToken"`,
			`"io.modelcontextprotocol/LogLevel":"debug"`:                                           `must be written "io.modelcontextprotocol/logLevel"`,
			`"io.modelcontextprotocol/clientCapabilities":{"Elicitation":{}}`:                      `params._meta.io.modelcontextprotocol/clientCapabilities has a member "Elicitation"`,
			`"io.modelcontextprotocol/clientCapabilities":{"elicitation":{"form":{},"form":null}}`: `clientCapabilities.elicitation has the member "form" twice`,
			`"io.modelcontextprotocol/clientInfo":{"name":"a","name":"b"}`:                         `clientInfo has the member "name" twice`,
		} {
			message := strings.Replace(call, `"_meta":{`, `"_meta":{`+inside+`,`, 1)
			if message == call {
				message = into(call, `"_meta":{`+inside+`}`)
			}
			wantError(t, send(message), -32602, says)
		}
	})
}

// The same names are fine where they are the tool's or the sender's own.
func TestAmbiguityCheckIgnoresToolArguments(t *testing.T) {
	t.Parallel()
	onEveryWire(t, func(t *testing.T, era wiretest.Era, send wire) {
		call := era.Call(1, "echo", wiretest.Object{"text": "ran", "Name": "x", "name": "y"})
		wantText(t, send(into(call, `"trace":{"name":1,"Name":2}`)), "ran")
		deep := strings.Repeat(`{"a":`, 500) + "1" + strings.Repeat("}", 500)
		wantText(t, send(into(era.Call(2, "echo", wiretest.Object{"text": "deep"}), `"extra":`+deep)), "deep")
	})
}

func TestStdioAmbiguousCancelIsDropped(t *testing.T) {
	t.Parallel()
	f, log := newFixtures(), &logBook{}
	c := serveStdio(t, newServer(f, log), tester(""))
	c.Send(wiretest.Modern.Call("a", "block", wiretest.Object{"text": "survivor"}))
	<-f.started
	c.Send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"b","requestId":"a"}}`)
	wantText(t, c.Ask(wiretest.Modern.Call("c", "echo", wiretest.Object{"text": "after"})), "after")
	close(f.release)
	wantText(t, c.Next(), "survivor")
	if !strings.Contains(log.String(), "dropped a cancellation") {
		t.Errorf("the log says nothing of it: %s", log)
	}
}

func TestDeepNestingIsNamedAsTooDeep(t *testing.T) {
	t.Parallel()
	ping := func(depth int) string {
		return `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":` + strings.Repeat("[", depth) + `"}]\"{"` + strings.Repeat("]", depth) + `}}`
	}
	onEveryWire(t, func(t *testing.T, era wiretest.Era, send wire) {
		const says = "more than 10000 deep"
		wantError(t, send(ping(9999)), -32700, says)
		wantError(t, send(strings.Repeat(`{"a":`, 20000)), -32700, says)
		if reply := send(ping(9998)); strings.Contains(string(reply.Raw), "deep") {
			t.Errorf("what is deep enough is refused: %s", reply.Raw)
		}
	})
}

func TestHTTPUnknownRevisionIsAnsweredInJSON(t *testing.T) {
	t.Parallel()
	c := startHTTP(t, newFixtures())
	for _, version := range []string{"1999-01-01", "2025-11-26", "2099-01-01", "latest"} {
		r := c.NewRequest(wiretest.Legacy.Call("r", "echo", wiretest.Object{"text": "ran"}))
		r.Header.Set("Mcp-Protocol-Version", version)
		answer := c.Do(r)
		reply := answer.Last(t)
		wantError(t, reply, -32022, version)
		if answer.Status != 400 || string(reply.ID) != `"r"` || answer.Header.Get("Content-Type") != "application/json" ||
			!strings.Contains(reply.Error.Message, "2026-07-28, 2025-11-25") {
			t.Errorf("got %d %v %s", answer.Status, answer.Header, answer.Body)
		}
	}
}
