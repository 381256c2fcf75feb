// Package demo plays a scripted session: an MCP client talks to the real server
// over a stdio pipe, and each step shows the question, the answer, and whether
// the answer is right.
package demo

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"

	"mcp-partner/internal/cli/term"
)

// World controls the simulated Azure.
type World interface {
	// Throttle makes the next requests of a tenant end with 429 and Retry-After.
	Throttle(tenant string, times int, wait time.Duration)
	// Garble answers for a tenant with a gateway's HTML from then on.
	Garble(tenant string)
}

// Options configure a demo. All fields are required.
type Options struct {
	UI *term.UI
	// ServerOut is what the server writes, ServerIn what it reads: a stdio pipe.
	ServerOut io.Reader
	ServerIn  io.WriteCloser
	World     World
}

// The tenants of the demo: one without a link, one with a link to ForeignID, and one
// that is garbled.
const (
	Unlinked, Linked, broken = "contoso", "fabrikam", "northwind"
	// The partner IDs are made up.
	ForeignID, ourID, otherID = "7654321", "1234567", "2345678"
)

// OwnIDs are the partner's own IDs in the demo: the server calls a link to any
// other ID another partner's.
func OwnIDs() []string { return []string{ourID, otherID} }

// Run plays every step, then returns an error that names the first wrong one.
func Run(ctx context.Context, o Options) error {
	person := &person{}
	connection := client.NewClient(transport.NewIO(o.ServerOut, o.ServerIn, io.NopCloser(strings.NewReader(""))), client.WithElicitationHandler(person))
	if err := connection.Start(ctx); err != nil {
		return fmt.Errorf("connect to the server: %w", err)
	}
	s := &show{Options: o, client: connection, person: person}
	err := s.run(ctx, script())
	if closed := connection.Close(); err == nil && closed != nil {
		return fmt.Errorf("close the connection: %w", closed)
	}
	return err
}

// person answers the server's forms.
type person struct {
	// types is what the person types next; "" closes the form.
	types string
	asked string
}

// Elicit implements the client's handler for questions of the server.
func (p *person) Elicit(_ context.Context, request mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	p.asked = request.Params.Message
	if p.types == "" {
		return &mcp.ElicitationResult{ElicitationResponse: mcp.ElicitationResponse{Action: mcp.ElicitationResponseActionDecline}}, nil
	}
	return &mcp.ElicitationResult{ElicitationResponse: mcp.ElicitationResponse{
		Action: mcp.ElicitationResponseActionAccept, Content: map[string]any{"confirmation": p.types},
	}}, nil
}
