package serve

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"time"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/exit"
	"mcp-partner/server"
	"mcp-partner/tools"
)

// mcpPath is where MCP is served.
const mcpPath = "/mcp"

// Anybody is the caller of a server without authentication.
const Anybody = "insecure-no-auth"

// serveHTTP serves on an address until the context ends.
func serveHTTP(ctx context.Context, deps *cmdutil.Deps, a *app.App, decider *guard.Guard, service *tools.Service, o *httpOptions, bound listeners, pair *server.KeyPair, callers callers) error {
	options := server.HTTPOptions{
		Hosts: o.hosts(bound.main.Addr()), Origins: o.allowedOn, Health: deps.Health(a, append(callers.checks(), a.PolicyCheck(decider)...)...),
		Metrics: deps.Observer.Metrics, OnAnswer: deps.Observer.Metrics.Answered,
		Approvals: service, PublicURL: o.oauth.public(),
	}
	if pair != nil {
		options.TLS = pair.Config()
	}
	callers.admit(&options, &o.oauth)
	if err := admit(deps, o, decider, &options, bound.main.Addr()); err != nil {
		return err
	}
	s := deps.MCPServer(service)
	defer serveMonitor(ctx, deps, s, o, bound.metrics, &options)()
	return s.ServeListener(ctx, bound.main, options)
}

// keyPair is nil where there is no TLS.
func keyPair(deps *cmdutil.Deps, o *httpOptions) (*server.KeyPair, error) {
	if o.tlsCert == "" {
		return nil, nil
	}
	pair, err := server.LoadKeyPair(o.tlsCert, o.tlsKey, deps.Log)
	if err != nil {
		return nil, exit.Usage("check --tls-cert and --tls-key", "TLS cannot be served: %s", err)
	}
	return pair, nil
}

// listeners are bound before anything else is begun, so that a port that is taken
// is all that is said.
type listeners struct{ main, metrics net.Listener }

// listen binds the addresses that are given.
func (o *httpOptions) listen(ctx context.Context) (l listeners, err error) {
	if l.main, err = bind(ctx, o.address); err != nil {
		return listeners{}, err
	}
	if l.metrics, err = bind(ctx, o.metrics); err != nil {
		l.close()
		return listeners{}, err
	}
	return l, nil
}

func (l listeners) close() {
	for _, one := range []net.Listener{l.main, l.metrics} {
		if one != nil {
			_ = one.Close() // a server may have closed it
		}
	}
}

func bind(ctx context.Context, address string) (net.Listener, error) {
	if address == "" {
		return nil, nil
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, exit.Failed("give another port, or port 0 for a free one", "%s", app.CannotListen(address, err))
	}
	return listener, nil
}

// base is where clients find the server, as far as it knows itself, without a path.
func (o *httpOptions) base(bound net.Addr) string {
	if o.oauth.publicURL != "" {
		return o.oauth.public()
	}
	host := bound.String()
	if _, port, err := net.SplitHostPort(host); err == nil && len(o.allowedHosts) > 0 {
		host = net.JoinHostPort(o.allowedHosts[0], port)
	}
	return o.scheme() + "://" + host
}

func (o *httpOptions) scheme() string {
	if o.tlsCert != "" {
		return "https"
	}
	return "http"
}

// admit settles who may call, and tells how to connect.
func admit(deps *cmdutil.Deps, o *httpOptions, decider *guard.Guard, options *server.HTTPOptions, bound net.Addr) error {
	if err := o.checkReachable(bound); err != nil {
		return err
	}
	url := o.base(bound) + mcpPath
	if o.noAuth {
		options.Anonymous = access.Principal{Caller: Anybody, Grant: access.FullGrant()}
		deps.Log.Warn("anyone who can reach this address can call: use --insecure-no-auth only for tests on loopback", "url", url)
		return deps.IO.PrintLine(map[string]string{"url": url})
	}
	options.Bearer = append(options.Bearer, app.InvocationTokens{Decider: decider})
	if !o.isLocal() {
		// A public server creates no token at its start, which would appear in the log of
		// its supervisor and allow everything that the server may do.
		deps.Log.Info("serving", "url", url, "address", bound.String())
		answer := map[string]string{"url": url}
		switch {
		case o.oauth.own:
			answer["next"] = "mcp-partner install CLIENT --http " + url
		case options.OAuth == nil:
			answer["next"] = "mcp-partner token issue --for NAME --tenants TENANTS"
		}
		return deps.IO.PrintLine(answer)
	}
	token, gate := newBearer(time.Now)
	options.Bearer = append(options.Bearer, gate)
	deps.Log.Info("serving", "url", url, "address", bound.String(), "expires_at", gate.expires.UTC().Format(time.RFC3339))
	return showBearer(deps, url, token, gate.expires)
}

// serveMonitor serves health and metrics on a separate listener, if configured.
// The returned function stops it and is called last, so that probes see that
// the server is stopping.
func serveMonitor(ctx context.Context, deps *cmdutil.Deps, s *server.Server, o *httpOptions, listener net.Listener, main *server.HTTPOptions) (stop func()) {
	if listener == nil {
		return func() {}
	}
	options := server.HTTPOptions{Health: main.Health, Metrics: main.Metrics, Hosts: o.allowedHosts, TLS: main.TLS}
	main.Metrics = nil
	deps.Log.Info("serving health and metrics", "address", listener.Addr().String())
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- s.ServeMonitor(ctx, listener, options) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			deps.Log.Warn("health and metrics ended early", "address", listener.Addr().String())
		}
	}
}

// showBearer tells how to connect: to a person with a block for a client, to a
// program on one line.
func showBearer(deps *cmdutil.Deps, url, token string, expires time.Time) error {
	until := expires.UTC().Format(time.RFC3339)
	if !deps.IO.OutTTY {
		return deps.IO.PrintLine(struct {
			URL       string `json:"url"`
			Token     string `json:"token"`
			ExpiresAt string `json:"expires_at"`
		}{url, token, until})
	}
	block, err := json.MarshalIndent(map[string]any{"mcpServers": map[string]any{"partner": map[string]any{
		"type": "http", "url": url, "headers": map[string]string{"Authorization": "Bearer " + token},
	}}}, "", "  ")
	if err != nil {
		return err
	}
	u := deps.IO.UI()
	u.Linef(term.Bold, "MCP on %s until %s. Add this to the client's configuration:", url, until)
	u.Write(string(block) + "\n")
	u.Line(term.Dim, "Or for Claude Code:")
	u.Write(fmt.Sprintf("claude mcp add --transport http partner %s --header 'Authorization: Bearer %s'\n", url, token))
	u.Line(term.Dim, "The token is not shown again. Ctrl-C ends the server.")
	return u.Err
}
