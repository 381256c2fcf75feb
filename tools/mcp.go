package tools

import (
	"context"
	"encoding/json"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"

	"mcp-partner/schemas"
)

// Register adds the tools, resources and prompts of the service to an MCP
// server. Requests must carry a principal, set by WithPrincipal.
func (s *Service) Register(m *mcpserver.MCPServer) {
	for _, op := range schemas.Catalogue() {
		tool := definition(op)
		if op.Effect.Writes() && !s.deps.Guard.WritesAllowed() {
			tool.Description = writesOff + tool.Description
		}
		m.AddTool(tool, s.toolHandler(m, op.Name))
	}
	s.addResources(m)
	s.addPrompts(m)
}

// definition is the operation as tools/list shows it. All four hints are set,
// because a client takes an absent one for the dangerous value.
func definition(op schemas.Operation) mcp.Tool {
	published := op.Published()
	return mcp.Tool{
		Name: op.Name, Title: op.Title, Description: op.Description(),
		RawInputSchema: published.Input, RawOutputSchema: published.Output,
		Annotations: mcp.ToolAnnotation{
			ReadOnlyHint:    new(!op.Effect.Writes()),
			DestructiveHint: new(op.Effect == schemas.EffectDestroy),
			IdempotentHint:  new(op.Repeatable),
			OpenWorldHint:   new(op.Azure),
		},
	}
}

func raw(value any) json.RawMessage {
	text, err := json.Marshal(value)
	if err != nil {
		panic("tools: " + err.Error()) // the catalogue is fixed, and a test marshals all of it
	}
	return text
}

func (s *Service) toolHandler(m *mcpserver.MCPServer, name string) mcpserver.ToolHandlerFunc {
	return func(ctx context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		result := s.Call(ctx, Call{
			Tool: name, Arguments: request.Params.RawArguments, Principal: PrincipalOf(ctx),
			Confirmer: confirmerOf(ctx, m, request), Progress: progressOf(ctx, request),
		})
		if result.Elicitation != nil {
			return inputRequired(*result.Elicitation), nil
		}
		return toolResult(result.Envelope), nil
	}
}

// toolResult wraps an envelope: structured, and as the same JSON in text for
// clients that read only that.
func toolResult(envelope schemas.Envelope) *mcp.CallToolResult {
	text := raw(envelope)
	return &mcp.CallToolResult{
		Content:           []mcp.Content{mcp.NewTextContent(string(text))},
		StructuredContent: json.RawMessage(text),
		IsError:           envelope.Status.IsError(),
	}
}

// progressOf notifies on the request's own stream, where the client gave a
// token to notify with.
func progressOf(ctx context.Context, request mcp.CallToolRequest) Progress {
	notifier := NotifierOf(ctx)
	if notifier == nil || request.Params.Meta == nil || request.Params.Meta.ProgressToken == nil {
		return nil
	}
	token := request.Params.Meta.ProgressToken
	return func(step, total int, message string) {
		// A client that is gone misses its progress, and the call goes on.
		_ = notifier.Notify("notifications/progress", mcp.ProgressNotificationParams{
			ProgressToken: token, Progress: float64(step), Total: float64(total), Message: message,
		})
	}
}
