package httpclient

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"golang.org/x/net/http/httpproxy"
)

// ProxyError says that the proxy failed, or its setting, and not the host that
// was to be reached through it. It holds no user and no password.
type ProxyError struct {
	// Variable is the environment variable that names the proxy.
	Variable string
	// Host is the proxy's host and port, "" where the setting names none.
	Host string
	// Reason is the rest of a sentence that begins with the proxy.
	Reason string
	// Next is what to do about it.
	Next string
}

// Error implements error with a clause that can end a message.
func (e *ProxyError) Error() string {
	if e.Host == "" {
		return e.Variable + " " + e.Reason
	}
	return fmt.Sprintf("the proxy %s (%s) %s", e.Host, e.Variable, e.Reason)
}

// Proxy is what the environment says about proxies.
type Proxy struct {
	// Variable is HTTPS_PROXY or https_proxy, "" where neither is set.
	Variable string
	// URL is nil without a proxy, or if Err is not nil.
	URL *url.URL
	// Err is a *ProxyError for a setting that names no proxy.
	Err error
	// applies tells for which hosts the setting holds, by NO_PROXY.
	applies func(*url.URL) (*url.URL, error)
}

// ProxyFromEnvironment reads the proxy for https. A setting that cannot be
// parsed is an error and never treated as unset.
func ProxyFromEnvironment(getenv func(string) string) Proxy {
	variable := "HTTPS_PROXY"
	if getenv(variable) == "" {
		variable = "https_proxy"
	}
	if getenv(variable) == "" {
		return Proxy{}
	}
	p := Proxy{Variable: variable}
	p.URL, p.Err = parseProxy(variable, getenv(variable))
	// The library drops what it cannot parse; a stand-in tells who is exempt.
	exempt := httpproxy.Config{HTTPSProxy: "http://proxy.invalid", NoProxy: cmp.Or(getenv("NO_PROXY"), getenv("no_proxy"))}
	p.applies = exempt.ProxyFunc()
	return p
}

// For returns the proxy for a request, nil for none. Like net/http, it takes no
// proxy for requests without TLS: those go to this machine alone.
func (p Proxy) For(request *http.Request) (*url.URL, error) {
	if p.Variable == "" || request.URL.Scheme != "https" {
		return nil, nil
	}
	if through, err := p.applies(request.URL); through == nil || err != nil {
		return nil, err
	}
	return p.URL, p.Err
}

func parseProxy(variable, value string) (*url.URL, error) {
	if !strings.Contains(value, "://") {
		value = "http://" + value
	}
	u, err := url.Parse(value)
	schemes := []string{"http", "https", "socks5", "socks5h"}
	if err != nil || u.Hostname() == "" || !slices.Contains(schemes, u.Scheme) || strings.Trim(u.Path, "/") != "" ||
		u.RawQuery != "" || u.Fragment != "" || !isPort(u.Port()) {
		return nil, &ProxyError{Variable: variable, Reason: "is not the URL of a proxy, so nothing was sent",
			Next: "Set " + variable + " to http://HOST:PORT or http://USER:PASSWORD@HOST:PORT, with user and password percent-encoded (@ is %40, / is %2F, \\ is %5C)."}
	}
	return u, nil
}

func isPort(text string) bool {
	port, err := strconv.Atoi(text)
	return text == "" || err == nil && port > 0 && port < 1<<16
}

// throughProxy is a transport that says so when what fails is the proxy.
type throughProxy struct {
	*http.Transport
	proxy Proxy
}

func (t throughProxy) RoundTrip(request *http.Request) (*http.Response, error) {
	through, err := t.proxy.For(request)
	if err != nil {
		if request.Body != nil {
			_ = request.Body.Close()
		}
		return nil, err
	}
	if through == nil {
		return t.Transport.RoundTrip(request)
	}
	var passed, broken atomic.Bool // the proxy opened the way; no TLS came through it
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { passed.Store(true) }}
	if through.Scheme != "https" {
		trace.TLSHandshakeStart = func() { passed.Store(true) }
		trace.TLSHandshakeDone = func(_ tls.ConnectionState, err error) { broken.Store(withoutTLS(err)) }
	}
	response, err := t.Transport.RoundTrip(request.WithContext(httptrace.WithClientTrace(request.Context(), trace)))
	switch {
	case err == nil || request.Context().Err() != nil || errors.Is(err, ErrPrivate):
	case broken.Load():
		err = &ProxyError{Variable: t.proxy.Variable, Host: through.Host, Reason: "opened a connection to " + request.URL.Hostname() + " that ended before TLS began",
			Next: "Ask the operator of the proxy whether it allows " + request.URL.Hostname() + "."}
	case !passed.Load():
		err = t.proxy.blame(through, err)
	}
	return response, err
}

// withoutTLS reports whether a handshake failed because nothing that speaks TLS
// answered at all.
func withoutTLS(err error) bool {
	_, other := errors.AsType[tls.RecordHeaderError](err)
	return other || ended(err)
}

func ended(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)
}

// blame makes a ProxyError of what happened before the proxy opened the way.
func (p Proxy) blame(through *url.URL, err error) error {
	if known, ok := errors.AsType[*ProxyError](err); ok {
		return known
	}
	return &ProxyError{Variable: p.Variable, Host: through.Host, Reason: Reason(err), Next: "Check the proxy and " + p.Variable + "."}
}

// Reason says why a host gave no answer, as the rest of a sentence that begins with
// the host. Of the error's own text nothing is in it.
func Reason(err error) string {
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	var timeout net.Error
	switch {
	case errors.As(err, &certificate):
		return "shows a certificate that is not trusted"
	case errors.As(err, &name):
		return "cannot be resolved"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refuses the connection"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "did not answer in time"
	case ended(err):
		return "closed the connection without an answer"
	}
	return "cannot be reached, or gave no usable answer"
}

// connectAnswer checks the proxy's answer to CONNECT.
func (p Proxy) connectAnswer(_ context.Context, through *url.URL, request *http.Request, response *http.Response) error {
	if response.StatusCode == http.StatusOK {
		return nil
	}
	e := &ProxyError{Variable: p.Variable, Host: through.Host, Next: "Check the proxy and " + p.Variable + "."}
	host := request.URL.Hostname()
	if request.URL.Host == "" {
		host, _, _ = net.SplitHostPort(request.Host)
	}
	switch response.StatusCode {
	case http.StatusProxyAuthRequired:
		e.Reason = "asks for a user and a password, or does not accept those that were given (status 407)"
		e.Next = "Set " + p.Variable + " to http://USER:PASSWORD@HOST:PORT, with user and password percent-encoded."
	case http.StatusForbidden:
		e.Reason = "does not allow connections to " + host + " (status 403)"
		e.Next = "Ask the operator of the proxy to allow " + host + "."
	default:
		e.Reason = fmt.Sprintf("answered the request for a connection to %s with status %d", host, response.StatusCode)
	}
	return e
}
