// Command gosdk is a client of the official Go SDK that is given a URL and nothing else.
// It prints the address that a browser has to open, waits for the answer, and prints
// what a tool says of a tenant, or fails with what the person or the server refused.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
)

func main() {
	if err := run(context.Background(), os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, server, tenant string) error {
	redirect, answers, err := callback()
	if err != nil {
		return err
	}
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	handler, err := auth.NewAuthorizationCodeHandler(&auth.AuthorizationCodeHandlerConfig{
		DynamicClientRegistrationConfig: &auth.DynamicClientRegistrationConfig{Metadata: &oauthex.ClientRegistrationMetadata{
			ClientName: "A client of the Go SDK", RedirectURIs: []string{redirect}, GrantTypes: []string{"authorization_code", "refresh_token"},
		}},
		AuthorizationCodeFetcher: func(ctx context.Context, args *auth.AuthorizationArgs) (*auth.AuthorizationResult, error) {
			fmt.Println(args.URL)
			select {
			case answer := <-answers:
				if refused := answer.Get("error"); refused != "" {
					giveUp(errors.New(refused)) // the SDK would ask again in the protocol's older form
					return nil, context.Cause(ctx)
				}
				return &auth.AuthorizationResult{Code: answer.Get("code"), State: answer.Get("state"), Iss: answer.Get("iss")}, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		},
	})
	if err != nil {
		return err
	}
	client := mcp.NewClient(&mcp.Implementation{Name: "lane", Version: "1"}, nil)
	session, err := client.Connect(ctx, &mcp.StreamableClientTransport{Endpoint: server, OAuthHandler: handler}, nil)
	if err != nil {
		return cmp.Or(context.Cause(ctx), err)
	}
	defer session.Close()
	result, err := session.CallTool(ctx, &mcp.CallToolParams{Name: "check_partner_link", Arguments: map[string]any{"tenant": tenant}})
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(result.StructuredContent)
}

// callback waits for the answer of the browser until the program ends.
func callback() (redirect string, answers chan url.Values, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	answers = make(chan url.Values, 1)
	go func() {
		_ = http.Serve(listener, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/callback" {
				answers <- r.URL.Query()
			}
		}))
	}()
	return "http://" + listener.Addr().String() + "/callback", answers, nil
}
