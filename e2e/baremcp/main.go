// Command baremcp is the least that a stdio server on mcp-go can be: one tool,
// nothing behind it. The benchmark of the start compares the program with it.
package main

import (
	"context"
	"log"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

func main() {
	s := server.NewMCPServer("bare", "1", server.WithToolCapabilities(true))
	s.AddTool(mcp.NewTool("echo", mcp.WithString("text")), echo)
	if err := server.ServeStdio(s); err != nil {
		log.Fatal(err)
	}
}

func echo(_ context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	return mcp.NewToolResultText(request.GetString("text", "")), nil
}
