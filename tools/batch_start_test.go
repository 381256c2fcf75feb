package tools_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mcp-partner/fleet"
	"mcp-partner/guard"
	"mcp-partner/internal/testkit"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/search"
	"mcp-partner/simulator"
	"mcp-partner/tools"
)

// doors hold the PUTs that come to them, each in its own way.
type doors struct {
	next http.RoundTripper
	n    atomic.Int64
	at   []func() error
}

func (d *doors) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPut {
		if n := int(d.n.Add(1)) - 1; n < len(d.at) {
			if err := d.at[n](); err != nil {
				return nil, err
			}
		}
	}
	return d.next.RoundTrip(r)
}

// A resumption that meets the start of a server, which only completes what has
// begun, begins the other tenants after it.
func TestResumptionContinuesAfterStartCompletes(t *testing.T) {
	t.Parallel()
	h := fleetOf(t, 3, unasked)
	for _, name := range names(h) {
		h.link(name, oldID)
	}
	hangs, dead, completes, goOn := make(chan struct{}), make(chan struct{}), make(chan struct{}), make(chan struct{})
	h.http.Transport = &doors{next: h.http.Transport, at: []func() error{
		func() error { close(hangs); <-dead; return errors.New("the process is gone") },
		func() error { close(completes); <-goOn; return nil },
	}}
	dying := h.service
	var all sync.WaitGroup
	defer func() { close(dead); dying.Close(); all.Wait() }()
	ctx, hangUp := context.WithCancel(t.Context())
	var run string
	all.Go(func() {
		<-hangs
		hangUp()
	})
	run = dying.Call(ctx, tools.Call{
		Tool: schemas.ToolTransitionPartner, Arguments: json.RawMessage(replacing[:len(replacing)-1] + `,"first":1}`), Principal: trusted("test"), Confirmer: tools.NoConfirmer{},
	}).Envelope.RunID
	// As long as the write may be at work nobody judges it, and a start does not wait.
	h.hurry(h.guard, time.Hour)
	if _, err := h.service.Reconcile(t.Context()); err != nil || h.writes() != 1 {
		t.Errorf("%d writes, %v", h.writes(), err)
	}
	if e := h.call(schemas.ToolTransitionPartner, `{"run_id":"`+run+`"}`); e.Totals["unfinished"] != 1 || !strings.HasPrefix(e.Summary, "STRANDED: 1 ") {
		t.Errorf("%v: %s", e.Totals, e.Summary)
	}
	h.hurry(h.guard, 1)
	all.Go(func() {
		if _, err := h.service.Reconcile(context.Background()); err != nil {
			t.Error(err)
		}
	})
	<-completes
	answer := make(chan answers.Envelope)
	all.Go(func() { answer <- h.call(schemas.ToolTransitionPartner, `{"run_id":"`+run+`","resume":true}`) })
	close(goOn)
	if e := <-answer; e.Status != answers.StatusDone || e.Totals["done"] != 1 || e.Totals["beyond_first"] != 2 || h.writes() != 2 {
		t.Errorf("%v, %d writes: %s", e.Totals, h.writes(), e.Summary)
	}
}

// lastWrite sends the first PUT, and then the process is gone.
type lastWrite struct {
	next http.RoundTripper
	sent atomic.Bool
	done chan struct{}
	dead chan struct{}
}

func (l *lastWrite) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := l.next.RoundTrip(r)
	if r.Method != http.MethodPut || !l.sent.CompareAndSwap(false, true) {
		return answer, err
	}
	if err == nil {
		_ = answer.Body.Close()
	}
	close(l.done)
	<-l.dead
	return nil, errors.New("the process is gone")
}

