package cli

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"mcp-partner/guard"
	"mcp-partner/server"
	"mcp-partner/tools"
)

// stdioCaller is who calls over stdio: whoever started the process.
const stdioCaller = "stdio"

// trusted is somebody who runs the program, and may do what it may.
func trusted(caller guard.Caller) guard.Principal {
	return guard.Principal{Caller: caller, Grant: guard.FullGrant()}
}

type serveOptions struct {
	http     httpOptions
	keys     keyOptions
	guard    guardOptions
	simulate simulateOptions
	fleet    fleetOptions
}

// newServe builds `serve`.
func newServe(f *Factory) *cobra.Command {
	options := &serveOptions{}
	command := &cobra.Command{
		Use:   "serve",
		Short: "Serve the tools over MCP, on stdio or over HTTP",
		Long: `Serve the tools over MCP on standard input and output, which is how clients such
as Claude Desktop start it, or with --http over streamable HTTP. It ends at the end
of its input, or at SIGTERM when every request that was read is answered.

Writes are off until --allow-writes, and then a person confirms each: in the client
for a new link, an approver elsewhere for what overwrites or removes (--approval). A
policy in config.yaml takes the place of both flags. The bounds --tools, --tenants
and --partner-ids hold whatever an agent asks for.

With --http every request needs the bearer token that is made at start, holds for
24 hours and is shown once: with a block for a client on a terminal, else as one
line of JSON {"url","token","expires_at"} on standard output. An address beyond
loopback needs --tls-cert and --tls-key, or --behind-proxy. GET /livez and /readyz
answer without a token; /metrics wants one with the scope partner.metrics, as that
of the start is, unless --metrics gives it an address of its own.`,
		Example: `  mcp-partner serve
  mcp-partner serve --allow-writes --tenants 'contoso,fabrikam-*' --partner-ids 1234567
  mcp-partner serve --http 127.0.0.1:8080
  mcp-partner serve --http :8443 --tls-cert cert.pem --tls-key key.pem --allowed-hosts partner.example.com
  mcp-partner serve --simulate=50 --allow-writes`,
		Args: noArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			if err := options.simulate.check(command.Flags()); err != nil {
				return err
			}
			return runServe(command.Context(), f, options)
		},
	}
	flags := command.Flags()
	options.http.add(flags)
	options.keys.add(flags)
	options.guard.add(flags)
	options.simulate.add(flags)
	options.fleet.add(flags)
	return command
}

func runServe(ctx context.Context, f *Factory, o *serveOptions) error {
	if err := o.http.check(); err != nil {
		return err
	}
	if err := o.fleet.apply(f); err != nil {
		return err
	}
	f.serving()
	f.keepMemory()
	f.servesHTTP = o.http.address != ""
	// What the server needs to end well must not end with the signal.
	simulated, err := o.simulate.start(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	defer f.startTracing()()
	h, err := f.openHouse(o.keys, simulated)
	if err != nil {
		return err
	}
	defer h.Close()
	decider, err := h.guard(o.guard.rules())
	if err != nil {
		return err
	}
	pair, err := f.keyPair(&o.http)
	if err != nil {
		return err
	}
	if o.http.address != "" {
		f.startMetrics(h, decider, pair)
	}
	service := h.service(decider)
	defer f.settleInBackground(ctx, h, decider, service)()
	if f.Config.Policy() != nil && o.guard.allowWrites {
		f.Log.Warn("the policy in the config file decides; --allow-writes and --approval have no effect")
	}
	if o.http.address != "" {
		return f.serveHTTP(ctx, h, decider, service, &o.http, pair)
	}
	f.Log.Info("serving", "transport", "stdio", "simulated", simulated != nil, "allow_writes", decider.WritesAllowed())
	return f.serveStdio(ctx, service, f.IO.In, f.IO.Out)
}

// serveStdio serves one client until its input ends or the context does.
func (s *Settings) serveStdio(ctx context.Context, service *tools.Service, in io.Reader, out io.Writer) error {
	return s.mcpServer(service).ServeStdio(ctx, in, out, server.StdioOptions{Principal: trusted(stdioCaller)})
}
