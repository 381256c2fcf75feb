package server_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"

	"mcp-partner/internal/wiretest"
)

// BenchmarkToolCall calls a tool through the production transports. The metric
// x_bare is how many times as long a call takes as on a bare mcp-go server
// with its own transports, measured in the same run.
func BenchmarkToolCall(b *testing.B) {
	for _, era := range wiretest.Eras() {
		b.Run("stdio/"+string(era), func(b *testing.B) {
			compare(b, func(n int) { overStdio(b, era, n, ownStdio) }, func(n int) { overStdio(b, era, n, bareStdio) })
		})
		b.Run("http/"+string(era), func(b *testing.B) {
			own := httptest.NewServer(newServer(newFixtures(), nil).Handler(httpOptions()))
			defer own.Close()
			bare := httptest.NewServer(mcpserver.NewStreamableHTTPServer(bareServer(), mcpserver.WithStateLess(true)))
			defer bare.Close()
			compare(b, func(n int) { overHTTP(b, era, n, own) }, func(n int) { overHTTP(b, era, n, bare) })
		})
	}
}

// compare times both sides for the same number of calls, ours in the
// benchmark's own clock.
func compare(b *testing.B, ours, bare func(n int)) {
	b.ReportAllocs()
	b.ResetTimer()
	started := time.Now()
	ours(b.N)
	own := time.Since(started)
	b.StopTimer()
	started = time.Now()
	bare(b.N)
	b.ReportMetric(float64(own)/float64(time.Since(started)), "x_bare")
}

func bareServer() *mcpserver.MCPServer {
	m := mcpserver.NewMCPServer("bare", "1")
	m.AddTool(mcp.NewTool("echo"), echo)
	return m
}

type stdioServer func(ctx context.Context, in io.Reader, out io.Writer) error

func ownStdio(ctx context.Context, in io.Reader, out io.Writer) error {
	return newServer(newFixtures(), nil).ServeStdio(ctx, in, out, tester(""))
}

func bareStdio(ctx context.Context, in io.Reader, out io.Writer) error {
	return mcpserver.NewStdioServer(bareServer()).Listen(ctx, in, out)
}

// overStdio keeps up to 64 calls in flight, as the bare server's queue takes
// no more than 100.
func overStdio(b *testing.B, era wiretest.Era, n int, serve stdioServer) {
	fromClient, toServer := io.Pipe()
	fromServer, toClient := io.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, fromClient, toClient) }()
	window := make(chan struct{}, 64)
	go func() {
		for i := range n {
			window <- struct{}{}
			_, _ = io.WriteString(toServer, era.Call(i, "echo", wiretest.Object{"text": "x"})+"\n")
		}
	}()
	answers := bufio.NewReader(fromServer)
	for range n {
		if line, err := answers.ReadString('\n'); err != nil || strings.Contains(line, `"error"`) {
			b.Fatal(line, err)
		}
		<-window
	}
	_ = toServer.Close()
	cancel()
	<-ended
}

// overHTTP calls from 8 clients at once.
func overHTTP(b *testing.B, era wiretest.Era, n int, s *httptest.Server) {
	const clients = 8
	failed := make(chan string, clients)
	for client := range clients {
		go func() { failed <- callHTTP(era, n/clients+min(1, max(0, n%clients-client)), s) }()
	}
	for range clients {
		if failure := <-failed; failure != "" {
			b.Error(failure)
		}
	}
}

func callHTTP(era wiretest.Era, n int, s *httptest.Server) string {
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for i := range n {
		r, _ := http.NewRequest(http.MethodPost, s.URL+"/mcp", strings.NewReader(era.Call(i, "echo", wiretest.Object{"text": "x"})))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", "application/json, text/event-stream")
		r.Header.Set("Authorization", "Bearer "+goodToken)
		if era == wiretest.Modern {
			r.Header.Set("Mcp-Protocol-Version", string(era))
			r.Header.Set("Mcp-Method", "tools/call")
			r.Header.Set("Mcp-Name", "echo")
		}
		response, err := client.Do(r)
		if err != nil {
			return err.Error()
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil || response.StatusCode != 200 || strings.Contains(string(body), `"error"`) {
			return strconv.Itoa(response.StatusCode) + " " + string(body)
		}
	}
	return ""
}
