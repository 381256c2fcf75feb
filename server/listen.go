package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// ServeListener serves HTTP on l until ctx is cancelled or l fails. Then it
// takes no more requests, ends subscription streams, lets calls end within
// DrainLimit and closes what is left. It returns nil after a cancelled context
// if every call ended in time. It closes l.
func (s *Server) ServeListener(ctx context.Context, l net.Listener, o HTTPOptions) error {
	o = o.withDefaults()
	stopping, stop := context.WithCancel(context.Background())
	defer stop()
	hs := s.httpServer(s.newHTTPTransport(stopping, o), o)
	failed := make(chan error, 1)
	go func() { failed <- hs.Serve(l) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve HTTP: %w", err)
	case <-ctx.Done():
	}
	stop()
	return drainHTTP(hs, o.DrainLimit)
}

func (s *Server) httpServer(h http.Handler, o HTTPOptions) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: o.HeaderLimit,
		IdleTimeout:       idleLimit,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}

func drainHTTP(hs *http.Server, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	err := hs.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.Join(fmt.Errorf("calls were still running after %s and were cut off", limit), hs.Close())
	}
	return err
}