// A process dies after its PUT, and somebody removes the link before anybody
// looks. A 404 does not show that, so the link is made again; the row says what
// may have been, and what was where the versions tell. A provider that shows
// removed links tells before, and nothing is written.
func TestLinkRemovedBeforeNextStart(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		tool, arguments string
		tombstone       bool
		state           answers.ChangeState
		says            string
		puts            int
	}{
		"registered": {
			tool: schemas.ToolEnsurePartnerLinks, arguments: ensuring, state: answers.ChangeDone,
			says: "someone removed the link in between", puts: 2,
		},
		"replaced": {
			tool: schemas.ToolTransitionPartner, arguments: replacing, state: answers.ChangeDone,
			says: "written 4 times, but this run wrote 2 times", puts: 3,
		},
		"registered, and the answer says so": {
			tool: schemas.ToolEnsurePartnerLinks, arguments: ensuring, tombstone: true, state: answers.ChangeFailed, says: "Now: ", puts: 1,
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			h := fleetOf(t, 1, unasked)
			tenant := names(h)[0]
			if c.tool == schemas.ToolTransitionPartner {
				h.link(tenant, oldID)
			}
			last := &lastWrite{next: h.http.Transport, done: make(chan struct{}), dead: make(chan struct{})}
			h.http.Transport = last
			dying := h.service
			defer dying.Close()
			defer close(last.dead)
			ctx, hangUp := context.WithCancel(t.Context())
			go func() { <-last.done; hangUp() }()
			run := dying.Call(ctx, tools.Call{Tool: c.tool, Arguments: json.RawMessage(c.arguments), Principal: trusted("test"), Confirmer: tools.NoConfirmer{}}).Envelope.RunID
			if c.tombstone {
				h.inject(tenant, simulator.Rule{Kind: simulator.FaultDeleted200})
			}
			if err := h.sim.Tombstone(h.tenant(tenant).TenantID); err != nil {
				t.Fatal(err)
			}
			h.hurry(h.guard, 1)
			e := h.call(c.tool, `{"run_id":"`+run+`","resume":true}`)
			row := e.Changes[0]
			if row.State != c.state || !strings.Contains(row.Why, c.says) || h.writes() != c.puts {
				t.Errorf("%s, %d writes: %+v", e.Summary, h.writes(), row)
			}
		})
	}
}

// What was begun within fleet.Settled may be at work in another process, so upkeep
// leaves the run alone; a run older than that is completed, and its write made once.
func TestUpkeepLeavesYoungRunToItsProcess(t *testing.T) {
	t.Parallel()
	clock := testkit.NewClock(time.Now())
	h := fleetOf(t, 1, func(o *guard.Options) { unasked(o); o.Now = clock.Now })
	h.link(names(h)[0], oldID)
	hangs, dead := make(chan struct{}), make(chan struct{})
	h.http.Transport = &doors{next: h.http.Transport, at: []func() error{func() error { close(hangs); <-dead; return errors.New("the process is gone") }}}
	dying := h.service
	var all sync.WaitGroup
	defer func() { close(dead); dying.Close(); all.Wait() }()
	all.Go(func() {
		dying.Call(context.Background(), tools.Call{Tool: schemas.ToolTransitionPartner, Arguments: json.RawMessage(replacing), Principal: trusted("test"), Confirmer: tools.NoConfirmer{}})
	})
	<-hangs
	other := tools.NewService(tools.Deps{
		Directory: h.directory, Clients: h, Fleet: h.fleet, Guard: h.guard, Search: search.New(schemas.Catalogue(), schemaOf),
		Pause: time.Millisecond, Now: clock.Now,
	})
	clock.Advance(fleet.Settled - 1)
	if closed, err := other.Upkeep(t.Context()); closed != 0 || err != nil || h.writes() != 1 {
		t.Errorf("a young run: %d, %v, %d writes", closed, err, h.writes())
	}
	clock.Advance(1)
	if closed, err := other.Upkeep(t.Context()); closed != 1 || err != nil || h.writes() != 2 || h.linked(names(h)[0]) != newID {
		t.Errorf("an old run: %d, %v, %d writes", closed, err, h.writes())
	}
}
