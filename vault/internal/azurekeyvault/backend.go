package azurekeyvault

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"

	"mcp-partner/schemas/problems"
	"mcp-partner/vault/internal/backend"
)

const (
	// callLimit bounds a call with its sign-in and its repetitions.
	callLimit = 20 * time.Second
	tryLimit  = 8 * time.Second
	// maxBytes is the size of a secret that Key Vault takes: 25 kB.
	maxBytes = 25_000
	// maxPages bounds a list: a page has at most 25 names.
	maxPages = 400
	// pfxContent marks the secret of a certificate that Key Vault keeps and
	// renews: a PFX file in base64.
	pfxContent = "application/x-pkcs12"
)

// Backend is the secrets with one prefix in one key vault.
type Backend struct {
	settings Settings
	client   *azsecrets.Client
}

// Open returns the backend of settings in their normal form. Nothing is sent
// yet. The client is shared and verifies what the settings trust; az gives
// tokens for MethodAzureCLI. A CodeVaultUnavailable problem says that this
// machine cannot sign in so.
func Open(settings Settings, client *http.Client, az azcore.TokenCredential) (*Backend, error) {
	options := azcore.ClientOptions{
		Transport: backend.Guarded(client),
		Retry:     policy.RetryOptions{MaxRetries: 1, RetryDelay: 250 * time.Millisecond, MaxRetryDelay: 2 * time.Second, TryTimeout: tryLimit},
		Telemetry: policy.TelemetryOptions{ApplicationID: "mcp-partner"},
	}
	credential, err := settings.credential(options, az)
	if err != nil {
		return nil, err
	}
	_, loopback, _ := settings.place()
	secrets, err := azsecrets.NewClient(settings.URL, credential, &azsecrets.ClientOptions{
		ClientOptions: options, DisableChallengeResourceVerification: loopback,
	})
	if err != nil {
		return nil, backend.Broken("The key vault client cannot be created.", "Check its URL.")
	}
	return &Backend{settings, secrets}, nil
}

// do bounds a call and words its error. The SDK splits the challenge of the far
// side without looking at its length, so a malformed one makes it panic.
func (b *Backend) do(ctx context.Context, doing string, work func(context.Context) error) (err error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	defer func() {
		if recover() != nil {
			err = backend.Broken("The key vault "+b.settings.URL+" gave an unreadable answer.", "Check the URL and any proxy in between.")
		}
	}()
	return b.problem(ctx, work(ctx), doing)
}

// Get implements backend.Backend.
func (b *Backend) Get(ctx context.Context, name string) (item backend.Item, err error) {
	err = b.do(ctx, "reading the secret "+name, func(ctx context.Context) error {
		item, err = b.get(ctx, name)
		return err
	})
	return item, err
}

func (b *Backend) get(ctx context.Context, name string) (backend.Item, error) {
	found, err := b.client.GetSecret(ctx, b.settings.Prefix+name, "", nil)
	if err != nil {
		return backend.Item{}, unlessMissing(err)
	}
	if found.ID == nil || found.Value == nil || *found.Value == "" {
		return backend.Item{}, errUnusable
	}
	item := backend.Item{Value: []byte(*found.Value), Version: found.ID.Version()}
	if found.ContentType != nil && *found.ContentType == pfxContent {
		value, err := base64.StdEncoding.DecodeString(*found.Value)
		if err != nil {
			return backend.Item{}, errUnusable
		}
		item.Value = value
	}
	if attributes := found.Attributes; attributes != nil {
		if attributes.Updated != nil {
			item.UpdatedAt = *attributes.Updated
		}
		if attributes.Expires != nil {
			item.ExpiresAt = *attributes.Expires
		}
	}
	return item, nil
}

func unlessMissing(err error) error {
	if answer, ok := errors.AsType[*azcore.ResponseError](err); ok && answer.StatusCode == http.StatusNotFound && answer.ErrorCode == "SecretNotFound" {
		return nil
	}
	return err
}

// Put implements backend.Backend. Key Vault knows no check-and-set, so what
// somebody else stores between the look and the write becomes the version
// before this one.
func (b *Backend) Put(ctx context.Context, name string, value []byte, version string) error {
	if len(value) > maxBytes || !utf8.Valid(value) {
		return problems.InvalidArgument("The secret %s is not text of at most 25 kB, which Azure Key Vault requires.", name)
	}
	return b.do(ctx, "storing the secret "+name, func(ctx context.Context) error {
		now, err := b.get(ctx, name)
		if err != nil {
			return err
		}
		if now.Version != version {
			return backend.Moved(name)
		}
		text := string(value)
		_, err = b.client.SetSecret(ctx, b.settings.Prefix+name, azsecrets.SetSecretParameters{Value: &text}, nil)
		return err
	})
}

