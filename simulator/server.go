package simulator

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"time"
)

// Server is a simulator behind a TLS listener. The ARM endpoint and the
// authority are one host.
type Server struct {
	sim    *Simulator
	http   *http.Server
	url    string
	caPEM  []byte
	cancel context.CancelFunc
	done   chan struct{}
}

// Start listens on addr, host and port, and serves HTTP/1.1 and HTTP/2 with a
// certificate made for this server alone, which can vouch for no other. It holds
// for 127.0.0.1, ::1, localhost and the host of addr. The server ends with the
// context or by [Server.Close].
func (s *Simulator) Start(ctx context.Context, addr string) (*Server, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("simulator: listen address %q is not host:port: %w", addr, err)
	}
	cert, caPEM, err := newCertificate(host, time.Now())
	if err != nil {
		return nil, fmt.Errorf("simulator: make a certificate: %w", err)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	srv := &Server{sim: s, url: "https://" + reachable(host, listener.Addr()), caPEM: caPEM, cancel: cancel, done: make(chan struct{})}
	srv.http = &http.Server{
		Handler:           s.Handler(),
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12},
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: 30 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	go func() {
		defer close(srv.done)
		_ = srv.http.ServeTLS(listener, "", "") // it returns after Close, with nothing to report
	}()
	context.AfterFunc(ctx, func() { _ = srv.http.Close() })
	return srv, nil
}

// reachable is the host and port for a URL: a listener on all addresses is
// reached on the loopback one.
func reachable(host string, addr net.Addr) string {
	_, port, _ := net.SplitHostPort(addr.String())
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// URL returns the server's address, https with host and port, without a slash
// at its end.
func (s *Server) URL() string { return s.url }

// Authority returns Entra ID's URL with a slash at its end, as the SDK's
// cloud configurations have it.
func (s *Server) Authority() string { return s.url + "/" }

// CAPEM returns the server's certificate, for clients to
// trust.
func (s *Server) CAPEM() []byte { return append([]byte(nil), s.caPEM...) }

// Close ends the server at once: it breaks open connections and releases requests
// that wait for latency or a slow write.
func (s *Server) Close() error {
	s.cancel()
	err := s.http.Close()
	<-s.done
	return err
}

// newCertificate makes a certificate that vouches for itself and for no other, valid
// for a year around now.
func newCertificate(host string, now time.Time) (tls.Certificate, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mcp-partner simulator"},
		NotBefore: now.Add(-24 * time.Hour), NotAfter: now.Add(365 * 24 * time.Hour), BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	if ip := net.ParseIP(host); ip != nil {
		c.IPAddresses = append(c.IPAddresses, ip)
	} else if host != "" && host != "localhost" {
		c.DNSNames = append(c.DNSNames, host)
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), err
}
