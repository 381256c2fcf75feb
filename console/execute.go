package console

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
	"mcp-partner/tools"
)

// resultKept is how long a page shows how a call ended that was made here; the record
// keeps it.
const resultKept = time.Hour

// executions are the calls that people made here of what was approved, by approval.
type executions struct {
	mu   sync.Mutex
	list map[string]*execution
}

// execution is one of them. The zero value and nil are one that was not begun.
type execution struct {
	mu     sync.Mutex
	text   string
	result *answers.Envelope
	ended  time.Time
}

// begin returns a new execution, or false while there is one under way.
func (e *executions) begin(id string, now time.Time) (*execution, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for old, x := range e.list {
		if text, _ := x.now(); text == "" && now.Sub(x.ended) > resultKept {
			delete(e.list, old)
		}
	}
	if text, _ := e.list[id].now(); text != "" {
		return nil, false
	}
	if e.list == nil {
		e.list = map[string]*execution{}
	}
	e.list[id] = &execution{text: "Reading the link"}
	return e.list[id], true
}

func (e *executions) of(id string) *execution {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.list[id]
}

// now returns how far it is, "" if it is not under way, and how it ended.
func (x *execution) now() (text string, result *answers.Envelope) {
	if x == nil {
		return "", nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.text, x.result
}

// progress notes a step. One that is told late, after the end, changes nothing.
func (x *execution) progress(step, total int, message string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.result != nil {
		return
	}
	x.text = fmt.Sprintf("%s (%d of %d)", message, step, total)
}

func (x *execution) end(result answers.Envelope, now time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.text, x.result, x.ended = "", &result, now
}

// execute carries out what was approved. The browser goes on at once; this request ends
// with the call, so that a server which stops waits for it.
func (c *Console) execute(v *visit) error {
	a, err := v.approval()
	if err != nil {
		return err
	}
	if !v.may(access.ScopeApprove) {
		return errNotHere
	}
	if a.State != guard.StateApproved {
		return v.back(approvalPath(a.ID)) // the page says why
	}
	begun, first := c.executions.begin(a.ID, c.o.Now())
	v.w.Header().Set("Content-Length", "0")
	if err := v.back(approvalPath(a.ID)); err != nil || !first {
		return err
	}
	_ = http.NewResponseController(v.w).Flush() // who does not get it early gets it late
	result := tools.Result{Envelope: answers.Envelope{Status: answers.StatusFailed, Problem: problems.New(problems.CodeInternal, "The call broke off. The record says what was written.")}}
	defer func() { begun.end(result.Envelope, c.o.Now()) }() // also after a panic
	result = c.o.Service.Execute(context.WithoutCancel(v.r.Context()), v.by, a.ID, begun.progress)
	return nil
}

// showProgress answers the script of a page that waits.
func (c *Console) showProgress(v *visit) error {
	a, err := v.approval()
	if err != nil {
		return err
	}
	text, _ := c.executions.of(a.ID).now()
	return v.polled(text, text == "")
}