// Delete implements backend.Backend. Key Vault keeps what was deleted for as
// long as its owner has set.
func (b *Backend) Delete(ctx context.Context, name string) error {
	return b.do(ctx, "removing the secret "+name, func(ctx context.Context) error {
		_, err := b.client.DeleteSecret(ctx, b.settings.Prefix+name, nil)
		return unlessMissing(err)
	})
}

// List implements backend.Backend.
func (b *Backend) List(ctx context.Context) ([]string, error) {
	var names []string
	err := b.do(ctx, "listing the secrets", func(ctx context.Context) error {
		pager := b.client.NewListSecretPropertiesPager(nil)
		for pages := 0; pager.More(); pages++ {
			page, err := pager.NextPage(ctx)
			if err != nil {
				return err
			}
			if pages == maxPages || !b.isOwn(page.NextLink) {
				return errUnusable
			}
			names = b.appendNames(names, page.Value)
		}
		return nil
	})
	return names, err
}

// isOwn refuses a next page elsewhere: the token would go along.
func (b *Backend) isOwn(next *string) bool {
	return next == nil || *next == "" || strings.HasPrefix(strings.ToLower(*next), strings.ToLower(b.settings.URL)+"/")
}

func (b *Backend) appendNames(names []string, page []*azsecrets.SecretProperties) []string {
	for _, secret := range page {
		if secret == nil || secret.ID == nil {
			continue
		}
		if name, own := strings.CutPrefix(strings.ToLower(secret.ID.Name()), b.settings.Prefix); own && b.CheckName(name) == nil {
			names = append(names, name)
		}
	}
	return names
}

// CheckName implements backend.Backend.
func (b *Backend) CheckName(name string) error { return backend.CheckPlainName(name, false) }

// Describe implements backend.Backend.
func (b *Backend) Describe() string {
	return "The secrets are in the key vault " + b.settings.URL + ", under names that begin with " + b.settings.Prefix +
		". It decides and logs who reads them. This program signs in with " + b.settings.Auth.Method +
		"; anyone who can sign in the same way on this machine can read them too."
}

// Close implements backend.Backend; nothing is borrowed.
func (b *Backend) Close(context.Context) {}

var errUnusable = errors.New("the answer is not that of a key vault")

func (b *Backend) problem(ctx context.Context, err error, doing string) error {
	const between = "Check the URL and any proxy in between."
	status := 0
	if answer, ok := errors.AsType[*azcore.ResponseError](err); ok {
		status = answer.StatusCode
	}
	return backend.Server{
		Name: "The key vault " + b.settings.URL, Kind: "key vault", Redirected: between, Unlike: between, Refused: between,
		Unreached: "Check the network and the firewall of the key vault; until then, cached tokens are used.",
		Denied:    "Give the identity the role Key Vault Secrets Officer there, and open the firewall of the key vault for this machine.",
	}.Problem(ctx, err, doing, status, b.refusal)
}

func (b *Backend) refusal(err error, _ string) *problems.Problem {
	name := "The key vault " + b.settings.URL
	var answer *azcore.ResponseError
	switch {
	case errors.Is(err, errSignIn):
		return backend.Unavailable("The sign-in to the key vault with "+b.settings.Auth.Method+" failed.", "Check that the identity is assigned to this machine, and its federation.")
	case errors.Is(err, errChallenge):
		return backend.Broken(name+" requested a token that is not for a key vault; none was sent.", "Check the URL and any proxy in between.")
	case !errors.As(err, &answer):
		return nil
	case answer.ErrorCode == "" && answer.StatusCode != http.StatusUnauthorized: // a key vault names its errors
		return backend.Unavailable(fmt.Sprintf("Something other than a key vault answers at %s, with status %d.", b.settings.URL, answer.StatusCode), "Check the URL and any proxy or firewall in between.")
	case answer.StatusCode == http.StatusConflict:
		return backend.Broken(name+" still keeps a deleted secret of that name.", "A person recovers or purges it: az keyvault secret recover, or az keyvault secret purge")
	}
	return nil
}
