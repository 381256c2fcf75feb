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
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"maps"
	"net/http/httptest"
	"os"
	"slices"
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
	web := httptest.NewUnstartedServer(nil)
	web.Config.Handler = vaulthttp.Handler.Handler(&vault.HandlerProperties{Core: core, ListenerConfig: &configutil.Listener{Address: web.Listener.Addr().String()}})
	web.StartTLS()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw})
	err = json.NewEncoder(os.Stdout).Encode(announcement{
		Address: web.URL, CAPEM: string(ca), RootToken: result.RootToken, UnsealKey: base64.StdEncoding.EncodeToString(result.SecretShares[0]),
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
		CredentialBackends: credentials, LogicalBackends: engines,
		BuiltinRegistry: registry{consts.PluginTypeCredential: credentials, consts.PluginTypeSecrets: engines},
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
type registry map[consts.PluginType]map[string]logical.Factory

// Contains implements vault.BuiltinRegistry.
func (r registry) Contains(name string, kind consts.PluginType) bool {
	_, ok := r[kind][name]
	return ok
}

// Get implements vault.BuiltinRegistry.
func (r registry) Get(name string, kind consts.PluginType) (func() (any, error), bool) {
	factory, ok := r[kind][name]
	return func() (any, error) { return factory, nil }, ok
}

// Keys implements vault.BuiltinRegistry.
func (r registry) Keys(kind consts.PluginType) []string {
	return slices.Collect(maps.Keys(r[kind]))
}

// DeprecationStatus implements vault.BuiltinRegistry.
func (r registry) DeprecationStatus(name string, kind consts.PluginType) (consts.DeprecationStatus, bool) {
	return consts.Supported, r.Contains(name, kind)
}

// IsBuiltinEntPlugin implements vault.BuiltinRegistry.
func (registry) IsBuiltinEntPlugin(string, consts.PluginType) bool { return false }
