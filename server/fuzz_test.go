package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"mcp-partner/internal/wiretest"
	"mcp-partner/server"
)

const fuzzFrame = 4096

// FuzzStdioFrames puts any bytes between two good requests: the server must
// end by itself, both must be answered once, and all output must be JSON-RPC.
func FuzzStdioFrames(f *testing.F) {
	for _, seed := range []string{
		"", "\n", "\r\n", "{", "[]", "[{}]", "null", "0", `"x"`, "\xff\xfe", "{}\n{}\n", "\x00",
		`{"jsonrpc":"2.0","id":1,"method":"ping"}`,
		`{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"echo","arguments":{"text":1}}}`,
		`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"panic"}}`,
		`{"jsonrpc":"2.0","id":3,"method":"initialize","params":{"capabilities":{"elicitation":{}}}}`,
		`{"id":"s","jsonrpc":"2.0","method":"tools/call","params":{"name":"notify"}}`,
		`{"id":"s","jsonrpc":"2.0","method":"notifications/cancelled","params":{}}`,
		`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"first"}}`,
		`{"jsonrpc":"2.0","id":null,"error":{}}`, `{"jsonrpc":"2.0","id":1e9,"method":"x"}`,
		`{"jsonrpc":"2.0","id":4,"method":"subscriptions/listen","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}},"notifications":{"toolsListChanged":true}}}`,
		`{"jsonrpc":"2.0","id":5,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"x"},"argument":{"name":"a","value":"b"}}}`,
		string(bytes.Repeat([]byte("a"), 5000)),
	} {
		f.Add([]byte(seed))
	}
	s := newServer(newFixtures(), nil)
	f.Fuzz(func(t *testing.T, middle []byte) {
		if bytes.Contains(middle, []byte("block")) {
			t.Skip("would wait for the test")
		}
		fuzzOnce(t, s, middle)
	})
}

func fuzzOnce(t *testing.T, s *server.Server, middle []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), wiretest.Patience)
	defer cancel()
	input := wiretest.Legacy.Call("fz-1", "echo", nil) + "\n" + string(middle) + "\n" + wiretest.Modern.Call("fz-2", "echo", nil) + "\n"
	var output bytes.Buffer
	started := time.Now()
	if err := s.ServeStdioFrames(ctx, bytes.NewReader([]byte(input)), &output, fuzzFrame); err != nil {
		t.Fatal(err)
	}
	if time.Since(started) > wiretest.Patience/2 {
		t.Fatalf("%q made the server hang", middle)
	}
	checkAnswers(t, output.Bytes(), wantedAnswers(middle))
}

// wantedAnswers counts the requests that are well-formed beyond doubt, by ID,
// and the two of the test. Where something is cancelled, only those two count.
func wantedAnswers(middle []byte) map[string]int {
	want := map[string]int{}
	cancels := bytes.Contains(middle, []byte("cancelled")) || bytes.Contains(middle, []byte(`\\`))
	for line := range bytes.SplitSeq(middle, []byte("\n")) {
		if id, ok := wellFormed(bytes.TrimSuffix(line, []byte("\r"))); ok && !cancels {
			want[id]++
		}
	}
	for id, n := range want {
		if n > 1 { // may be refused while the first is being handled
			delete(want, id)
		}
	}
	want[`"fz-1"`], want[`"fz-2"`] = 1, 1
	return want
}

// wellFormed accepts requests whose four members are there once and in the
// form that encoding/json writes.
func wellFormed(line []byte) (id string, ok bool) {
	var m struct {
		ID      string         `json:"id"`
		JSONRPC string         `json:"jsonrpc"`
		Method  string         `json:"method"`
		Params  map[string]any `json:"params"`
	}
	if len(line) > fuzzFrame || json.Unmarshal(line, &m) != nil || m.JSONRPC != "2.0" || m.Method == "" || len(m.Method) > 128 || m.Params == nil {
		return "", false
	}
	var sorted map[string]any
	again, err := json.Marshal(m)
	if err != nil || json.Unmarshal(line, &sorted) != nil {
		return "", false
	}
	canonical, err := json.Marshal(sorted)
	quoted, _ := json.Marshal(m.ID)
	return string(quoted), err == nil && bytes.Equal(again, canonical) && bytes.Equal(again, line)
}

func checkAnswers(t *testing.T, output []byte, want map[string]int) {
	t.Helper()
	got := map[string]int{}
	for line := range bytes.Lines(output) {
		m := wiretest.Parse(t, line)
		if m.Method == "" && (m.Result == nil) == (m.Error == nil) {
			t.Errorf("neither result nor error, or both: %s", line)
		}
		got[string(m.ID)]++
	}
	for id, n := range want {
		if got[id] != n {
			t.Errorf("request %s was answered %d times: %s", id, got[id], output)
		}
	}
}

// FuzzStdioRequests puts any ID, method and parameters into a well-formed
// request: it must be answered exactly once, under its own ID.
func FuzzStdioRequests(f *testing.F) {
	f.Add("a", "tools/call", `{"name":"echo","arguments":{"text":"x"}}`)
	f.Add("", "ping", `{}`)
	f.Add("\u2028", "prompts/get", `{"name":"greet","arguments":{"name":null}}`)
	f.Add("é", "initialize", `{"protocolVersion":5}`)
	f.Add("x", "resources/read", `{"uri":"test://things/%"}`)
	f.Add("x", "resources/read", `{"URI":"test://doc","uri":3}`)
	f.Add("x", "tools/call", `{"name":"notify","_meta":null}`)
	f.Add("x", "server/discover", `{"_meta":{"io.modelcontextprotocol/protocolVersion":"2027-01-01"}}`)
	f.Add("x", "logging/setLevel", `{"level":"loud"}`)
	f.Add("x", strings.Repeat("\xff", 100), `{}`) // three bytes each in JSON, and so too long
	s := newServer(newFixtures(), nil)
	f.Fuzz(func(t *testing.T, id, method, params string) {
		var object map[string]json.RawMessage
		if method == "" || json.Unmarshal([]byte(params), &object) != nil || bytes.Contains([]byte(params), []byte("block")) {
			t.Skip("not a well-formed request, or one that waits for the test")
		}
		line, err := json.Marshal(wiretest.Object{"jsonrpc": "2.0", "id": id, "method": method, "params": json.RawMessage(params)})
		if err != nil || len(method) > 128 || !utf8.Valid(line) {
			t.Skip("not a well-formed request")
		}
		var output bytes.Buffer
		if err := s.ServeStdio(t.Context(), bytes.NewReader(line), &output, tester("")); err != nil {
			t.Fatal(err)
		}
		checkAnswers(t, output.Bytes(), map[string]int{string(wiretest.Parse(t, line).ID): 1})
	})
}
