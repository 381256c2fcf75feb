package server

import (
	"context"
	"io"
	"net/http"

	"mcp-partner/access"
)

// Handler is what ServeListener serves, without a listener.
func (s *Server) Handler(o HTTPOptions) http.Handler {
	return s.newHTTPTransport(context.Background(), o.withDefaults())
}

// ServeStdioFrames is ServeStdio with another limit of a line than maxFrame.
func (s *Server) ServeStdioFrames(ctx context.Context, in io.Reader, out io.Writer, limit int) error {
	c := s.newStdioConn(context.WithoutCancel(ctx), out, access.Principal{Caller: "frames"})
	c.frames = limit
	return c.serve(ctx, in)
}

// MonitorHandler is what ServeMonitor serves, without a listener.
func (s *Server) MonitorHandler(o HTTPOptions) http.Handler {
	return http.HandlerFunc(s.newMonitor(context.Background(), o).serveMonitor)
}
