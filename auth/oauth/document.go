package oauth

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"mcp-partner/internal/httpclient"
	"mcp-partner/internal/strictjson"
	"mcp-partner/internal/untrusted"
)

const (
	// maxDocument and fetchWithin bound the metadata document of a client, keepFor is how
	// long it is remembered, and maxDocuments how many are.
	maxDocument  = 10 << 10
	fetchWithin  = 5 * time.Second
	keepFor      = 5 * time.Minute
	maxDocuments = 256
	maxClientID  = 512
)

// document is the client of a metadata document (CIMD), for as long as it is remembered.
type document struct {
	client Client
	until  time.Time
}

// isDocument reports whether the ID of a client is meant as the URL of its document.
func isDocument(id string) bool { return strings.Contains(id, "://") }

// checkID refuses a URL that could be read in two ways, or leads to this server or into
// its network.
func (s *Server) checkID(id string) (host string, err error) {
	at, err := url.Parse(id)
	if err != nil || len(id) > maxClientID || at.String() != id {
		return "", errors.New("it is not a URL in its plain form")
	}
	switch {
	case at.Scheme != "https":
		return "", errors.New("it does not begin with https://")
	case at.User != nil || strings.Contains(id, "#"):
		return "", errors.New("it has a user or a fragment in it")
	case at.Path == "" || at.Path == "/":
		return "", errors.New("it has no path")
	case path.Clean(at.Path) != strings.TrimSuffix(at.Path, "/") || at.RawPath != "":
		return "", errors.New("its path has dots, empty parts or escapes")
	}
	return at.Hostname(), s.checkHost(at)
}

func (s *Server) checkHost(at *url.URL) error {
	host := at.Hostname()
	_, notAddress := netip.ParseAddr(host)
	private := httpclient.IsPrivate(host)
	switch {
	case host == "" || host != strings.ToLower(host) || strings.HasSuffix(host, "."):
		return errors.New("its host is not a name in its plain form")
	case at.Host == s.own.Host, host == s.own.Hostname() && !private:
		return errors.New("it names this server")
	case !private && (notAddress == nil || !strings.Contains(host, ".")), httpclient.IsPrivate(host, s.o.AllowPrivate...):
		return errors.New("its host is an address, or a name of this machine or of a private network")
	}
	return nil
}

// findDocument returns the client that a document describes.
func (s *Server) findDocument(ctx context.Context, id string) (Client, error) {
	host, err := s.checkID(id)
	if err != nil {
		return Client{}, fmt.Errorf("the ID %s of the client cannot be used: %w", untrusted.Shown(id), err)
	}
	if known, ok := s.known.Get(id); ok && s.o.Now().Before(known.until) {
		return known.client, nil
	}
	if !s.fetches.Allow(host) {
		return Client{}, errors.New("too many documents of clients were asked for; try again in a minute")
	}
	raw, err := s.fetch(ctx, id)
	if err != nil {
		return Client{}, fmt.Errorf("the document of the client at %s cannot be read: %w", host, err)
	}
	client, err := readDocument(id, raw)
	if err != nil {
		return Client{}, fmt.Errorf("the document of the client at %s cannot be used: %w", host, err)
	}
	s.known.Add(id, document{client, s.o.Now().Add(keepFor)})
	return client, nil
}

func (s *Server) fetch(ctx context.Context, id string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchWithin)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, id, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/json")
	response, err := s.o.HTTP.Do(request)
	switch {
	case errors.Is(err, httpclient.ErrPrivate):
		return nil, httpclient.ErrPrivate
	case err != nil:
		return nil, errors.New("no answer came in time, or none over TLS that is trusted")
	}
	defer response.Body.Close()
	kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if response.StatusCode != http.StatusOK || kind != "application/json" && !strings.HasSuffix(kind, "+json") {
		return nil, fmt.Errorf("the answer is not one with status 200 and JSON, but %d and %s", response.StatusCode, untrusted.Shown(kind))
	}
	raw, err := io.ReadAll(io.LimitReader(response.Body, maxDocument+1))
	if err != nil || len(raw) > maxDocument {
		return nil, fmt.Errorf("the answer is longer than %d bytes, or ended early", maxDocument)
	}
	return raw, nil
}

// metadata is what a client says of itself, in a document or a registration.
type metadata struct {
	ClientID   string   `json:"client_id"`
	Name       string   `json:"client_name"`
	Redirects  []string `json:"redirect_uris"`
	Method     string   `json:"token_endpoint_auth_method"`
	GrantTypes []string `json:"grant_types"`
	Responses  []string `json:"response_types"`
	Secret     string   `json:"client_secret"`
}

func readMetadata(raw []byte) (m metadata, err error) {
	names := []string{"client_id", "client_name", "redirect_uris", "token_endpoint_auth_method", "grant_types", "response_types", "client_secret"}
	if _, err := strictjson.Named(raw, names...); err != nil {
		return m, err
	}
	if json.Unmarshal(raw, &m) != nil {
		return m, errors.New("a member has another type than RFC 7591 says")
	}
	if m.GrantTypes != nil && !slices.Contains(m.GrantTypes, grantCode) || m.Responses != nil && !slices.Contains(m.Responses, "code") {
		return m, errors.New("it does not use the grant authorization_code with the response code")
	}
	m.Name = untrusted.Sanitize(m.Name)
	return m, nil
}

// readDocument reads the document of a public client: one that all can read holds no
// secret.
func readDocument(id string, raw []byte) (Client, error) {
	m, err := readMetadata(raw)
	switch {
	case err != nil:
		return Client{}, err
	case m.ClientID != id:
		return Client{}, errors.New("its client_id is not its own URL")
	case cmp.Or(m.Method, authNone) != authNone || m.Secret != "":
		return Client{}, errors.New("it wants to authenticate otherwise than with PKCE alone")
	case len(m.Redirects) == 0 || len(m.Redirects) > maxRedirects:
		return Client{}, fmt.Errorf("it has %d redirect URIs", len(m.Redirects))
	}
	return Client{ID: id, Kind: ByDocument, Name: m.Name, Redirects: m.Redirects, Method: authNone}, nil
}
