package testkit

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Pair is a certificate for this machine that vouches for itself, in files.
type Pair struct {
	CertFile, KeyFile string
	names             []string
	tb                testing.TB
}

// NewPair writes a pair for loopback and other names into a folder of the test.
func NewPair(tb testing.TB, names ...string) *Pair {
	tb.Helper()
	dir := tb.TempDir()
	p := &Pair{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), append(names, "localhost"), tb}
	p.Renew("first", time.Now().Add(time.Hour))
	return p
}

// Renew puts another pair into the files, told apart by its name.
func (p *Pair) Renew(name string, until time.Time) {
	p.tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		p.tb.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: until, DNSNames: p.names,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		p.tb.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		p.tb.Fatal(err)
	}
	p.Write(p.CertFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	p.Write(p.KeyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
}

// Write replaces one of the files.
func (p *Pair) Write(path string, content []byte) {
	p.tb.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		p.tb.Fatal(err)
	}
}

// Serve is a server's configuration with the pair as it is now.
func (p *Pair) Serve() *tls.Config {
	p.tb.Helper()
	pair, err := tls.LoadX509KeyPair(p.CertFile, p.KeyFile)
	if err != nil {
		p.tb.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}}
}

// Trust is a client's configuration that trusts the pair as it is now.
func (p *Pair) Trust() *tls.Config {
	p.tb.Helper()
	content, err := os.ReadFile(p.CertFile)
	if err != nil {
		p.tb.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(content)
	return &tls.Config{RootCAs: pool}
}
