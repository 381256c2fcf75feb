package cli

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"mcp-partner/guard"
	"mcp-partner/internal/demo"
	"mcp-partner/tools"
)

// The tenants of the demo, and the partner that one of them has already.
const (
	demoUnlinked = "contoso"
	demoLinked   = "fabrikam"
	demoBroken   = "northwind"
	demoOther    = "7654321"
)

// newDemo builds `demo`.
func newDemo(f *Factory) *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Show what an agent sees, against a simulated Azure",
		Long: `Start a simulated Azure and the real server in this process, connect a real MCP
client over a stdio pipe, and go through the main job: what is asked, what comes
back, and whether that is as it should be. Exit code 0 only if every step is.`,
		Example: "  mcp-partner demo",
		Args:    noArguments,
		RunE:    func(command *cobra.Command, _ []string) error { return runDemo(command.Context(), f) },
	}
}

func runDemo(ctx context.Context, f *Factory) error {
	simulated, err := startSimulation(ctx, worldOptions{tenants: defaultSimulated}, "127.0.0.1:0")
	if err != nil {
		return err
	}
	h, err := f.openHouse(keyOptions{}, simulated)
	if err != nil {
		return errors.Join(err, simulated.server.Close())
	}
	defer h.Close()
	if err := simulated.stage(demoUnlinked, demoLinked, demoOther); err != nil {
		return err
	}
	// The demo shows the program as it comes, and not somebody's configuration.
	decider, err := guard.New(guard.Options{AllowWrites: true, Simulated: true})
	if err != nil {
		return err
	}
	return f.playDemo(ctx, h.service(decider), simulated)
}

// playDemo joins client and server by two pipes, as a client's process would.
func (f *Factory) playDemo(ctx context.Context, service *tools.Service, world demo.World) error {
	serverIn, clientOut := io.Pipe()
	clientIn, serverOut := io.Pipe()
	served := make(chan error, 1)
	go func() {
		served <- f.serveStdio(ctx, service, serverIn, serverOut)
		_ = serverOut.Close() // a pipe in memory
	}()
	err := demo.Run(ctx, demo.Options{
		Out: f.IO.Out, Color: f.IO.Color, ServerOut: clientIn, ServerIn: clientOut,
		World: world, Unlinked: demoUnlinked, Linked: demoLinked, Broken: demoBroken,
	})
	_ = clientOut.Close() // the end of the server's input
	return errors.Join(err, <-served)
}
