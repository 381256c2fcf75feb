package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mcp-partner/internal/pgtest"
	"mcp-partner/internal/wiretest"
	"mcp-partner/schemas"
)

// loaded is one server under load and the calls that it gets.
type loaded struct {
	name, url, token string
	body             map[wiretest.Era]string
	tool             string
	// wants is part of each good answer.
	wants string
}

// contenders starts the program with a vault, a ledger, a bearer and figures, on SQLite
// and on PostgreSQL where that is installed, and beside it, each as a process of its
// own: a mcp-go server that gives the same answer under the same tools, and one that
// echoes a word.
func contenders(b *testing.B) []loaded {
	list := []loaded{partner(b, "sqlite", newWorld(b, oneTenant()))}
	if pgtest.Installed() {
		w := newWorld(b, oneTenant())
		w.keepOnServer()
		list = append(list, partner(b, "postgres", w))
	}
	program := filepath.Join(b.TempDir(), "baremcp")
	check(b, build(program, "mcp-partner/e2e/baremcp"))
	url := func(arguments ...string) string {
		var at struct{ URL string }
		check(b, json.Unmarshal(invocation{path: program, args: arguments}.start(b).line(), &at))
		return at.URL
	}
	same := list[0]
	same.name, same.url, same.token = "same", url("same", list[0].url, list[0].token, same.tool), ""
	echoes := calls("echo", wiretest.Object{"text": "contoso"})
	return append(list, same,
		loaded{"mcpgo", url("http"), "", echoes, "echo", `"text":"contoso"`})
}

func partner(b *testing.B, name string, w *world) loaded {
	w.settle("contoso")
	at := w.cli("serve", "--http", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--log-level", "error").start(b).connection()
	return loaded{name, at.URL, at.Token, calls(schemas.ToolListTenants, wiretest.Object{}), schemas.ToolListTenants, `"status":"done"`}
}

// calls are the bodies of a call of a tool.
func calls(tool string, arguments wiretest.Object) map[wiretest.Era]string {
	bodies := map[wiretest.Era]string{}
	for _, era := range wiretest.Eras() {
		bodies[era] = era.Request(1, "tools/call", wiretest.Object{"name": tool, "arguments": arguments}, nil)
	}
	return bodies
}

// burst is what came of a number of calls.
type burst struct {
	took      time.Duration
	latencies []time.Duration
}

func (l *burst) add(more burst) {
	l.took += more.took
	l.latencies = append(l.latencies, more.latencies...)
}

func (l burst) p99() time.Duration {
	slices.Sort(l.latencies)
	return l.latencies[len(l.latencies)*99/100]
}

// fire makes n calls from a number of clients at once, each over a connection
// of its own.
func (l loaded) fire(tb testing.TB, era wiretest.Era, clients, n int) burst {
	tb.Helper()
	each := make([][]time.Duration, clients)
	var left atomic.Int64
	left.Store(int64(n))
	var all sync.WaitGroup
	began := time.Now()
	for i := range clients {
		all.Go(func() {
			transport := &http.Transport{MaxIdleConnsPerHost: 1, DisableCompression: true}
			defer transport.CloseIdleConnections()
			client := &http.Client{Transport: transport}
			for left.Add(-1) >= 0 {
				start := time.Now()
				if err := l.call(client, era); err != nil {
					tb.Error(err)
					return
				}
				each[i] = append(each[i], time.Since(start))
			}
		})
	}
	all.Wait()
	return burst{time.Since(began), slices.Concat(each...)}
}

func (l loaded) call(client *http.Client, era wiretest.Era) error {
	r, err := http.NewRequest(http.MethodPost, l.url, strings.NewReader(l.body[era]))
	if err != nil {
		return err
	}
	r.Header = http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"}, "Mcp-Protocol-Version": {string(era)}}
	if l.token != "" {
		r.Header.Set("Authorization", "Bearer "+l.token)
	}
	if era == wiretest.Modern {
		r.Header["Mcp-Method"], r.Header["Mcp-Name"] = []string{"tools/call"}, []string{l.tool}
	}
	response, err := client.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK || !bytes.Contains(body, []byte(l.wants)) {
		return fmt.Errorf("%s answered %d %.300s, %v", l.name, response.StatusCode, body, err)
	}
	return nil
}

// compete has each make b.N calls, in turns, so that what else the machine does
// meets all of them. Only the first one's are timed.
func compete(b *testing.B, era wiretest.Era, clients int, list []loaded) []burst {
	const turns = 10
	all := make([]burst, len(list))
	for i := range turns {
		n := b.N*(i+1)/turns - b.N*i/turns
		for j, l := range list {
			if j == 0 {
				b.StartTimer()
			}
			all[j].add(l.fire(b, era, clients, n))
			b.StopTimer()
		}
	}
	return all
}

// BenchmarkHTTPToolCall calls a tool of the program over HTTP, with bearer, guard,
// ledger and figures, beside its contenders, in turn and in the same run: only the
// ratios mean something. x_NAME are the calls in a second of the program on SQLite as a
// part of the contender's, p99_x_NAME is how many times as long its slowest hundredth
// takes. ns/op is the program alone.
func BenchmarkHTTPToolCall(b *testing.B) {
	list := contenders(b)
	for _, era := range wiretest.Eras() {
		for _, clients := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("%s/clients=%d", era, clients), func(b *testing.B) {
				for _, l := range list {
					l.fire(b, era, clients, 2*clients) // connections, pools, caches
				}
				b.ResetTimer()
				all := compete(b, era, clients, list)
				if b.Failed() {
					return
				}
				mine := all[0]
				b.ReportMetric(float64(b.N)/mine.took.Seconds(), "calls/s")
				for j, theirs := range all[1:] {
					name := list[j+1].name
					b.ReportMetric(theirs.took.Seconds()/mine.took.Seconds(), "x_"+name)
					b.ReportMetric(mine.p99().Seconds()/theirs.p99().Seconds(), "p99_x_"+name)
				}
			})
		}
	}
}
