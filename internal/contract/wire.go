package contract

import (
	"context"
	"net/url"
	"slices"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"mcp-partner/armclient"
)

// Wire is the way to the provider for one identity in one tenant: the program's
// own clients, with their gate and their checks, and somebody who watches. It is
// for one goroutine.
type Wire struct {
	client *armclient.Client
	seen   []armclient.Exchange
}

// Dial builds the clients; it sends nothing. An error is a *problems.Problem.
func Dial(credential azcore.TokenCredential, o armclient.Options) (*Wire, error) {
	w := &Wire{}
	o.Observe = func(x armclient.Exchange) { w.seen = append(w.seen, x) }
	var err error
	w.client, err = armclient.New(credential, o)
	return w, err
}

// during returns what f exchanged.
func (w *Wire) during(ctx context.Context, f func(context.Context)) []armclient.Exchange {
	w.seen = nil
	f(ctx)
	return w.seen
}

// last returns the last exchange with a method and a path that ends so.
func last(all []armclient.Exchange, method, path string) (armclient.Exchange, bool) {
	for _, x := range slices.Backward(all) {
		if target, err := url.Parse(x.URL); err == nil && x.Method == method && target.Path == path {
			return x, true
		}
	}
	return armclient.Exchange{}, false
}
