package server

import (
	"fmt"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"

	"mcp-partner/access"
)

// Callers who came and went take no log messages from those who come later.
func TestLogLevelsOfAbsentCallersAreEvicted(t *testing.T) {
	t.Parallel()
	book := newLevelCache()
	of := func(n int) callerLevel { return callerLevel{book, access.Caller(fmt.Sprint("oidc:", n))} }
	for n := range maxLevels + 10 {
		of(n).set(mcp.LoggingLevelInfo)
		of(0).get() // who goes on calling is not forgotten
	}
	for n, want := range map[int]mcp.LoggingLevel{0: mcp.LoggingLevelInfo, 1: "", maxLevels + 9: mcp.LoggingLevelInfo, maxLevels + 10: ""} {
		if got := of(n).get(); got != want {
			t.Errorf("caller %d: %q, want %q", n, got, want)
		}
	}
	if n := book.Len(); n != maxLevels {
		t.Errorf("%d levels are kept", n)
	}
}

// Bodies are bounded for each caller and in all, and what is given back can be
// taken again.
func TestSharesBoundTotalAndPerCaller(t *testing.T) {
	t.Parallel()
	b := newShares(100, 60)
	for _, step := range []struct {
		name   string
		caller access.Caller
		take   int64
		want   bool
		give   int64
	}{
		{name: "one of the first", caller: "a", take: 50, want: true},
		{name: "beyond its share", caller: "a", take: 11, want: false},
		{name: "up to its share", caller: "a", take: 10, want: true},
		{name: "of another", caller: "b", take: 40, want: true},
		{name: "beyond all", caller: "c", take: 1, want: false},
		{name: "after some came back", caller: "a", give: 30, take: 0, want: true},
		{name: "of a third", caller: "c", take: 30, want: true},
		{name: "of nobody yet known", caller: "", take: 1, want: false},
	} {
		b.give(step.caller, step.give)
		if got := b.take(step.caller, step.take); got != step.want {
			t.Errorf("%s: %v", step.name, got)
		}
	}
	for caller, held := range map[access.Caller]int64{"a": 30, "b": 40, "c": 30} {
		b.give(caller, held)
	}
	if b.used != 0 || len(b.by) != 0 {
		t.Errorf("left: %d of %v", b.used, b.by)
	}
	if !b.take("d", 1000) {
		t.Error("a body larger than all has no room where there is nothing else")
	}
}

// An admission gives back all that it took, wherever it went meanwhile.
func TestAdmissionReleasesEverything(t *testing.T) {
	t.Parallel()
	calls, streams, bodies := newPlaces(4), newPlaces(4), newShares(100, 60)
	for range 10 {
		if !calls.take("", 1) {
			t.Fatal("no place")
		}
		a := &admission{places: calls, bodies: bodies}
		if !a.of("a") || !a.reserve(60) {
			t.Fatal("no room")
		}
		a.keep(7)
		if bodies.used != 7 || !a.move(streams) {
			t.Fatalf("%d bytes are held", bodies.used)
		}
		a.leave()
	}
	if calls.used+streams.used != 0 || len(calls.by)+len(streams.by) != 0 || bodies.used != 0 {
		t.Errorf("left: %v %v %d", calls.by, streams.by, bodies.used)
	}
}
