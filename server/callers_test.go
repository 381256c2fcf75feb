package server_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"

	"mcp-partner/internal/testkit"
	"mcp-partner/internal/wiretest"
)

// Sixteen callers at once, each with a bearer of its own and all with the same
// request ID. Each gets its own progress and log messages, all of them, in order
// and ahead of its answer; an onlooker with an open subscription gets nothing.
func TestHTTPConcurrentCallersAreIsolated(t *testing.T) {
	t.Parallel()
	overEachHTTP(t, func(t *testing.T, start starter) {
		for _, era := range wiretest.Eras() {
			f := newFixtures()
			c := start(t, newServer(f, nil), httpOptions(), goodToken)
			c.Bearer = goodToken + "-onlooker"
			onlooker := openStream(t, c)
			var callers sync.WaitGroup
			for i := range 16 {
				callers.Go(func() { callAlone(t, c, era, fmt.Sprintf("caller-%d", i)) })
			}
			callers.Wait()
			c.Stop()
			rest, err := io.ReadAll(onlooker)
			if err != nil || strings.Contains(string(rest), "caller-") || strings.Contains(string(rest), "notifications/progress") || strings.Contains(string(rest), "notifications/message") {
				t.Errorf("the onlooker got %q, %v", rest, err)
			}
		}
	})
}

// callAlone makes eight calls as one caller and looks at every message that
// comes back.
func callAlone(t *testing.T, c *httpServer, era wiretest.Era, name string) {
	as := func(body string) wiretest.Answer {
		r := c.NewRequest(body)
		r.Header.Set("Authorization", "Bearer "+goodToken+"-"+name)
		answer, err := c.Try(r)
		if err != nil {
			t.Error(err)
		}
		return answer
	}
	if era == wiretest.Legacy {
		as(era.Request(0, "logging/setLevel", wiretest.Object{"level": "debug"}, nil))
	}
	for i := range 4 {
		token := fmt.Sprintf("%s-%d", name, i)
		answer := as(era.Request(1, "tools/call", wiretest.Object{
			"name": "notify", "arguments": wiretest.Object{"text": token}, "_meta": wiretest.Object{"progressToken": token},
		}, nil))
		if err := ownStream(t, answer, token); err != nil {
			t.Errorf("%s: %v", era, err)
		}
		logged := as(era.Request(1, "tools/call", wiretest.Object{
			"name": "log", "arguments": wiretest.Object{"text": token},
			"_meta": wiretest.Object{"io.modelcontextprotocol/logLevel": "debug"},
		}, nil))
		replies := logged.Replies(t)
		if len(replies) != 4 || resultText(replies[3]) != token {
			t.Errorf("%s %s: got %s", era, token, logged.Body)
		}
	}
}

// A log level belongs to its caller: another caller's does not change.
func TestHTTPLogLevelIsPerCaller(t *testing.T) {
	t.Parallel()
	c := startHTTP(t, newFixtures())
	c.Bearer = goodToken + "-loud"
	c.Post(wiretest.Legacy.Request(1, "logging/setLevel", wiretest.Object{"level": "debug"}, nil))
	if got := len(c.Post(wiretest.Legacy.Call(2, "log", nil)).Replies(t)); got != 4 {
		t.Errorf("the caller who asked for all gets %d messages", got)
	}
	c.Bearer = goodToken + "-quiet"
	if got := len(c.Post(wiretest.Legacy.Call(2, "log", nil)).Replies(t)); got != 1 {
		t.Errorf("another caller gets %d messages", got)
	}
}

