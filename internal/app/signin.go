package app

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"mcp-partner/armclient"
	"mcp-partner/internal/credential"
	"mcp-partner/internal/exit"
	"mcp-partner/schemas/problems"
	"mcp-partner/signin"
	"mcp-partner/tenants"
	"mcp-partner/vault"
)

// SignIn gets a token as a call would, and looks at it as the gate before ARM
// does: one for another tenant or another identity would be stopped there.
func (a *App) SignIn(ctx context.Context, entry tenants.Entry, config tenants.CredentialConfig) error {
	signer, err := a.Source.Credential(ctx, entry.Name, config.Name)
	if err != nil {
		return err
	}
	token, err := signer.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{entry.Cloud.Scope()}, EnableCAE: true})
	if err != nil {
		return err
	}
	ref, err := entry.Credential(config.Name)
	if err != nil {
		return err
	}
	return judgeToken(token.Token, entry, ref, config.Kind)
}

// TrySignIn is SignIn for a tenant that need not be in the directory, with
// secrets from a store that need not be the vault.
func (a *App) TrySignIn(ctx context.Context, entry tenants.Entry, config tenants.CredentialConfig, store vault.Store) error {
	ref, err := entry.Credential(config.Name)
	if err != nil {
		return err
	}
	entry.Credentials = []tenants.CredentialRef{ref}
	directory, err := tenants.NewMemoryDirectory([]tenants.Entry{entry}, []tenants.CredentialConfig{config})
	if err != nil {
		return err
	}
	trial := &App{Directory: directory, Store: store, Source: signin.NewSource(signin.Options{Directory: directory, Store: store, HTTP: a.HTTP})}
	defer trial.Source.Close()
	return trial.SignIn(ctx, entry, config)
}

func judgeToken(token string, entry tenants.Entry, ref tenants.CredentialRef, kind tenants.Kind) error {
	tenantID, objectID := armclient.TokenIdentity(token)
	switch {
	case tenantID != "" && !strings.EqualFold(tenantID, entry.TenantID):
		return problems.New(problems.CodeWrongTenant,
			fmt.Sprintf("The token is for tenant %s, and the tenant ID of %s is %s.", tenantID, entry.Name, entry.TenantID),
			wrongTenantHint(entry, kind))
	case ref.PinnedObjectID != "" && objectID != "" && !strings.EqualFold(objectID, ref.PinnedObjectID):
		return problems.New(problems.CodeWrongIdentity,
			fmt.Sprintf("The token is for identity %s, and %s is pinned for %s in %s.", objectID, ref.PinnedObjectID, ref.Name, entry.Name),
			problems.WithCommand("If the identity was changed on purpose, unpin the old one.", "mcp-partner tenants set %s --object-id ''", entry.Name))
	}
	return nil
}

func wrongTenantHint(entry tenants.Entry, kind tenants.Kind) problems.Option {
	if kind == tenants.KindAzureCLI {
		return problems.WithCommand("Sign in to that tenant.", "az login --tenant %s", entry.TenantID)
	}
	return problems.WithCommand("Correct the tenant ID.", "mcp-partner tenants set %s --tenant-id GUID", entry.Name)
}

// TenantOfDomain asks Entra ID of a cloud for the tenant that a domain belongs to.
func (a *App) TenantOfDomain(ctx context.Context, cloud tenants.Cloud, domain string) (string, error) {
	return signin.TenantOfDomain(ctx, a.HTTP, cloud, domain)
}

// Adopt reads what can be known of the secret that the vault holds for a new
// credential.
func (a *App) Adopt(ctx context.Context, config tenants.CredentialConfig, end string) (credential.Provided, error) {
	held, err := a.Store.Get(ctx, config.Name)
	if err != nil {
		return credential.Provided{}, err
	}
	about, certificateErr := signin.CertificateOf(held.Secret)
	switch isCertificate := certificateErr == nil; {
	case config.Kind == tenants.KindClientCertificate && !isCertificate:
		return credential.Provided{}, exit.Refused("choose another name with --credential", "what the vault holds under the name %s is not a certificate with its key: %s", config.Name, exit.MessageOf(certificateErr))
	case config.Kind == tenants.KindClientSecret && isCertificate:
		return credential.Provided{}, exit.Refused("give --kind client-certificate", "what the vault holds under the name %s is a certificate with its key", config.Name)
	}
	if certificateErr == nil {
		if err := about.CheckDates(time.Now()); err != nil {
			return credential.Provided{}, err
		}
	}
	return credential.Provided{Secret: held.Secret, Config: signin.Renewed(config, about, end), Held: true}, nil
}
