// Package httpclient builds the HTTP clients for Entra ID and Azure Resource
// Manager: one well-tuned client for each set of
// certificate authorities, shared by everything that goes there.
package httpclient

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"time"
)

// connsPerHost are kept idle. The Go default of two makes a run over hundreds of
// tenants dial again and again: all tenants of a cloud share one host.
const connsPerHost = 128

// ErrNoCertificate means that a CA bundle holds no readable certificate. Falling
// back to the system's roots would trust more than configured.
var ErrNoCertificate = errors.New("the CA bundle has no readable PEM certificate")

// Options tunes a client. The zero value is ready for use.
type Options struct {
	// CAPEM are the only certificate authorities to trust, in PEM; empty means
	// those of the system.
	CAPEM []byte
	// Certificates are presented to servers that ask for one.
	Certificates []tls.Certificate
	// HeaderTimeout bounds the wait for the first byte of an answer; 0 means
	// 30 s. Writes of the provider were seen to take 15 s.
	HeaderTimeout time.Duration
	// PublicOnly refuses connections to private addresses with ErrPrivate, but for
	// those of AllowPrivate.
	PublicOnly   bool
	AllowPrivate []netip.Prefix
	// Getenv reads the environment variables of proxies; nil means os.Getenv.
	Getenv func(string) string
}

// New makes a client that follows no redirect (a redirected token request
// would hand the client secret to the new host), speaks TLS 1.2 or later and
// HTTP/2 with pings, and takes its proxy from the environment, which may name one
// that fails every request with a *ProxyError. It returns
// ErrNoCertificate if CAPEM holds none.
func New(options Options) (*http.Client, error) {
	roots, err := certPool(options.CAPEM)
	if err != nil {
		return nil, err
	}
	if options.Getenv == nil {
		options.Getenv = os.Getenv
	}
	return &http.Client{
		Transport:     newTransport(options, roots, ProxyFromEnvironment(options.Getenv)),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

func certPool(pem []byte) (*x509.CertPool, error) {
	if len(pem) == 0 {
		return nil, nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, ErrNoCertificate
	}
	return pool, nil
}

func newTransport(options Options, roots *x509.CertPool, proxy Proxy) http.RoundTripper {
	dialer := net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	connect, through := dialer.DialContext, proxy.For
	if options.PublicOnly {
		guard := guarded{dialer, proxy, options.AllowPrivate}
		connect, through = guard.dial, guard.proxyFor
	}
	return throughProxy{proxy: proxy, Transport: &http.Transport{
		Proxy:                  through,
		OnProxyConnectResponse: proxy.connectAnswer,
		DialContext:            connect,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, Certificates: options.Certificates},
		TLSHandshakeTimeout:    10 * time.Second,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           2 * connsPerHost,
		MaxIdleConnsPerHost:    connsPerHost,
		IdleConnTimeout:        90 * time.Second,
		ResponseHeaderTimeout:  cmp.Or(options.HeaderTimeout, 30*time.Second),
		MaxResponseHeaderBytes: 64 << 10,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 10 * time.Second},
	}}
}

// Pool hands out one client for each CA bundle, so that a connection made for
// one tenant serves the next. It is safe for concurrent use.
type Pool struct {
	options Options
	mu      sync.Mutex
	clients map[string]*http.Client // by their CA bundle
}

// NewPool returns a pool whose clients are made with options; CAPEM comes from
// each call of Client instead.
func NewPool(options Options) *Pool {
	return &Pool{options: options, clients: map[string]*http.Client{}}
}

// Client returns the client for a CA bundle (nil for the system's roots),
// making it at the first call. It returns ErrNoCertificate for a bundle
// without a certificate.
func (p *Pool) Client(caPEM []byte) (*http.Client, error) {
	key := string(caPEM)
	p.mu.Lock()
	defer p.mu.Unlock()
	if client, ok := p.clients[key]; ok {
		return client, nil
	}
	options := p.options
	options.CAPEM = caPEM
	client, err := New(options)
	if err == nil {
		p.clients[key] = client
	}
	return client, err
}

// CloseIdle closes idle connections.
func (p *Pool) CloseIdle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, client := range p.clients {
		client.CloseIdleConnections()
	}
}

// IsLoopback reports whether a host, without a port, is this machine.
func IsLoopback(host string) bool {
	return host == "localhost" || IsLoopbackAddress(host)
}

// IsLoopbackAddress is IsLoopback for where a name does not do, because a name
// can be pointed elsewhere.
func IsLoopbackAddress(host string) bool {
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// CheckCA refuses a file of certificate authorities without any, with
// ErrNoCertificate: it would widen the trust that it is to narrow.
func CheckCA(pem []byte) error {
	if len(pem) == 0 {
		return ErrNoCertificate
	}
	_, err := certPool(pem)
	return err
}
