// Command vaultserver is HashiCorp Vault itself, in memory, for tests: the real
// core and its real HTTP interface, with the key/value engine and four ways to
// sign in. It is a module of its own, so that nothing of it is part of
// mcp-partner.
//
// It listens on a loopback port, prints one line of JSON that says where and
// with which keys, and ends when standard input does.
package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"
	jwtauth "github.com/hashicorp/vault-plugin-auth-jwt"
	kubernetesauth "github.com/hashicorp/vault-plugin-auth-kubernetes"
	kv "github.com/hashicorp/vault-plugin-secrets-kv"
	"github.com/hashicorp/vault/builtin/credential/approle"
	"github.com/hashicorp/vault/command/server"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/internalshared/configutil"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/physical/inmem"
	"github.com/hashicorp/vault/vault"
)

// announcement is what is printed: all that a test needs.
type announcement struct {
	Address   string `json:"address"`
	CAPEM     string `json:"ca_pem"`
	RootToken string `json:"root_token"`
	UnsealKey string `json:"unseal_key"`
}

func main() {
	core, result, err := start()
	if err != nil {
		log.Fatal(err)
	}
	listener, ca, err := listen()
	if err != nil {
		log.Fatal(err)
	}
	handler := vaulthttp.Handler.Handler(&vault.HandlerProperties{Core: core, ListenerConfig: &configutil.Listener{Address: listener.Addr().String()}})
	go func() { log.Fatal((&http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}).Serve(listener)) }()
	err = json.NewEncoder(os.Stdout).Encode(announcement{
		Address: "https://" + listener.Addr().String(), CAPEM: ca, RootToken: result.RootToken,
		UnsealKey: base64.StdEncoding.EncodeToString(result.SecretShares[0]),
	})
	if err != nil {
		log.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// start makes a core in memory, initialises and unseals it.
func start() (*vault.Core, *vault.InitResult, error) {
	logger := hclog.NewNullLogger()
	storage, err := inmem.NewInmem(nil, logger)
	if err != nil {
		return nil, nil, err
	}
	credentials := map[string]logical.Factory{"approle": approle.Factory, "jwt": jwtauth.Factory, "kubernetes": kubernetesauth.Factory}
	engines := map[string]logical.Factory{"kv": kv.Factory}
	core, err := vault.NewCore(&vault.CoreConfig{
		Physical: storage, Logger: logger, DisableMlock: true, RawConfig: &server.Config{SharedConfig: &configutil.SharedConfig{}},
		CredentialBackends: credentials, LogicalBackends: engines, BuiltinRegistry: registry{credentials, engines},
		DefaultLeaseTTL: time.Hour, MaxLeaseTTL: 24 * time.Hour,
	})
	if err != nil {
		return nil, nil, err
	}
	ctx := context.Background()
	result, err := core.Initialize(ctx, &vault.InitParams{
		BarrierConfig: &vault.SealConfig{SecretShares: 1, SecretThreshold: 1}, RecoveryConfig: &vault.SealConfig{},
	})
	if err != nil {
		return nil, nil, err
	}
	_, err = core.Unseal(append([]byte{}, result.SecretShares[0]...))
	return core, result, err
}

// registry names what is built in.
type registry struct{ credentials, engines map[string]logical.Factory }

func (r registry) of(kind consts.PluginType) map[string]logical.Factory {
	switch kind {
	case consts.PluginTypeCredential:
		return r.credentials
	case consts.PluginTypeSecrets:
		return r.engines
	}
	return nil
}

// Contains implements vault.BuiltinRegistry.
func (r registry) Contains(name string, kind consts.PluginType) bool {
	_, ok := r.of(kind)[name]
	return ok
}

// Get implements vault.BuiltinRegistry.
func (r registry) Get(name string, kind consts.PluginType) (func() (any, error), bool) {
	factory, ok := r.of(kind)[name]
	return func() (any, error) { return factory, nil }, ok
}

// Keys implements vault.BuiltinRegistry.
func (r registry) Keys(kind consts.PluginType) []string {
	var names []string
	for name := range r.of(kind) {
		names = append(names, name)
	}
	return names
}

// DeprecationStatus implements vault.BuiltinRegistry.
func (r registry) DeprecationStatus(name string, kind consts.PluginType) (consts.DeprecationStatus, bool) {
	return consts.Supported, r.Contains(name, kind)
}

// IsBuiltinEntPlugin implements vault.BuiltinRegistry.
func (registry) IsBuiltinEntPlugin(string, consts.PluginType) bool { return false }

// listen opens a TLS port on loopback with a certificate of its own.
func listen() (net.Listener, string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, "", err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "vaultserver"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, "", err
	}
	certificate := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12})
	return listener, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), err
}
