package server_test

import (
	"bufio"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mcp-partner/internal/wiretest"
)

func TestHTTPStopLetsCallsEnd(t *testing.T) {
	t.Parallel()
	f := newFixtures()
	c := startHTTP(t, f)
	request := c.NewRequest(wiretest.Modern.Call(1, "block", wiretest.Object{"text": "last"}))
	answered := make(chan wiretest.Answer, 1)
	go func() {
		answer, _ := c.Try(request)
		answered <- answer
	}()
	<-f.started
	stream := openStream(t, c)
	c.Stop()
	if _, err := io.ReadAll(stream); err != nil {
		t.Errorf("the subscription did not end well: %v", err)
	}
	close(f.release)
	wantText(t, (<-answered).Last(t), "last")
	if err := c.Ended(); err != nil {
		t.Error(err)
	}
}

// openStream opens a subscription and waits for its acknowledgement.
func openStream(t *testing.T, c *httpServer) io.Reader {
	t.Helper()
	response, err := c.Open(c.NewRequest(wiretest.Modern.Request("sub", "subscriptions/listen",
		wiretest.Object{"notifications": wiretest.Object{"toolsListChanged": true}}, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	stream := bufio.NewReader(response.Body)
	for {
		line, err := stream.ReadString('\n')
		if err != nil {
			t.Fatalf("no acknowledgement: %v", err)
		}
		if strings.Contains(line, "notifications/subscriptions/acknowledged") {
			return stream
		}
	}
}

func TestHTTPStopCutsOffAtItsLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, stopCutsOff)
}

func stopCutsOff(t *testing.T) {
	f := newFixtures()
	c := serveInMemory(t, newServer(f, nil), httpOptions(), goodToken)
	request := c.NewRequest(wiretest.Modern.Call(1, "block", nil))
	go func() { _, _ = c.Try(request) }()
	<-f.started
	c.Stop()
	time.Sleep(time.Minute)
	if err := c.Ended(); err == nil || !strings.Contains(err.Error(), "after 30s and were canceled") {
		t.Errorf("got %v", err)
	}
}
