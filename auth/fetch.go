package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"mcp-partner/internal/httpclient"
)

const (
	// fetchWithin bounds one load of an issuer's keys, both requests together.
	fetchWithin = 10 * time.Second
	// maxDocument bounds an issuer's answer, in bytes.
	maxDocument = 512 << 10
)

// newClient makes the client for issuers: it follows no redirect, trusts only
// the given authorities if there are any, and has short time-outs.
func newClient(caPEM []byte) (*http.Client, error) {
	client, err := httpclient.New(httpclient.Options{CAPEM: caPEM, HeaderTimeout: fetchWithin / 2})
	if err != nil {
		return nil, err
	}
	client.Timeout = fetchWithin
	return client, nil
}

// discover returns the address of an issuer's keys, which its metadata name.
func (i issuer) discover(ctx context.Context, client *http.Client) (string, error) {
	var d struct {
		Issuer  string `json:"issuer"`
		KeysURL string `json:"jwks_uri"`
	}
	if err := getJSON(ctx, client, strings.TrimSuffix(i.name, "/")+"/.well-known/openid-configuration", &d); err != nil {
		return "", fmt.Errorf("discovery: %w", err)
	}
	if d.Issuer != i.name {
		return "", errors.New("discovery: it names another issuer")
	}
	return d.KeysURL, i.checkKeysURL(d.KeysURL)
}

// checkKeysURL keeps an issuer from directing this server to internal addresses.
func (i issuer) checkKeysURL(text string) error {
	at, err := url.Parse(text)
	if err == nil && at.Host != "" && at.User == nil && (at.Scheme == "https" || at.Scheme == "http") {
		if inside := httpclient.IsLoopback(at.Hostname()); inside && httpclient.IsLoopback(i.url().Hostname()) || !inside && at.Scheme == "https" {
			return nil
		}
	}
	return errors.New("discovery: the address of the keys is not allowed")
}

// getJSON reads one document. Its errors repeat nothing of the answer.
func getJSON(ctx context.Context, client *http.Client, from string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return errors.New("not a URL")
	}
	request.Header.Set("Accept", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return errors.New("no answer")
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", response.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxDocument+1))
	switch {
	case err != nil:
		return errors.New("the answer is incomplete")
	case len(body) > maxDocument:
		return errors.New("the answer is too large")
	case json.Unmarshal(body, into) != nil:
		return errors.New("the answer is not the expected JSON")
	}
	return nil
}
