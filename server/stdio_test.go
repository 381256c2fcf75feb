package server_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mcp-partner/internal/wiretest"
)

func TestStdioAnswersEverythingBeforeItEnds(t *testing.T) {
	t.Parallel()
	for _, era := range wiretest.Eras() {
		for _, calls := range []int{12, 300} {
			t.Run(fmt.Sprintf("%s/%d", era, calls), func(t *testing.T) {
				t.Parallel()
				var input strings.Builder
				input.WriteString(wiretest.Initialize("2025-11-25", nil) + "\n")
				for i := range calls {
					input.WriteString(era.Call(i, "notify", wiretest.Object{"text": fmt.Sprint(i)}) + "\r\n")
				}
				var output strings.Builder
				err := newServer(newFixtures(), nil).ServeStdio(t.Context(), strings.NewReader(input.String()), &output, tester(""))
				if err != nil {
					t.Fatal(err)
				}
				checkStreams(t, strings.Split(strings.TrimSuffix(output.String(), "\n"), "\n"), calls)
			})
		}
	}
}

// checkStreams wants, for each call, its three notifications in order and then
// its answer.
func checkStreams(t *testing.T, lines []string, calls int) {
	t.Helper()
	seen, answered := map[string]int{}, map[string]bool{}
	for _, line := range lines {
		m := wiretest.Parse(t, []byte(line))
		if m.Method == "" {
			id := string(m.ID)
			if id != `"init"` && (seen[id] != 3 || answered[id] || resultText(m) != id) {
				t.Errorf("answer %s after %d notifications (before: %v)", line, seen[id], answered[id])
			}
			answered[id] = true
			continue
		}
		token, _ := m.Param("progressToken").(string)
		seen[token]++
		if answered[token] || m.Param("progress") != float64(seen[token]) {
			t.Errorf("notification out of order: %s", line)
		}
	}
	if len(answered) != calls+1 {
		t.Errorf("%d answers, want %d", len(answered), calls+1)
	}
}

func TestStdioManyCallsAtOnce(t *testing.T) {
	t.Parallel()
	const calls = 300
	for _, tool := range []string{"notify", "classic"} {
		t.Run(tool, func(t *testing.T) {
			t.Parallel()
			c := startStdio(t, newFixtures())
			go func() {
				c.Send(wiretest.Initialize("2025-11-25", nil))
				for i := range calls {
					c.Send(wiretest.Legacy.Call(i, tool, wiretest.Object{"text": fmt.Sprint(i)}))
				}
				c.CloseInput()
			}()
			replies, err := c.Rest()
			if err != nil {
				t.Fatal(err)
			}
			lines := make([]string, len(replies))
			for i, reply := range replies {
				lines[i] = string(reply.Raw)
			}
			checkStreams(t, lines, calls)
		})
	}
}

func TestStdioSurvivesBadInput(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, line string
		code       int
		says, id   string
	}{
		{name: "garbage", line: "hello", code: -32700, says: "not valid JSON", id: "null"},
		{name: "cut JSON", line: `{"jsonrpc":"2.0","id":1`, code: -32700, says: "not valid JSON", id: "null"},
		{name: "two values", line: `{"jsonrpc":"2.0","id":1,"method":"ping"} {}`, code: -32700, says: "not valid JSON", id: "null"},
		{name: "too deep", line: strings.Repeat(`{"a":`, 20000), code: -32700, says: "more than 10000 deep", id: "null"},
		{name: "invalid UTF-8", line: "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}", code: -32700, says: "UTF-8 from byte 34 on", id: "null"},
		{name: "batch", line: `[{"jsonrpc":"2.0","id":1,"method":"ping"}]`, code: -32600, says: "Batches are not accepted", id: "null"},
		{name: "string", line: `"ping"`, code: -32600, says: "not an object", id: "null"},
		{name: "null", line: `null`, code: -32600, says: "not an object", id: "null"},
		{name: "no method", line: `{"jsonrpc":"2.0","id":1}`, code: -32600, says: `"method" is missing`, id: "null"},
		{name: "empty object", line: `{}`, code: -32600, says: `"method" is missing`, id: "null"},
		{name: "method is a number", line: `{"jsonrpc":"2.0","id":1,"method":1}`, code: -32600, says: `"method" must be a string`, id: "null"},
		{
			name: "method too long", line: `{"jsonrpc":"2.0","id":1,"method":"` + strings.Repeat("x", 129) + `"}`, code: -32600,
			says: `"method" must be a string`, id: "1",
		},
		{name: "request and response", line: `{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}`, code: -32600, says: "together", id: "null"},
		{name: "old version", line: `{"jsonrpc":"1.0","id":1,"method":"ping"}`, code: -32600, says: `"jsonrpc" must be "2.0"`, id: "1"},
		{name: "no version", line: `{"id":"a","method":"ping"}`, code: -32600, says: `"jsonrpc" must be "2.0"`, id: `"a"`},
		{name: "null id", line: `{"jsonrpc":"2.0","id":null,"method":"ping"}`, code: -32600, says: `"id" must be`, id: "null"},
		{name: "fraction id", line: `{"jsonrpc":"2.0","id":1.5,"method":"ping"}`, code: -32600, says: `"id" must be`, id: "null"},
		{name: "huge id", line: `{"jsonrpc":"2.0","id":9007199254740993,"method":"ping"}`, code: -32600, says: `"id" must be`, id: "null"},
		{name: "object id", line: `{"jsonrpc":"2.0","id":{},"method":"ping"}`, code: -32600, says: `"id" must be`, id: "null"},
		{name: "true id", line: `{"jsonrpc":"2.0","id":true,"method":"ping"}`, code: -32600, says: `"id" must be`, id: "null"},
		{name: "wrong case", line: `{"jsonrpc":"2.0","ID":1,"method":"ping"}`, code: -32600, says: `must be written "id"`, id: "null"},
		{name: "member twice", line: `{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}`, code: -32600, says: `"id" appears twice`, id: "null"},
		{
			name: "array params", line: `{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}`, code: -32602,
			says: `"params" must be an object`, id: "1",
		},
		{name: "unknown method", line: `{"jsonrpc":"2.0","id":1,"method":"x"}`, code: -32601, says: "x", id: "1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			wire := startStdio(t, newFixtures())
			reply := wire.Ask(c.line)
			wantError(t, reply, c.code, c.says)
			if string(reply.ID) != c.id {
				t.Errorf("the error has ID %s, want %s", reply.ID, c.id)
			}
			wantText(t, wire.Ask(wiretest.Modern.Call(2, "echo", wiretest.Object{"text": "alive"})), "alive")
		})
	}
}

