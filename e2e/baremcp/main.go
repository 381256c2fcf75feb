// Command baremcp is the least that a server on mcp-go can be: one tool, nothing
// behind it. The benchmarks compare the program with it. Without an argument it
// serves stdio; with http it serves streamable HTTP without sessions, and with same URL
// TOKEN TOOL it does so with the tools of another server, and answers always what that
// one answers for the tool now: they print {"url"} and end with their input.
package main

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"os"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

func main() {
	if err := serve(os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

func serve(args []string) error {
	switch {
	case len(args) == 0:
		return server.ServeStdio(bare())
	case args[0] == "same" && len(args) == 4:
		s, err := same(args[1], args[2], args[3])
		if err != nil {
			return err
		}
		return serveHTTP(s)
	default:
		return serveHTTP(bare())
	}
}

func bare() *server.MCPServer {
	s := server.NewMCPServer("bare", "1", server.WithToolCapabilities(true))
	s.AddTool(mcp.NewTool("echo", mcp.WithString("text")), echo)
	return s
}

func echo(_ context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	return mcp.NewToolResultText(request.GetString("text", "")), nil
}

// same asks a server for its tools and for the answer of one of them.
func same(url, token, tool string) (*server.MCPServer, error) {
	ctx := context.Background()
	peer, err := client.NewStreamableHttpClient(url, transport.WithHTTPHeaders(map[string]string{"Authorization": "Bearer " + token}))
	if err != nil {
		return nil, err
	}
	defer peer.Close()
	if _, err := peer.Initialize(ctx, mcp.InitializeRequest{}); err != nil {
		return nil, err
	}
	list, err := peer.ListTools(ctx, mcp.ListToolsRequest{})
	if err != nil {
		return nil, err
	}
	answer, err := peer.CallTool(ctx, mcp.CallToolRequest{Params: mcp.CallToolParams{Name: tool}})
	if err != nil {
		return nil, err
	}
	s := server.NewMCPServer("same", "1", server.WithToolCapabilities(true))
	for _, t := range list.Tools {
		s.AddTool(t, func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) { return answer, nil })
	}
	return s, nil
}

func serveHTTP(s *server.MCPServer) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	if err := json.NewEncoder(os.Stdout).Encode(map[string]string{"url": "http://" + listener.Addr().String() + "/mcp"}); err != nil {
		return err
	}
	return http.Serve(listener, server.NewStreamableHTTPServer(s, server.WithStateLess(true)))
}
