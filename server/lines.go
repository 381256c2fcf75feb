package server

import (
	"bufio"
	"bytes"
	"errors"
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
		return w.err // not written again
	default:
		return nil
	}
}

// errFrameTooLong means that a line was longer than the limit. It has been
// read to its end and thrown away; the next line can be read.
var errFrameTooLong = errors.New("frame too long")

// frameReader cuts a stream into lines without holding more than limit bytes
// of one.
type frameReader struct {
	in    *bufio.Reader
	limit int
}

// next returns the next line without its line end, in memory of its own. The
// last line may lack a line end. At the end of the stream the error is io.EOF.
func (r *frameReader) next() ([]byte, error) {
	var frame []byte
	for {
		part, err := r.in.ReadSlice('\n')
		if len(frame)+len(bytes.TrimRight(part, "\r\n")) > r.limit {
			return nil, r.skip(err)
		}
		frame = append(frame, part...)
		switch {
		case err == nil, err == io.EOF && len(frame) > 0:
			return bytes.TrimSuffix(bytes.TrimSuffix(frame, []byte("\n")), []byte("\r")), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}

// skip reads on to the end of a line that is too long; err is what reading its
// last part gave.
func (r *frameReader) skip(err error) error {
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = r.in.ReadSlice('\n')
	}
	if err != nil && err != io.EOF {
		return err
	}
	return errFrameTooLong
}