func TestStdioIgnoresEmptyLinesAndStrayResponses(t *testing.T) {
	t.Parallel()
	log := &logBook{}
	c := serveStdio(t, newServer(newFixtures(), log), tester(""))
	c.SendRaw([]byte("\n\r\n   \n\t\r\n"))
	c.Send(`{"jsonrpc":"2.0","id":"mcp-partner-1","result":{"action":"accept"}}`)
	c.Send(`{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"x"}}`)
	c.Send(wiretest.Legacy.Notification("notifications/initialized", nil))
	c.Send(wiretest.Legacy.Notification("notifications/unheard-of", nil))
	wantText(t, c.Ask(wiretest.Modern.Call(1, "echo", wiretest.Object{"text": "first"})), "first")
	if strings.Count(log.String(), "answers no request") != 2 {
		t.Errorf("stray responses are not logged: %s", log)
	}
}

func TestStdioFrameLimit(t *testing.T) {
	t.Parallel()
	const limit = 4 << 20
	c := startStdio(t, newFixtures())
	frame := func(size int) string {
		empty := len(wiretest.Modern.Call(1, "echo", wiretest.Object{"text": ""}))
		return wiretest.Modern.Call(1, "echo", wiretest.Object{"text": strings.Repeat("a", size-empty)})
	}
	if reply := c.Ask(frame(limit)); reply.Error != nil {
		t.Errorf("a frame of exactly the limit: %s", reply.Raw)
	}
	if reply := c.Ask(frame(limit) + "\r"); reply.Error != nil {
		t.Errorf("the line end counts: %s", reply.Raw)
	}
	for _, size := range []int{limit + 1, 2 * limit} {
		wantError(t, c.Ask(frame(size)), -32600, "longer than 4194304 bytes")
	}
	wantText(t, c.Ask(wiretest.Modern.Call(2, "echo", wiretest.Object{"text": "alive"})), "alive")
	c.SendRaw([]byte(strings.Repeat("b", limit+1)))
	c.CloseInput()
	rest, err := c.Rest()
	if err != nil || len(rest) != 1 {
		t.Fatalf("%d messages and %v after a cut long frame", len(rest), err)
	}
	wantError(t, rest[0], -32600, "longer than")
}

func TestStdioDuplicateIDIsRefused(t *testing.T) {
	t.Parallel()
	f := newFixtures()
	c := startStdio(t, f)
	c.Send(wiretest.Modern.Call(1, "block", wiretest.Object{"text": "first"}))
	<-f.started
	wantError(t, c.Ask(wiretest.Modern.Call(1, "echo", nil)), -32600, "still being handled")
	wantText(t, c.Ask(wiretest.Modern.Call("1", "echo", wiretest.Object{"text": "another"})), "another")
	close(f.release)
	wantText(t, c.Next(), "first")
	wantText(t, c.Ask(wiretest.Modern.Call(1, "echo", wiretest.Object{"text": "again"})), "again")
}

