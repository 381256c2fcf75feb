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

	"mcp-partner/schemas"
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
func TestAResumptionMeetsTheNextStart(t *testing.T) {
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
		Tool: schemas.ToolTransitionPartner, Arguments: json.RawMessage(replacing[:len(replacing)-1] + `,"first":1}`), Principal: trusted("test"), Person: tools.Nobody{},
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
	answer := make(chan schemas.Envelope)
	all.Go(func() { answer <- h.call(schemas.ToolTransitionPartner, `{"run_id":"`+run+`","resume":true}`) })
	close(goOn)
	if e := <-answer; e.Status != schemas.StatusDone || e.Totals["done"] != 3 || h.writes() != 2*3 {
		t.Errorf("%v, %d writes: %s", e.Totals, h.writes(), e.Summary)
	}
}
