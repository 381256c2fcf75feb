package server

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"mcp-partner/internal/disk"
)

const (
	// pairInterval is how often a handshake looks whether the files changed.
	pairInterval = time.Second
	// maxPairFile is the most that is read of a certificate or key file.
	maxPairFile = 1 << 20
)

// KeyPair is a TLS certificate with its key. The files are read again when they
// change; an invalid pair leaves the one in use.
type KeyPair struct {
	certFile, keyFile string
	log               *slog.Logger

	mu     sync.Mutex
	looked time.Time
	// cert and key are the files as they were tried last, good or bad.
	cert, key []byte
	used      *tls.Certificate
}

// LoadKeyPair reads a certificate with its chain, and its key, both in PEM.
func LoadKeyPair(certFile, keyFile string, log *slog.Logger) (*KeyPair, error) {
	p := &KeyPair{certFile: certFile, keyFile: keyFile, log: log, looked: time.Now()}
	if _, err := p.read(); err != nil {
		return nil, err
	}
	return p, nil
}

// Config is a TLS configuration that serves the pair, from TLS 1.2 on.
func (p *KeyPair) Config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: p.certificate}
}

// NotAfter is when the certificate in use ends.
func (p *KeyPair) NotAfter() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.used.Leaf.NotAfter
}

// certificate is asked at each handshake.
func (p *KeyPair) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); now.Sub(p.looked) >= pairInterval {
		p.looked = now
		p.reload()
	}
	return p.used, nil
}

func (p *KeyPair) reload() {
	changed, err := p.read()
	switch {
	case err != nil && changed:
		p.log.Error("the new TLS certificate or key cannot be used; the previous one stays in use", "reason", err.Error())
	case changed:
		p.log.Info("the TLS certificate was reloaded", "until", p.used.Leaf.NotAfter.UTC().Format(time.RFC3339))
	}
}

// read tries the files if they are others than those tried last. A pair that
// was replaced by halves fails once, and the other half makes it whole.
func (p *KeyPair) read() (changed bool, err error) {
	cert, certErr := disk.ReadTrusted(p.certFile, disk.Unchanged, maxPairFile)
	key, keyErr := disk.ReadTrusted(p.keyFile, disk.Secret, maxPairFile)
	if bytes.Equal(cert, p.cert) && bytes.Equal(key, p.key) && p.used != nil {
		return false, nil
	}
	p.cert, p.key = cert, key
	if err := errors.Join(certErr, keyErr); err != nil {
		return true, fileError(err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return true, errors.New("certificate and key do not match, or are not PEM")
	}
	if !time.Now().Before(pair.Leaf.NotAfter) {
		return true, errors.New("the certificate has expired")
	}
	p.used = &pair
	return true, nil
}

// fileError names the file and its mode where that is what is wrong.
func fileError(err error) error {
	if untrusted, ok := errors.AsType[*disk.Untrusted](err); ok {
		return fmt.Errorf("%w. %s", untrusted, untrusted.Next())
	}
	return errors.New("a file cannot be read")
}