func TestStdioCancel(t *testing.T) {
	t.Parallel()
	for _, era := range wiretest.Eras() {
		t.Run(string(era), func(t *testing.T) {
			t.Parallel()
			f := newFixtures()
			c := startStdio(t, f)
			c.Send(era.Call(1, "block", wiretest.Object{"text": "number"}))
			c.Send(era.Call("1", "block", wiretest.Object{"text": "text"}))
			<-f.started
			<-f.started
			c.Send(era.Notification("notifications/cancelled", wiretest.Object{"requestId": "1"}))
			if err := <-f.finished; err == nil {
				t.Error("the call was not cancelled")
			}
			c.Send(era.Notification("notifications/cancelled", wiretest.Object{"requestId": "unknown"}))
			c.Send(era.Notification("notifications/cancelled", nil))
			close(f.release)
			wantText(t, c.Next(), "number")
			c.CloseInput()
			if rest, err := c.Rest(); err != nil || len(rest) != 0 {
				t.Errorf("a cancelled call was answered: %v, %v", rest, err)
			}
		})
	}
}

// running is how many calls of a connection run at once.
const running = 64

func TestStdioBlockedCallsDoNotBlockTheLoop(t *testing.T) {
	t.Parallel()
	f := newFixtures()
	c := startStdio(t, f)
	for i := range running + 5 {
		c.Send(wiretest.Modern.Call(i, "block", wiretest.Object{"text": fmt.Sprint(i)}))
	}
	for range running {
		<-f.started
	}
	for i := range running + 5 {
		c.Send(wiretest.Modern.Notification("notifications/cancelled", wiretest.Object{"requestId": i}))
	}
	wantText(t, c.Ask(wiretest.Modern.Call("x", "echo", wiretest.Object{"text": "through"})), "through")
}

func TestStdioCancelledContextDrains(t *testing.T) {
	t.Parallel()
	f := newFixtures()
	c := startStdio(t, f)
	c.Send(wiretest.Modern.Call(1, "block", wiretest.Object{"text": "late"}))
	<-f.started
	c.Stop()
	refusedWhileStopping(t, c)
	close(f.release)
	rest, err := c.Rest()
	if err != nil || len(rest) == 0 {
		t.Fatalf("got %v, %v", rest, err)
	}
	wantText(t, rest[len(rest)-1], "late")
}

// refusedWhileStopping sends requests until the server has noticed the stop.
func refusedWhileStopping(t *testing.T, c *stdioClient) {
	t.Helper()
	for i := range 10000 {
		if reply := c.Ask(wiretest.Modern.Call(fmt.Sprint("s", i), "echo", nil)); reply.Error != nil {
			wantError(t, reply, -32000, "stopping")
			return
		}
	}
	t.Error("requests are still taken")
}

func TestStdioDrainLimitCutsOffWithAnAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, stdioDrainLimitCutsOff)
}

func stdioDrainLimitCutsOff(t *testing.T) {
	c := startStdio(t, newFixtures())
	for i := range running + 1 { // the last one waits
		c.Send(wiretest.Modern.Call(i, "block", nil))
	}
	c.CloseInput()
	time.Sleep(time.Minute)
	rest, err := c.Rest()
	if err != nil || len(rest) != running+1 {
		t.Fatalf("got %v, %v", rest, err)
	}
	for _, reply := range rest {
		if reply.Error == nil {
			t.Errorf("%s", reply.Raw)
		}
	}
}

func TestStdioSubscriptionEndsWithTheInput(t *testing.T) {
	t.Parallel()
	c := startStdio(t, newFixtures())
	listen := wiretest.Modern.Request("sub", "subscriptions/listen",
		wiretest.Object{"notifications": wiretest.Object{"toolsListChanged": true}}, nil)
	if ack := c.Ask(listen); ack.Method != "notifications/subscriptions/acknowledged" ||
		ack.Param("_meta", "io.modelcontextprotocol/subscriptionId") != "sub" {
		t.Fatalf("not acknowledged: %s", ack.Raw)
	}
	c.CloseInput()
	rest, err := c.Rest()
	if err != nil || len(rest) != 1 || string(rest[0].ID) != `"sub"` || rest[0].Error != nil {
		t.Errorf("got %v, %v", rest, err)
	}
}

// brokenPipe fails like the output of a client that has gone.
type brokenPipe struct{}

// Write implements io.Writer.
func (brokenPipe) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestStdioEndsWhenClientExits(t *testing.T) {
	t.Parallel()
	in, toServer := io.Pipe()
	defer toServer.Close()
	ended := make(chan error, 1)
	go func() {
		ended <- newServer(newFixtures(), nil).ServeStdio(t.Context(), in, brokenPipe{}, tester(""))
	}()
	_, _ = io.WriteString(toServer, wiretest.Modern.Call(1, "echo", nil)+"\n")
	select {
	case err := <-ended:
		if !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("got %v", err)
		}
	case <-time.After(wiretest.Patience):
		t.Fatal("the server goes on without a client")
	}
}
