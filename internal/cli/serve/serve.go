package serve

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"mcp-partner/internal/cli/cmdutil"
)

// forClients tells a person at a terminal who usually starts this command.
const forClients = `MCP clients start this command and talk to it on standard input. To set up a client, run:
  mcp-partner install
To serve over HTTP, run: mcp-partner serve --http 127.0.0.1:8080
Press Ctrl-D to end.`

type serveOptions struct {
	http     httpOptions
	guard    cmdutil.GuardFlags
	simulate cmdutil.SimulateFlags
	fleet    cmdutil.FleetFlags
}

// NewCmdServe builds `serve`.
func NewCmdServe(deps *cmdutil.Deps) *cobra.Command {
	options := &serveOptions{}
	command := &cobra.Command{
		Use:   "serve",
		Short: "Serve the tools over MCP, on stdio or HTTP",
		RunE: func(command *cobra.Command, _ []string) error {
			if err := options.simulate.Check(command.Flags()); err != nil {
				return err
			}
			return runServe(command.Context(), deps, options)
		},
	}
	flags := command.Flags()
	options.http.add(flags)
	deps.AddKeyFlags(flags)
	options.guard.Add(flags)
	options.simulate.Add(flags)
	options.simulate.AddWorld(flags)
	options.fleet.Add(flags)
	return command
}

func runServe(ctx context.Context, deps *cmdutil.Deps, o *serveOptions) error {
	if err := o.http.check(); err != nil {
		return err
	}
	if err := o.fleet.Apply(deps); err != nil {
		return err
	}
	bound, err := o.http.listen(ctx)
	if err != nil {
		return err
	}
	defer bound.close()
	deps.Serving()
	deps.KeepMemory()
	if o.http.address != "" {
		o.http.locate(bound.main.Addr())
		deps.ServesHTTP, deps.PublicURL, deps.Console = true, o.http.base(bound.main.Addr()), o.http.oauth.console
	}
	// What the server needs to end well must not end with the signal.
	simulated, err := o.simulate.Start(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	defer deps.StartTracing()()
	a, err := deps.Open(simulated)
	if err != nil {
		return err
	}
	defer a.Close()
	rules := o.guard.Rules()
	callers, err := findCallers(deps, a, &o.http, rules.Bounds)
	if err != nil {
		return err
	}
	rules.Standing = callers.standing()
	decider, err := a.Guard(rules)
	if err != nil {
		return err
	}
	pair, err := keyPair(deps, &o.http)
	if err != nil {
		return err
	}
	if o.http.address != "" {
		deps.StartMetrics(a, decider, pair)
	}
	service := a.Service(decider)
	defer a.PushLastHead()
	defer deps.SettleInBackground(ctx, a, decider, service)()
	if deps.Config.Policy != nil && o.guard.AllowWrites {
		deps.Log.Warn("the policy in the config file decides; --allow-writes and --approval have no effect")
	}
	a.WarnOfNames(decider.Policy(), func(warning string) { deps.Log.Warn(warning) })
	if o.http.oauth.console && callers.pages != nil {
		a.AddConsole(callers.pages, service, decider)
	}
	if o.http.address != "" {
		return serveHTTP(ctx, deps, a, decider, service, &o.http, bound, pair, callers)
	}
	if deps.IO.InTTY {
		_, _ = fmt.Fprintln(deps.IO.Err, forClients)
	}
	deps.Log.Info("serving", "transport", "stdio", "simulated", simulated != nil, "allow_writes", decider.WritesAllowed())
	return deps.ServeStdio(ctx, service, deps.IO.In, deps.IO.Out)
}
