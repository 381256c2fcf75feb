package server

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"
)

// lineWriter writes whole lines, one at a time. After the first error it
// writes no more: half a line cannot be taken back.
type lineWriter struct {
	mu     sync.Mutex
	out    io.Writer
	err    error
	broken chan struct{}
	// shut is set when the connection is over; what comes later is dropped.
	shut atomic.Bool
}

func newLineWriter(out io.Writer) *lineWriter {
	return &lineWriter{out: out, broken: make(chan struct{})}
}

// write appends the line end, in the same Write call. It owns line.
func (w *lineWriter) write(line []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil || w.shut.Load() {
		return w.err
	}
	if _, err := w.out.Write(append(line, '\n')); err != nil {
		w.err = fmt.Errorf("write to the client: %w", err)
		close(w.broken)
	}
	return w.err
}

// failure is the error that broke the output, if one did. It does not wait for
// a write that hangs.
func (w *lineWriter) failure() error {
	select {
	case <-w.broken:
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.err
	default:
		return nil
	}
}
