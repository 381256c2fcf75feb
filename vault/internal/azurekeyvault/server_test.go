package azurekeyvault

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"mcp-partner/internal/httpclient"
	"mcp-partner/internal/keyvaulttest"
)

const (
	goodToken  = keyvaulttest.Token
	rightScope = keyvaulttest.Resource + "/.default"
	tenantID   = keyvaulttest.TenantID
)

// signIn gives tokens and remembers what was asked for.
type signIn struct {
	mu    sync.Mutex
	asked []policy.TokenRequestOptions
	err   error
}

// GetToken implements azcore.TokenCredential.
func (s *signIn) GetToken(_ context.Context, options policy.TokenRequestOptions) (azcore.AccessToken, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, options)
	return azcore.AccessToken{Token: goodToken, ExpiresOn: time.Now().Add(time.Hour)}, s.err
}

// open opens the backend of a stand-in.
func open(t *testing.T, k *keyvaulttest.Vault, by *signIn) *Backend {
	t.Helper()
	settings, err := Settings{URL: k.URL, CAPEM: k.CAPEM(), Auth: Auth{Method: MethodAzureCLI, TenantID: tenantID, AzPath: "/usr/bin/az"}}.Normal()
	if err != nil {
		t.Fatal(err)
	}
	client, err := httpclient.New(httpclient.Options{CAPEM: []byte(k.CAPEM())})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	b, err := Open(settings, client, by)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