// There is nothing that could be resumed: no session is given out, none is
// taken, and an event ID of another call leads to no other stream.
func TestHTTPCallsCannotBeResumed(t *testing.T) {
	t.Parallel()
	// An older client's event ID means nothing; 2026-07-28 has none.
	for era, resumed := range map[wiretest.Era]int{wiretest.Legacy: 200, wiretest.Modern: 400} {
		t.Run(string(era), func(t *testing.T) {
			t.Parallel()
			f := newFixtures()
			c := startHTTP(t, f)
			victim := c.NewRequest(era.Call(7, "block", wiretest.Object{"text": "victim"}))
			answered := make(chan wiretest.Answer, 1)
			go func() {
				answer, _ := c.Try(victim)
				answered <- answer
			}()
			<-f.started
			c.Bearer = goodToken + "-thief"
			for _, session := range []string{"", "mcp-session-0b5a1d1e-0c5c-4f36-8a0a-2f3c8f1f6c11", "../../etc/passwd", strings.Repeat("x", 4096), "s\u00e9ance", "a b;c=d", "0"} {
				for method, want := range map[string]int{"GET": 405, "DELETE": 405, "POST": resumed} {
					r := c.NewRequest(era.Call(7, "echo", wiretest.Object{"text": "thief"}))
					r.Method = method
					r.Header.Set("Last-Event-Id", "1")
					r.Header.Set("Mcp-Session-Id", session)
					answer := c.Do(r)
					if answer.Status != want || strings.Contains(string(answer.Body), "victim") || answer.Header.Get("Mcp-Session-Id") != "" {
						t.Errorf("%s with session %.20q: %d %v %s", method, session, answer.Status, answer.Header, answer.Body)
					}
				}
			}
			close(f.release)
			wantText(t, (<-answered).Last(t), "victim")
		})
	}
}

// comeAndGo has clients that connect, call and leave: well, in the middle of
// their call, before its end is read, and without a word.
func comeAndGo(t *testing.T, c *httpServer, clients int) {
	t.Helper()
	var all sync.WaitGroup
	places := make(chan struct{}, 32)
	for i := range clients {
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			conn, err := net.Dial("tcp", c.Addr)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			era := wiretest.Eras()[i%2]
			r := c.NewRequest(era.Call(i, []string{"echo", "notify", "block", "echo"}[i%4], wiretest.Object{"text": "x"}))
			r.Header.Set("Authorization", fmt.Sprintf("Bearer %s-%d", goodToken, i))
			if i%4 == 3 {
				return
			}
			if err := r.Write(conn); err != nil || i%4 != 0 {
				return
			}
			_, _ = io.CopyN(io.Discard, conn, 12) // the status line has come
		})
	}
	all.Wait()
}

// settled waits until all connections are gone and returns what is held.
func settled(t *testing.T, f *fixtures) (goroutines int, heap uint64) {
	t.Helper()
	same := 0
	testkit.WaitFor(t, "the number of goroutines stays the same", func() bool {
		for len(f.started) > 0 {
			<-f.started
		}
		for len(f.finished) > 0 {
			<-f.finished
		}
		last := goroutines
		if goroutines = runtime.NumGoroutine(); goroutines != last {
			same = 0
		}
		same++
		return same > 5
	})
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return goroutines, m.HeapAlloc
}

// Not parallel, because what it counts belongs to the whole process.
func TestMemoryIsFreedWhenClientsLeave(t *testing.T) {
	testkit.SkipShort(t, testkit.Load)
	f := newFixtures()
	c := startHTTP(t, f)
	comeAndGo(t, c, 1000) // fills pools, and the book of levels
	goroutines, heap := settled(t, f)
	comeAndGo(t, c, 2000)
	afterG, afterH := settled(t, f)
	t.Logf("goroutines %d, then %d; heap %d KiB, then %d KiB", goroutines, afterG, heap>>10, afterH>>10)
	if afterG > goroutines+8 {
		t.Errorf("goroutines grew from %d to %d", goroutines, afterG)
	}
	if afterH > heap+512<<10 {
		t.Errorf("the heap grew from %d to %d KiB", heap>>10, afterH>>10)
	}
	http.DefaultClient.CloseIdleConnections()
	wantText(t, c.Post(wiretest.Modern.Call(1, "echo", wiretest.Object{"text": "alive"})).Last(t), "alive")
}
