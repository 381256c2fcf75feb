package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"time"

	"mcp-partner/internal/untrusted"
)

// ServeMonitor serves health and metrics on a listener of its own until ctx is
// cancelled or l fails. Of the options only Health, Metrics, Hosts and TLS count;
// addresses and localhost are allowed beside the hosts. It closes l.
func (s *Server) ServeMonitor(ctx context.Context, l net.Listener, o HTTPOptions) error {
	t := s.newMonitor(ctx, o)
	hs := s.httpServer(http.HandlerFunc(t.serveMonitor), t.opts)
	hs.WriteTimeout, hs.ReadTimeout = writeLimit, t.opts.BodyLimit
	if err := serve(ctx, hs, l); err != nil {
		return fmt.Errorf("serve health and metrics: %w", err)
	}
	return hs.Close()
}

func (s *Server) newMonitor(ctx context.Context, o HTTPOptions) *httpTransport {
	o.MaxConnections, o.Hosts = monitorConnections, append([]string{"localhost"}, o.Hosts...)
	return s.newHTTPTransport(ctx, o.withDefaults())
}

// monitorConnections is plenty for those who watch over one process.
const monitorConnections = 64

const (
	// maxStreams is how many requests of one HTTP/2 connection are handled at once.
	maxStreams = 100
	// pingInterval is after how long a silent HTTP/2 connection is asked whether
	// anybody is there.
	pingInterval = time.Minute
)

// ServeListener serves HTTP on l until ctx is cancelled or l fails. Then it
// takes no more requests, ends subscription streams, lets calls end within
// drainLimit and closes what is left. It returns nil after a cancelled context
// if every call ended in time. It closes l.
func (s *Server) ServeListener(ctx context.Context, l net.Listener, o HTTPOptions) error {
	o = o.withDefaults()
	stopping, stop := context.WithCancel(context.Background())
	defer stop()
	hs := s.httpServer(s.newHTTPTransport(stopping, o), o)
	if err := serve(ctx, hs, l); err != nil {
		return fmt.Errorf("serve HTTP: %w", err)
	}
	stop()
	o.Health.stop()
	return drainHTTP(hs)
}

func (s *Server) httpServer(h http.Handler, o HTTPOptions) *http.Server {
	open := newConnections(o.MaxConnections)
	return &http.Server{
		Handler:           open.counting(impatient(h)),
		ReadHeaderTimeout: o.HeaderLimit,
		IdleTimeout:       o.IdleLimit,
		MaxHeaderBytes:    maxHeaderBytes,
		TLSConfig:         o.TLS,
		HTTP2:             http2Limits(),
		ConnState:         open.watch,
		ConnContext:       withConnection,
		ErrorLog:          log.New(connectionLog{s.log}, "", 0),
	}
}

// http2Limits bound what one connection can hold, and end one that takes nothing
// or is gone.
func http2Limits() *http.HTTP2Config {
	return &http.HTTP2Config{
		MaxConcurrentStreams:          maxStreams,
		MaxReceiveBufferPerConnection: 64 << 10, // the least that HTTP/2 has
		MaxReceiveBufferPerStream:     64 << 10,
		SendPingTimeout:               pingInterval,
		PingTimeout:                   writeLimit,
		WriteByteTimeout:              writeLimit,
	}
}

// impatient keeps net/http from waiting for clients for as long as they like.
// After the handler has returned it would wait for the rest of a body that nobody
// reads, such as that of a request which is refused, and for a client that takes
// no answer, and nobody could push such a connection out of its place. A
// handler that reads a body or writes a long answer sets its own deadline.
func impatient(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Without a body the deadline would end the call; over HTTP/2 nobody waits
		// for one, and a deadline that has passed cannot be moved.
		if r.ContentLength != 0 && r.ProtoMajor == 1 {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(lingerLimit))
		}
		defer beginAnswer(w, r)
		h.ServeHTTP(w, r)
	})
}

// beginAnswer bounds how long an answer may take to go out. Before a call has
// ended it would be too early: over HTTP/2 the deadline ends the call. From here
// on the connection counts as waiting.
func beginAnswer(w http.ResponseWriter, r *http.Request) {
	visitOf(r).rest()
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeLimit)) // in-memory writers have none
}

// serve returns nil when ctx is cancelled, or why l failed before.
func serve(ctx context.Context, hs *http.Server, l net.Listener) error {
	listen := hs.Serve
	if hs.TLSConfig != nil {
		listen = func(l net.Listener) error { return hs.ServeTLS(l, "", "") }
	}
	failed := make(chan error, 1)
	go func() { failed <- listen(l) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return nil
	}
}

// connectionLog gets what net/http says about connections. That a client broke off
// is of no interest; that none can be taken any more is.
type connectionLog struct{ log *slog.Logger }

func (f connectionLog) Write(line []byte) (int, error) {
	level := slog.LevelDebug
	if bytes.HasPrefix(line, []byte("http: Accept error")) {
		level = slog.LevelError
	}
	f.log.Log(context.Background(), level, "connection error", "reason", untrusted.Sanitize(string(line)))
	return len(line), nil
}

func drainHTTP(hs *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), drainLimit)
	defer cancel()
	err := hs.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.Join(fmt.Errorf("calls were still running after %s and were canceled", drainLimit), hs.Close())
	}
	return err
}
