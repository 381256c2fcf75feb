package cli

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"time"

	"mcp-partner/guard"
	"mcp-partner/server"
	"mcp-partner/tools"
)

const (
	// bearerLife is how long the token that is made at start holds.
	bearerLife = 24 * time.Hour
	// bearerSize is its size in bytes.
	bearerSize = 32
	// mcpPath is where MCP is served.
	mcpPath = "/mcp"
)

// checkLoopback refuses an address that other machines could reach. A name is
// refused too, but for localhost: what it leads to may change.
func checkLoopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return usage("give --http 127.0.0.1:8080", "--http is not HOST:PORT")
	}
	if isLoopback(host) {
		return nil
	}
	return usage("give --http 127.0.0.1:PORT, and put a proxy with TLS and sign-in of its own before it if need be",
		"--http %s is not a loopback address: there is no TLS here, and the one token it makes is no sign-in for a network", address)
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// bearer is the token of one start. Only its hash is kept.
type bearer struct {
	hash    [sha256.Size]byte
	expires time.Time
	now     func() time.Time
}

// newBearer makes a token of 256 random bits and what checks it.
func newBearer(now func() time.Time) (token string, b *bearer) {
	var random [bearerSize]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand ends the process instead
	token = base64.RawURLEncoding.EncodeToString(random[:])
	return token, &bearer{hash: sha256.Sum256([]byte(token)), expires: now().Add(bearerLife).Truncate(time.Second), now: now}
}

// Takes implements server.Authenticator: 43 letters of base64url, without the
// prefix or the dots of other kinds.
func (b *bearer) Takes(token string) bool {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	return err == nil && len(raw) == bearerSize
}

// Authenticate implements server.Authenticator. It takes the same time for
// every wrong token. The caller's name holds a part of the hash, so that
// approvals of one start mean nothing to the next.
func (b *bearer) Authenticate(_ context.Context, token string) (guard.Principal, error) {
	hash := sha256.Sum256([]byte(token))
	right := subtle.ConstantTimeCompare(hash[:], b.hash[:]) == 1
	if !right || !b.now().Before(b.expires) {
		return guard.Principal{}, errors.New("not valid")
	}
	return guard.Principal{Caller: guard.Caller("http:" + hex.EncodeToString(b.hash[:4])), Grant: guard.FullGrant()}, nil
}

// serveHTTP serves on a loopback address until the context ends.
func (f *Factory) serveHTTP(ctx context.Context, service *tools.Service, address string) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return failed("give another port, or port 0 for a free one", "%s cannot be listened on", address)
	}
	token, gate := newBearer(time.Now)
	if err := f.showBearer("http://"+listener.Addr().String()+mcpPath, token, gate.expires); err != nil {
		return errors.Join(err, listener.Close())
	}
	f.Log.Info("serving", "url", "http://"+listener.Addr().String()+mcpPath, "expires_at", gate.expires.UTC().Format(time.RFC3339))
	return f.mcpServer(service).ServeListener(ctx, listener, server.HTTPOptions{Bearer: server.Authenticators{gate}})
}

// showBearer tells how to connect: to a person with a block for a client, to a
// program on one line.
func (f *Factory) showBearer(url, token string, expires time.Time) error {
	until := expires.UTC().Format(time.RFC3339)
	if !f.IO.OutTTY {
		return f.printLine(struct {
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
	u := f.ui()
	u.linef(bold, "MCP on %s until %s. Put this into the client's configuration:", url, until)
	u.write(string(block) + "\n")
	u.line(dim, "Or for Claude Code:")
	u.write(fmt.Sprintf("claude mcp add --transport http partner %s --header 'Authorization: Bearer %s'\n", url, token))
	u.line(dim, "The token is not shown again. Ctrl-C ends the server.")
	return u.err
}
