package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"mcp-partner/access"
	"mcp-partner/schemas"
)

// metadataPath is where the protected resource metadata (RFC 9728) stands for
// the host as a whole, and with mcpPath behind it for MCP.
const metadataPath = "/.well-known/oauth-protected-resource"

// ResourceServer makes the server an OAuth 2.1 resource server, which tells clients
// where to get a token, and which scope one lacks.
type ResourceServer interface {
	// Metadata returns the protected resource metadata for the URL of MCP.
	Metadata(resource string) []byte
	// ScopeName returns what a client asks an issuer for in order to get a
	// scope, or "" if there is nothing to ask for.
	ScopeName(scope access.Scope) string
}

// denial is an error of an Authenticator that says more than no. Its
// description, in our own words, is passed on.
type denial interface {
	error
	Description() string
	// RetryAfter is above 0 where the token cannot be verified now.
	RetryAfter() time.Duration
}

// whereToGetToken names the issuer where there is one: its tokens come before those
// of this server.
func (t *httpTransport) whereToGetToken() string {
	if t.opts.OAuth != nil {
		return "Get an access token from the issuer in the metadata that WWW-Authenticate names."
	}
	return "A person issues one with mcp-partner token issue."
}

func (t *httpTransport) denied(r *http.Request, err error) *refusal {
	var more denial
	if !errors.As(err, &more) {
		return unauthorized(t.challenge(r, "invalid_token", "", t.firstScope()), "The bearer token is not valid here. "+t.whereToGetToken())
	}
	if wait := more.RetryAfter(); wait > 0 {
		refused := refuse(http.StatusServiceUnavailable, "")
		refused.err = busy("The token cannot be verified now: " + more.Description() + ". Send the request again later.")
		return refused.with("Retry-After", strconv.Itoa(int(max(wait, time.Second).Seconds())))
	}
	return unauthorized(t.challenge(r, "invalid_token", more.Description(), t.firstScope()), "The access token is not accepted: "+more.Description()+".")
}

// firstScope is what a client needs to begin with. Others are asked for when
// they are needed.
func (t *httpTransport) firstScope() string {
	if t.opts.OAuth == nil {
		return ""
	}
	return t.opts.OAuth.ScopeName(access.ScopeRead)
}

// challenge words WWW-Authenticate (RFC 6750, RFC 9728). What is empty is left
// out.
func (t *httpTransport) challenge(r *http.Request, code, description, scope string) string {
	parts := []string{`Bearer realm="mcp"`}
	add := func(name, value string) {
		if value != "" {
			parts = append(parts, fmt.Sprintf(`%s="%s"`, name, value))
		}
	}
	add("error", code)
	add("error_description", description)
	add("scope", scope)
	if t.opts.OAuth != nil {
		add("resource_metadata", t.publicURL(r)+metadataPath+mcpPath)
	}
	return strings.Join(parts, ", ")
}

// publicURL is the server's own address as clients know it, without a path: the
// one that was configured, else the one of this request, of which the name has
// been held against the list of those that are allowed.
func (t *httpTransport) publicURL(r *http.Request) string {
	if t.opts.PublicURL != "" {
		return t.opts.PublicURL
	}
	at := url.URL{Scheme: "http", Host: authority(r.Host)}
	if r.TLS != nil {
		at.Scheme = "https"
	}
	return at.String()
}

// authority is a Host of which the port is a number, or is left out.
func authority(host string) string {
	name := hostName(host)
	if strings.Contains(name, ":") {
		name = "[" + name + "]"
	}
	port := strings.TrimPrefix(host[min(len(name), len(host)):], ":")
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return name
	}
	return name + ":" + port
}

// serveMetadata answers everybody: clients without a token ask here.
func (t *httpTransport) serveMetadata(w http.ResponseWriter, r *http.Request) *refusal {
	if t.opts.OAuth == nil {
		return nothingHere()
	}
	if refused := checkReading(r); refused != nil {
		return refused
	}
	w.Header().Set("Cache-Control", "no-store") // it may depend on the Host
	writeJSON(w, r, http.StatusOK, append(t.opts.OAuth.Metadata(t.publicURL(r)+mcpPath), '\n'))
	return nil
}

// stepUp refuses a call for which an access token lacks the scope, so that the
// client can ask the issuer for it. Whatever else stands against a call is said
// in its answer.
func (t *httpTransport) stepUp(r *http.Request, p *post) *refusal {
	if !t.canAskFor(p.principal) || p.message.kind != kindRequest || p.message.method != string(mcp.MethodToolsCall) {
		return nil
	}
	name, _ := textOf(p.message.given, "name")
	op, known := schemas.Lookup(name)
	if !known {
		return nil
	}
	missing, lacks := p.principal.Grant.Missing(op)
	if !lacks {
		return nil
	}
	text := fmt.Sprintf("The access token lacks the scope %s, which %s needs. Sign in again and ask for it.", missing, op.Name)
	refused := refuse(http.StatusForbidden, text)
	refused.err.id = p.message.id
	return refused.with("WWW-Authenticate", t.challenge(r, "insufficient_scope", "the tool needs a scope that the token lacks", t.neededScopes(missing)))
}

// canAskFor reports whether a caller may get a token with further scopes.
func (t *httpTransport) canAskFor(p access.Principal) bool { return t.opts.OAuth != nil && p.Consented }

// neededScopes names what a call needs, and reading with it: a write
// reads before and after, and a client may keep only the scopes named last.
func (t *httpTransport) neededScopes(missing access.Scope) string {
	read, other := t.opts.OAuth.ScopeName(access.ScopeRead), t.opts.OAuth.ScopeName(missing)
	if read == other || read == "" || other == "" {
		return other
	}
	return read + " " + other
}

// Authenticator tells who a bearer token belongs to.
type Authenticator interface {
	// Takes reports by its form alone whether a token is of the kind that this
	// authenticator knows. It proves nothing.
	Takes(token string) bool
	// Authenticate returns who the token belongs to and what that caller was
	// given. It must take the same time for every wrong token of a form. An
	// error is a 401; its text is not passed on.
	Authenticate(ctx context.Context, token string) (access.Principal, error)
}

// Authenticators are tried by the form of the token: the first that takes it
// decides alone, so that what one refuses cannot be let in by another.
type Authenticators []Authenticator

var errNoToken = errors.New("an unknown kind of token")

// Authenticate returns who the token belongs to.
func (a Authenticators) Authenticate(ctx context.Context, token string) (access.Principal, error) {
	for _, one := range a {
		if one.Takes(token) {
			return one.Authenticate(ctx, token)
		}
	}
	return access.Principal{}, errNoToken
}
