package sim

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/demo"
	"mcp-partner/tools"
)

// NewCmdDemo builds `demo`.
func NewCmdDemo(deps *cmdutil.Deps) *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Run a session of an agent against a simulated Azure",
		Long: `Start a simulated Azure and the real server in this process, connect a real MCP client
over a stdio pipe, and run the main scenario: each question, its answer, and whether
the answer is as expected. The exit code is 1 if an answer is not.`,
		Example: "  mcp-partner demo",
		RunE:    func(command *cobra.Command, _ []string) error { return runDemo(command.Context(), deps) },
	}
}

func runDemo(ctx context.Context, deps *cmdutil.Deps) error {
	simulated, err := app.StartSimulation(ctx, app.SimulationOptions{Tenants: cmdutil.DefaultSimulated}, "127.0.0.1:0")
	if err != nil {
		return err
	}
	a, err := deps.Open(simulated)
	if err != nil {
		return errors.Join(err, simulated.Server.Close())
	}
	defer a.Close()
	if err := simulated.Stage(demo.Unlinked, demo.Linked, demo.ForeignID); err != nil {
		return err
	}
	// The demo shows the program as it comes, and not somebody's configuration.
	decider, err := guard.New(guard.Options{AllowWrites: true, Simulated: true, Store: a.GuardStore(), Bounds: access.Bounds{PartnerIDs: demo.OwnIDs()}})
	if err != nil {
		return err
	}
	return playDemo(ctx, deps, a.Service(decider), simulated)
}

// playDemo joins client and server by two pipes, as a client's process would.
func playDemo(ctx context.Context, deps *cmdutil.Deps, service *tools.Service, world demo.World) error {
	serverIn, clientOut := io.Pipe()
	clientIn, serverOut := io.Pipe()
	served := make(chan error, 1)
	go func() {
		served <- deps.ServeStdio(ctx, service, serverIn, serverOut)
		_ = serverOut.Close() // a pipe in memory
	}()
	err := demo.Run(ctx, demo.Options{UI: deps.IO.UI(), ServerOut: clientIn, ServerIn: clientOut, World: world})
	_ = clientOut.Close() // the end of the server's input
	return errors.Join(err, <-served)
}
