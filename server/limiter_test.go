package server

import (
	"fmt"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"

	"mcp-partner/guard"
)

// Callers who came and went take no log messages from those who come later.
func TestLogLevelsOfCallersWhoLeftMakeRoom(t *testing.T) {
	t.Parallel()
	book := newLevelBook()
	of := func(n int) callerLevel { return callerLevel{book, guard.Caller(fmt.Sprint("oidc:", n))} }
	for n := range maxLevels + 10 {
		of(n).SetLevel(mcp.LoggingLevelInfo)
		of(0).Level() // who goes on calling is not forgotten
	}
	for n, want := range map[int]mcp.LoggingLevel{0: mcp.LoggingLevelInfo, 1: "", maxLevels + 9: mcp.LoggingLevelInfo, maxLevels + 10: ""} {
		if got := of(n).Level(); got != want {
			t.Errorf("caller %d: %q, want %q", n, got, want)
		}
	}
	if n := book.byCaller.Len(); n != maxLevels {
		t.Errorf("%d levels are kept", n)
	}
}
