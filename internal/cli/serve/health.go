package serve

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/httpclient"
	"mcp-partner/internal/phrase"
)

const (
	// probeLimit bounds a probe; container engines give up after some seconds.
	probeLimit = 10 * time.Second
	// maxReadiness bounds what is read of an answer.
	maxReadiness = 64 << 10
)

type probeOptions struct{ url, caFile string }

// NewCmdHealth builds `health`, which a container without a shell can run.
func NewCmdHealth(deps *cmdutil.Deps) *cobra.Command {
	options := &probeOptions{}
	command := &cobra.Command{
		Use:   "health",
		Short: "Check that a running server is ready",
		RunE:  func(command *cobra.Command, _ []string) error { return runHealth(command.Context(), deps, options) },
	}
	flags := command.Flags()
	flags.StringVar(&options.url, "url", "http://127.0.0.1:8080/readyz", "`URL` of its /readyz")
	cmdutil.AddAuthorities(flags, &options.caFile, "ca-file", "trust only the certificate authorities in this `FILE` (PEM)")
	return command
}

func runHealth(ctx context.Context, deps *cmdutil.Deps, o *probeOptions) error {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	response, err := o.ask(ctx)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var state struct {
		Status string            `json:"status"`
		Checks map[string]string `json:"checks"`
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxReadiness)).Decode(&state); err != nil || state.Status == "" {
		return exit.Failed("give the URL of its /readyz with --url", "the server there is not mcp-partner, or this is not its /readyz")
	}
	u := deps.IO.UI()
	if response.StatusCode == http.StatusOK {
		u.Line(term.Good, "Ready.")
		return u.Err
	}
	u.Linef(term.Bad, "Not ready: %s.", unready(state.Status, state.Checks))
	if u.Err != nil {
		return u.Err
	}
	return exit.Silent(exit.CodeFailed)
}

// unready names what is not ready, in a fixed order.
func unready(status string, checks map[string]string) string {
	var names []string
	for name, state := range checks {
		if state != "ok" {
			names = append(names, name+" ("+state+")")
		}
	}
	if len(names) == 0 {
		return "it is " + status
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

func (o *probeOptions) ask(ctx context.Context) (*http.Response, error) {
	if u, err := url.Parse(o.url); err != nil || u.Host == "" || u.User != nil {
		return nil, exit.Usage("give --url http://127.0.0.1:8080/readyz", "--url is not the URL of a server")
	}
	ca, err := app.ReadAuthorities("--ca-file", o.caFile)
	if err != nil {
		return nil, err
	}
	client, err := httpclient.New(httpclient.Options{CAPEM: ca, HeaderTimeout: probeLimit})
	if err != nil {
		return nil, exit.Usage("give the path of a PEM file", "%s", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, o.url, nil)
	if err != nil {
		return nil, exit.Usage("give --url http://127.0.0.1:8080/readyz", "--url is not the URL of a server")
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, exit.Failed("start it with: mcp-partner serve --http 127.0.0.1:8080", "nothing answers at %s", phrase.HostOf(o.url))
	}
	return response, nil
}
