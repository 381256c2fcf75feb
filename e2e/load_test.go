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

// contenders starts the program, with a vault, a ledger, a bearer and figures, a
// bare mcp-go server and a bare net/http server, each as a process of its own.
func contenders(b testing.TB) (ours, bare, floor loaded) {
	w := newWorld(b, oneTenant())
	w.settle("contoso")
	connection := w.cli("serve", "--http", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--log-level", "error").start(b).connection()
	tool := func(name string, arguments wiretest.Object) map[wiretest.Era]string {
		bodies := map[wiretest.Era]string{}
		for _, era := range wiretest.Eras() {
			bodies[era] = era.Request(1, "tools/call", wiretest.Object{"name": name, "arguments": arguments}, nil)
		}
		return bodies
	}
	program := filepath.Join(b.TempDir(), "baremcp")
	check(b, build(program, "mcp-partner/e2e/baremcp"))
	url := func(mode string) string {
		var at struct{ URL string }
		check(b, json.Unmarshal(invocation{path: program, args: []string{mode}}.start(b).line(), &at))
		return at.URL
	}
	echoes := tool("echo", wiretest.Object{"text": "contoso"})
	ours = loaded{"partner", connection.URL, connection.Token, tool(schemas.ToolListTenants, wiretest.Object{}), schemas.ToolListTenants, `"status":"done"`}
	bare = loaded{"mcp-go", url("http"), "", echoes, "echo", `"text":"contoso"`}
	floor = loaded{"net/http", url("nethttp"), "", echoes, "echo", `"text":"contoso"`}
	return ours, bare, floor
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
func compete(b *testing.B, era wiretest.Era, clients int, ours, bare, floor loaded) (mine, theirs, least burst) {
	const turns = 10
	for i := range turns {
		n := b.N*(i+1)/turns - b.N*i/turns
		b.StartTimer()
		mine.add(ours.fire(b, era, clients, n))
		b.StopTimer()
		theirs.add(bare.fire(b, era, clients, n))
		least.add(floor.fire(b, era, clients, n))
	}
	return mine, theirs, least
}

// BenchmarkHTTPToolCall calls a tool of the program over HTTP, with bearer,
// guard, ledger and figures, beside an echo on bare mcp-go and on bare net/http,
// in turn and in the same run: only the ratios mean something. x_mcpgo and
// x_nethttp are the calls in a second as a part of theirs, p99_x_mcpgo is how
// many times as long the slowest hundredth takes. ns/op is the program alone.
func BenchmarkHTTPToolCall(b *testing.B) {
	ours, bare, floor := contenders(b)
	for _, era := range wiretest.Eras() {
		for _, clients := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("%s/clients=%d", era, clients), func(b *testing.B) {
				for _, l := range []loaded{ours, bare, floor} {
					l.fire(b, era, clients, 2*clients) // connections, pools, caches
				}
				b.ResetTimer()
				mine, theirs, least := compete(b, era, clients, ours, bare, floor)
				if b.Failed() {
					return
				}
				b.ReportMetric(float64(b.N)/mine.took.Seconds(), "calls/s")
				b.ReportMetric(theirs.took.Seconds()/mine.took.Seconds(), "x_mcpgo")
				b.ReportMetric(least.took.Seconds()/mine.took.Seconds(), "x_nethttp")
				b.ReportMetric(mine.p99().Seconds()/theirs.p99().Seconds(), "p99_x_mcpgo")
			})
		}
	}
}
