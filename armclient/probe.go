package armclient

import (
	"context"
	"net/url"

	"mcp-partner/schemas"
)

// ProbeClient reads what no other client here would ask for, to see how the
// provider answers: Options.Observe has the answer. It can do nothing but GET.
type ProbeClient struct{ internal *connection }

// NewProbeClient returns the client for looking at odd requests.
func (f *ClientFactory) NewProbeClient() *ProbeClient { return &ProbeClient{f.conn} }

// Get reads .../partners/{segment}, whatever the segment is, under the given
// api-version ("" is the right one). The error is a *schemas.Problem.
func (c *ProbeClient) Get(ctx context.Context, segment, version string) error {
	if version == "" {
		version = apiVersion
	}
	_, err := c.internal.read(ctx, schemas.PathPartners+"/"+url.PathEscape(segment), version)
	return err
}
