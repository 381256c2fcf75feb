package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"time"

	"mcp-partner/guard"
	"mcp-partner/server"
	"mcp-partner/tools"
)

// mcpPath is where MCP is served.
const mcpPath = "/mcp"

// anybody is the caller where nobody is asked who he is.
const anybody = "insecure-no-auth"

// serveHTTP serves on an address until the context ends.
func (f *Factory) serveHTTP(ctx context.Context, h *house, decider *guard.Guard, service *tools.Service, o *httpOptions, pair *server.KeyPair) error {
	verifier, err := f.verifier(&o.oauth)
	if err != nil {
		return err
	}
	defer f.watchCallers(ctx, verifier)()
	listener, err := listen(ctx, o.address)
	if err != nil {
		return err
	}
	options := server.HTTPOptions{
		Hosts: o.hosts(listener.Addr()), Origins: o.allowedOn, Health: f.health(h, issuersCheck(verifier)...),
		Metrics: f.Observer.Metrics, OnAnswer: f.Observer.Metrics.Answered,
		Approvals: service,
	}
	if pair != nil {
		options.TLS = pair.Config()
	}
	if verifier != nil {
		options.OAuth, options.PublicURL = verifier, o.oauth.public()
	}
	if err := f.admit(o, decider, &options, listener.Addr()); err != nil {
		return errors.Join(err, listener.Close())
	}
	s := f.mcpServer(service)
	stop, err := f.serveMonitor(ctx, s, o, &options)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer stop()
	return s.ServeListener(ctx, listener, options)
}

// keyPair is nil where there is no TLS.
func (f *Factory) keyPair(o *httpOptions) (*server.KeyPair, error) {
	if o.tlsCert == "" {
		return nil, nil
	}
	pair, err := server.LoadKeyPair(o.tlsCert, o.tlsKey, f.Log, nil)
	if err != nil {
		return nil, usage("check --tls-cert and --tls-key", "TLS cannot be served: %s", err)
	}
	return pair, nil
}

func listen(ctx context.Context, address string) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, failed("give another port, or port 0 for a free one", "%s cannot be listened on", address)
	}
	return listener, nil
}

// urlOf is where clients find the server, as far as it knows itself.
func urlOf(o *httpOptions, bound net.Addr) string {
	scheme, host := "http", bound.String()
	if o.tlsCert != "" {
		scheme = "https"
	}
	if _, port, err := net.SplitHostPort(host); err == nil && len(o.allowedHosts) > 0 {
		host = net.JoinHostPort(o.allowedHosts[0], port)
	}
	return scheme + "://" + host + mcpPath
}

// admit settles who may call, and tells how to connect.
func (f *Factory) admit(o *httpOptions, decider *guard.Guard, options *server.HTTPOptions, bound net.Addr) error {
	if err := o.checkReachable(bound); err != nil {
		return err
	}
	url := urlOf(o, bound)
	if o.noAuth {
		options.Anonymous = guard.Principal{Caller: anybody, Grant: guard.FullGrant()}
		f.Log.Warn("anybody who reaches this address may call: --insecure-no-auth is for a try on loopback and nothing else", "url", url)
		return f.IO.printLine(struct {
			URL string `json:"url"`
		}{url})
	}
	if options.OAuth != nil {
		return f.admitOAuth(decider, options, url, bound)
	}
	if !o.onLoopback() || o.behindProxy {
		return f.admitTokens(decider, options, url)
	}
	token, gate := newBearer(time.Now)
	options.Bearer = server.Authenticators{invocationTokens{decider}, gate}
	f.Log.Info("serving", "url", url, "expires_at", gate.expires.UTC().Format(time.RFC3339))
	return f.showBearer(url, token, gate.expires)
}

// admitTokens admits issued tokens alone. A server that others reach makes no
// token at its start: it would stand in the log of whatever started it, and its
// caller may do all that the server may.
func (f *Factory) admitTokens(decider *guard.Guard, options *server.HTTPOptions, url string) error {
	options.Bearer = server.Authenticators{invocationTokens{decider}}
	f.Log.Info("serving", "url", url)
	return f.IO.printLine(struct {
		URL  string `json:"url"`
		Next string `json:"next"`
	}{url, "mcp-partner token issue --for NAME --tenants TENANTS"})
}

// serveMonitor serves health and metrics on a listener of their own, if they
// are to have one. The returned function ends it, and is called last: whoever
// asks meanwhile is told that the server is stopping.
func (f *Factory) serveMonitor(ctx context.Context, s *server.Server, o *httpOptions, main *server.HTTPOptions) (stop func(), err error) {
	if o.metrics == "" {
		return func() {}, nil
	}
	listener, err := listen(ctx, o.metrics)
	if err != nil {
		return nil, err
	}
	options := server.MonitorOptions{Health: main.Health, Metrics: main.Metrics, Hosts: o.allowedHosts, TLS: main.TLS}
	main.Metrics = nil
	f.Log.Info("serving health and metrics", "address", listener.Addr().String())
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- s.ServeMonitor(ctx, listener, options) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			f.Log.Warn("health and metrics ended early", "address", listener.Addr().String())
		}
	}, nil
}

// showBearer tells how to connect: to a person with a block for a client, to a
// program on one line.
func (f *Factory) showBearer(url, token string, expires time.Time) error {
	until := expires.UTC().Format(time.RFC3339)
	if !f.IO.OutTTY {
		return f.IO.printLine(struct {
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
	u := f.IO.ui()
	u.linef(bold, "MCP on %s until %s. Put this into the client's configuration:", url, until)
	u.write(string(block) + "\n")
	u.line(dim, "Or for Claude Code:")
	u.write(fmt.Sprintf("claude mcp add --transport http partner %s --header 'Authorization: Bearer %s'\n", url, token))
	u.line(dim, "The token is not shown again. Ctrl-C ends the server.")
	return u.err
}
