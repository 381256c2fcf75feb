package server_test

import (
	"bufio"
	"io"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"

	"mcp-partner/internal/wiretest"
)

const listChanged = "notifications/tools/list_changed"

func listen(kinds ...string) string {
	filter := wiretest.Object{}
	for _, kind := range kinds {
		filter[kind] = true
	}
	return wiretest.Modern.Request("sub", "subscriptions/listen", wiretest.Object{"notifications": filter}, nil)
}

func addTool(f *fixtures) { f.mcp.AddTool(mcp.NewTool("late"), echo) }

func TestStdioBroadcastReachesSubscribers(t *testing.T) {
	t.Parallel()
	t.Run("handshake", func(t *testing.T) {
		t.Parallel()
		f := newFixtures()
		c := startStdio(t, f)
		c.Handshake(nil)
		addTool(f)
		if got := c.Next(); got.Method != listChanged {
			t.Errorf("got %s", got.Raw)
		}
	})
	t.Run("subscription", func(t *testing.T) {
		t.Parallel()
		f := newFixtures()
		c := startStdio(t, f)
		c.Ask(listen("toolsListChanged"))
		addTool(f)
		got := c.Next()
		if got.Method != listChanged || got.Param("_meta", "io.modelcontextprotocol/subscriptionId") != "sub" {
			t.Errorf("got %s", got.Raw)
		}
	})
	t.Run("another subscription", func(t *testing.T) {
		t.Parallel()
		f := newFixtures()
		c := startStdio(t, f)
		c.Ask(listen("promptsListChanged"))
		addTool(f)
		wantText(t, c.Ask(wiretest.Modern.Call(1, "late", wiretest.Object{"text": "quiet"})), "quiet")
	})
}

func TestHTTPBroadcastReachesTheStream(t *testing.T) {
	t.Parallel()
	f := newFixtures()
	stream := openStream(t, startHTTP(t, f))
	addTool(f)
	if !reads(stream, listChanged) {
		t.Error("the subscription got nothing")
	}
}

func reads(stream io.Reader, want string) bool {
	lines := bufio.NewScanner(stream)
	for lines.Scan() {
		if strings.Contains(lines.Text(), want) {
			return true
		}
	}
	return false
}
