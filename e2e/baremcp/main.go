// Command baremcp is the least that a server on mcp-go can be: one tool, nothing
// behind it. The benchmarks compare the program with it. Without an argument it
// serves stdio; with http it serves streamable HTTP without sessions, and with
// nethttp it only echoes bodies: both print {"url"} and end with their input.
package main

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"os"

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
	case args[0] == "http":
		return serveHTTP(server.NewStreamableHTTPServer(bare(), server.WithStateLess(true)))
	default:
		return serveHTTP(http.HandlerFunc(echoBody))
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

func echoBody(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // the client may have disconnected
}

func serveHTTP(h http.Handler) error {
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
	return http.Serve(listener, h)
}
