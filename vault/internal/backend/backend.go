// Package backend says what the vault needs of a store of secrets that is
// elsewhere, and holds what its implementations share.
package backend

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"mcp-partner/internal/httpclient"
	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas/problems"
)

// maxAnswer bounds an answer of a far store, in bytes. A secret has at most
// 64 KiB.
const maxAnswer = 1 << 20

// errRedirect means that the server wanted to send the request, and with it the
// token, elsewhere.
var errRedirect = errors.New("the answer was a redirect")

// Item is what a store holds under one name.
type Item struct {
	// Value is nil if there is no secret.
	Value []byte
	// Version names this state of the item for Put; its form is the store's own.
	Version string
	// UpdatedAt and ExpiresAt are zero where the store does not know.
	UpdatedAt, ExpiresAt time.Time
}

// Backend is a store of secrets that is elsewhere. Implementations are safe for
// concurrent use, bound every call in time, and return problems whose texts
// are their own: what the server says may hold a secret.
type Backend interface {
	// Get returns the item of that name; one that is not there is no error.
	Get(ctx context.Context, name string) (Item, error)
	// Put stores a value in place of the item whose Version is given. It returns
	// a CodeStateMoved problem if another one is there by now.
	Put(ctx context.Context, name string, value []byte, version string) error
	// Delete removes an item; one that is not there is no error.
	Delete(ctx context.Context, name string) error
	// List returns the names of all items.
	List(ctx context.Context) ([]string, error)
	// CheckName refuses a name that the store cannot hold.
	CheckName(name string) error
	// Describe says in plain words where the secrets are and who can read them.
	Describe() string
	// Close ends the sign-in.
	Close(ctx context.Context)
}

// Unavailable makes a problem that may go away by itself.
func Unavailable(message, hint string) *problems.Problem {
	return problems.New(problems.CodeVaultUnavailable, message, problems.WithHint("%s", hint))
}

// Broken makes a problem that stays until a person acts.
func Broken(message, hint string) *problems.Problem {
	p := Unavailable(message, hint)
	p.Retryable = false
	return p
}

// Server is a far store as messages name it, with the next steps that are its own.
type Server struct {
	Name, Kind string
	// Redirected is the step after a redirect, Unreached after no connection,
	// Unlike after an answer that is not one of that kind, Denied after a request
	// that is not allowed, and Refused after one that is wrong.
	Redirected, Unreached, Unlike, Denied, Refused string
}

// Problem says why doing something failed. status is that of an answer of the
// store itself, 0 without one; own words what means something else in this
// store and returns nil for the rest.
func (s Server) Problem(ctx context.Context, err error, doing string, status int, own func(err error, doing string) *problems.Problem) error {
	switch known, ok := errors.AsType[*problems.Problem](err); {
	case err == nil:
		return nil
	case ok:
		return known
	case errors.Is(ctx.Err(), context.Canceled):
		return problems.New(problems.CodeCancelled, "The call was canceled while it waited for the "+s.Kind+".")
	}
	problem := own(err, doing)
	switch {
	case problem != nil:
		return problem
	case status == 0:
		return s.unanswered(errors.Join(err, ctx.Err()), doing)
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return Broken(s.Name+" does not allow "+doing+".", s.Denied)
	case status == http.StatusTooManyRequests:
		return Unavailable(s.Name+" has too many requests.", "Try again later.")
	case status >= 500:
		return Unavailable(s.Name+" failed at "+doing+".", "Try again later; its own log has the reason.")
	}
	return Broken(s.Name+" does not accept "+doing+".", s.Refused)
}

// unanswered says why a request got no answer of the store itself.
func (s Server) unanswered(err error, doing string) *problems.Problem {
	var certificate *tls.CertificateVerificationError
	var tooLarge *http.MaxBytesError
	var proxy *httpclient.ProxyError
	var sent *url.Error
	var network net.Error
	switch {
	case errors.As(err, &proxy):
		return Unavailable(s.Name+" was not asked: "+proxy.Error()+".", proxy.Next)
	case errors.Is(err, errRedirect):
		return Broken(s.Name+" wants to send "+doing+" elsewhere, which is not followed, to keep the token here.", s.Redirected)
	case errors.As(err, &tooLarge):
		return Broken(s.Name+" gave an answer that is far too large.", s.Unlike)
	case errors.As(err, &certificate):
		return Broken(s.Name+" shows a certificate that is not trusted here.", "Give its authority with --ca-file when the backend is chosen.")
	case errors.Is(err, context.DeadlineExceeded):
		return Unavailable(s.Name+" did not answer in time.", "Try again later; until then, cached tokens are used.")
	case errors.As(err, &sent) || errors.As(err, &network):
		return Unavailable(s.Name+" cannot be reached.", s.Unreached)
	}
	return Unavailable(s.Name+" did not answer like a "+s.Kind+".", s.Unlike)
}

// Moved makes the problem that somebody else changed the item meanwhile.
func Moved(name string) *problems.Problem {
	return problems.New(problems.CodeStateMoved, "The secret "+name+" was changed by someone else meanwhile; nothing was stored.",
		problems.WithHint("Check it, then repeat the change if you still want it."))
}

var plainName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?$`)
})

// CheckPlainName refuses what is not made of letters a to z, digits and
// hyphens, with underscores if they are allowed: names become parts of a path.
func CheckPlainName(name string, underscore bool) error {
	if plainName().MatchString(name) && (underscore || !strings.Contains(name, "_")) {
		return nil
	}
	letters := "letters, digits and hyphens"
	if underscore {
		letters = "letters, digits, hyphens and underscores"
	}
	return problems.New(problems.CodeInvalidArgument,
		"The name \""+untrusted.Sanitize(name)+"\" is not valid in this backend, which accepts "+letters+" only: choose another.")
}

// Guarded returns a client that treats a redirect as an error and reads at most
// maxAnswer bytes of an answer.
func Guarded(base *http.Client) *http.Client {
	return &http.Client{Transport: guarded{base.Transport}, CheckRedirect: base.CheckRedirect}
}

type guarded struct{ base http.RoundTripper }

func (g guarded) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := g.base.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode >= 300 && response.StatusCode < 400 {
		_ = response.Body.Close()
		return nil, errRedirect
	}
	response.Body = http.MaxBytesReader(nil, response.Body, maxAnswer)
	return response, nil
}
