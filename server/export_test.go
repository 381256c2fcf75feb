package server

import (
	"context"
	"net/http"
)

// Handler is what ServeListener serves, without a listener.
func (s *Server) Handler(o HTTPOptions) http.Handler {
	return s.newHTTPTransport(context.Background(), o.withDefaults())
}

// MonitorHandler is what ServeMonitor serves, without a listener.
func (s *Server) MonitorHandler(o HTTPOptions) http.Handler {
	return http.HandlerFunc(s.newMonitor(context.Background(), o).serveMonitor)
}
