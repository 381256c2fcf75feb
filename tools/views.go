package tools

import (
	"context"
	"slices"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"

	"mcp-partner/schemas"
)

const (
	// viewsExtension is with what a client declares that it shows views (MCP Apps,
	// 2026-01-26), and mimeView what a view is.
	viewsExtension = "io.modelcontextprotocol/ui"
	mimeView       = "text/html;profile=mcp-app"
	// resourceView is the page that shows an audit and the roles of a tenant.
	resourceView = "ui://mcp-partner/report"
)

// showsViews reports whether the client of a request shows views.
func showsViews(ctx context.Context) bool {
	var can mcp.ClientCapabilities
	if info := mcpserver.RequestProtocolInfoFromContext(ctx); info != nil && info.ClientCapabilities != nil {
		can = *info.ClientCapabilities
	} else if session, ok := mcpserver.ClientSessionFromContext(ctx).(mcpserver.SessionWithClientInfo); ok {
		can = session.GetClientCapabilities()
	}
	declared, _ := can.Extensions[viewsExtension].(map[string]any)
	kinds, _ := declared["mimeTypes"].([]any)
	return slices.Contains(kinds, any(mimeView))
}

// FitTools and FitResources fit lists to the client: one that shows views is told which
// tools have one, and any other gets the lists as if there were none.
func FitTools(ctx context.Context, list []mcp.Tool) {
	if !showsViews(ctx) {
		return
	}
	for i := range list {
		if list[i].Name == schemas.ToolAuditPartnerLinks || list[i].Name == schemas.ToolCheckPECRoles {
			list[i].Meta = &mcp.Meta{AdditionalFields: map[string]any{"ui": map[string]any{"resourceUri": resourceView}}}
		}
	}
}

// FitResources is FitTools for resources.
func FitResources(ctx context.Context, list []mcp.Resource) []mcp.Resource {
	if showsViews(ctx) {
		return list
	}
	return slices.DeleteFunc(slices.Clone(list), func(r mcp.Resource) bool { return r.URI == resourceView })
}

// addView adds the page. It declares no address, so that clients give it no network.
func (s *Service) addView(m *mcpserver.MCPServer) {
	if s.deps.View == nil {
		return
	}
	m.AddResource(mcp.NewResource(resourceView, "report", mcp.WithResourceTitle("Report of links and roles"), mcp.WithMIMEType(mimeView),
		mcp.WithResourceDescription("What a client shows beside an audit or the roles of a tenant.")), static(mimeView, s.view))
}

func (s *Service) view() string {
	console := ""
	if s.deps.Console && s.deps.PublicURL != "" {
		console = s.deps.PublicURL + "/console/"
	}
	return s.deps.View(console)
}
