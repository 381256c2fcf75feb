// Package server carries MCP over stdio and over streamable HTTP.
//
// It composes one mcp-go server (New) and puts two transports of its own in front
// of it: a stdio loop (Server.ServeStdio) and a chain of HTTP gates
// (Server.ServeListener). Both check a message before mcp-go sees it, answer errors
// in words a reader can act on, and give each request a Notifier of its own, so
// that a notification goes out on the stream of the request it belongs to and
// ahead of its answer.
//
// Every revision from 2024-11-05 to 2026-07-28 is served; the era is decided
// per request, by the protocol version in its _meta.
package server

import (
	"cmp"
	"context"
	"log/slog"
	"sync/atomic"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"

	"mcp-partner/access"
	"mcp-partner/internal/xslices"
)

// listTTL is how long a client may reuse a list that cannot change while the
// program runs, in milliseconds.
const listTTL = 5 * 60 * 1000

// Registrar adds tools, resources and prompts. Production and test programs
// register through the same wiring.
type Registrar interface {
	Register(*mcpserver.MCPServer)
}

// Completions suggest values for arguments of prompts and of resource templates.
type Completions interface {
	mcpserver.PromptCompletionProvider
	mcpserver.ResourceCompletionProvider
}

// Options are what a Server is made of. Name and Version are required.
type Options struct {
	Name, Title, Version string
	// Instructions tell an agent what the server is for and what to do first.
	Instructions string
	Registrar    Registrar
	Completions  Completions
	// Authorize returns nil if a principal may use a tool, and else why not. It
	// decides which tools a caller is shown, before any is called; nil shows all.
	// What a call may do is checked in its own path.
	Authorize func(p access.Principal, tool string) error
	// Remote makes a request part of the trace that it names, by its _meta and
	// its headers; nil ignores both. header is nil on stdio.
	Remote func(ctx context.Context, meta, header func(string) string) context.Context
	// Logger gets transport errors and panics; never arguments or results.
	Logger *slog.Logger
}

// Server is an MCP server without a transport. It may serve any number of
// stdio connections and HTTP listeners at once.
type Server struct {
	mcp *mcpserver.MCPServer
	log *slog.Logger
	// remote is Options.Remote.
	remote func(ctx context.Context, meta, header func(string) string) context.Context
	conns  atomic.Int64
}

// New composes a server.
func New(o Options) *Server {
	s := &Server{log: cmp.Or(o.Logger, slog.New(slog.DiscardHandler)), remote: o.Remote}
	s.mcp = mcpserver.NewMCPServer(o.Name, o.Version, s.options(o)...)
	if o.Registrar != nil {
		o.Registrar.Register(s.mcp)
	}
	return s
}

// options declares what the server can do. Elicitation is missing on purpose:
// it is a capability of clients.
func (s *Server) options(o Options) []mcpserver.ServerOption {
	opts := []mcpserver.ServerOption{
		mcpserver.WithTitle(o.Title),
		mcpserver.WithInstructions(o.Instructions),
		mcpserver.WithToolCapabilities(true),
		mcpserver.WithResourceCapabilities(false, true),
		mcpserver.WithPromptCapabilities(true),
		mcpserver.WithLogging(),
		mcpserver.WithHooks(s.hooks(o.Authorize)),
		mcpserver.WithPromptHandlerMiddleware(checkPromptArguments),
	}
	if o.Completions != nil {
		opts = append(opts, mcpserver.WithCompletions(), mcpserver.WithPromptCompletionProvider(o.Completions), mcpserver.WithResourceCompletionProvider(o.Completions))
	}
	return append(opts, cacheHints()...)
}

// cacheHints lets clients keep what is fixed while the program runs. What a
// caller sees may depend on who it is, so nothing is shared between callers;
// everything else keeps mcp-go's default, which is to ask again.
func cacheHints() []mcpserver.ServerOption {
	fixed := []mcp.MCPMethod{
		mcp.MethodToolsList, mcp.MethodPromptsList, mcp.MethodResourcesTemplatesList, mcp.MethodServerDiscover,
	}
	return xslices.Map(fixed, func(method mcp.MCPMethod) mcpserver.ServerOption {
		return mcpserver.WithMethodCacheHints(method, listTTL, mcp.CacheScopePrivate)
	})
}
