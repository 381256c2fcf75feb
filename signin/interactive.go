package signin

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/cache"
	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public"

	"mcp-partner/internal/sealed"
	"mcp-partner/schemas/problems"
	"mcp-partner/vault"
)

const (
	deviceCodePath = "/oauth2/v2.0/devicecode"
	signInVersion  = 1
	// renewAfter is how old what the vault holds of a sign-in may be before a
	// newer refresh token replaces it. Entra ID gives a new one at each use and
	// takes the older ones too, for 90 days; a vault that is written for each
	// tenant and hour would make every process decrypt it again and again.
	renewAfter = 6 * time.Hour
)

// signInRecord is what the vault holds of a person's sign-in: MSAL's cache
// without the access tokens, which live for an hour and in memory alone.
type signInRecord struct {
	sealed.Unprintable
	Version   int       `json:"version"`
	RenewedAt time.Time `json:"renewed_at"`
	// Cache is MSAL's own, by its parts.
	Cache map[string]json.RawMessage `json:"cache"`
}

func (r signInRecord) encode() (vault.Secret, error) {
	text, err := json.Marshal(r)
	if err != nil || len(text) > vault.MaxSecretBytes {
		clear(text)
		return vault.Secret{}, problems.New(problems.CodeInternal, "The sign-in cannot be stored.")
	}
	return sealed.Seal(text), nil
}

func decodeSignIn(secret vault.Secret) (signInRecord, error) {
	var r signInRecord
	if err := json.Unmarshal(sealed.Bytes(secret), &r); err != nil || r.Version != signInVersion || len(r.Cache) == 0 {
		return signInRecord{}, errors.New("no sign-in")
	}
	return r, nil
}

// interactiveProof redeems what the vault holds of a person's sign-in. It never asks
// anybody: where that does not do, the problem names the command that does.
func (s *Source) interactiveProof(t target, stored vault.Secret) (proof, *problems.Problem) {
	record, err := decodeSignIn(stored)
	if err != nil {
		return proof{}, t.notSignedInYet()
	}
	kept := &signInCache{record: record}
	p := proof{secret: stored, settle: func(ctx context.Context) { s.renew(ctx, t, stored, kept) }}
	p.credential = func(x *exchange) (azcore.TokenCredential, error) {
		client, err := t.publicClient(x, kept)
		return silent{client: client, tenantID: t.tenantID}, err
	}
	return p, nil
}

func (t target) notSignedInYet() *problems.Problem {
	return problems.New(problems.CodeInteractionRequired,
		"Nobody is signed in for credential "+t.credential.Name+", which tenant "+t.tenant+" uses.", t.loginHint())
}

// publicClient is MSAL's client for people. It lives for one sign-in.
func (t target) publicClient(x *exchange, kept cache.ExportReplace) (public.Client, error) {
	return public.New(t.credential.ClientID, public.WithAuthority(x.base), public.WithHTTPClient(x), public.WithCache(kept),
		public.WithInstanceDiscovery(!t.skipsDiscovery()), public.WithClientCapabilities([]string{"CP1"}))
}

// silent is a person's credential that never prompts.
type silent struct {
	sealed.Unprintable
	client   public.Client
	tenantID string
}

func (s silent) GetToken(ctx context.Context, options policy.TokenRequestOptions) (azcore.AccessToken, error) {
	accounts, err := s.client.Accounts(ctx)
	if err != nil {
		return azcore.AccessToken{}, err
	}
	if len(accounts) == 0 {
		return azcore.AccessToken{}, errors.New("no account")
	}
	result, err := s.client.AcquireTokenSilent(ctx, options.Scopes,
		public.WithSilentAccount(accounts[0]), public.WithTenantID(s.tenantID), public.WithClaims(options.Claims))
	if err != nil {
		return azcore.AccessToken{}, err
	}
	return azcore.AccessToken{Token: result.AccessToken, ExpiresOn: result.ExpiresOn.UTC(), RefreshOn: result.Metadata.RefreshOn.UTC()}, nil
}

// signInCache lends MSAL what the vault holds, and takes what it makes of it.
type signInCache struct {
	sealed.Unprintable
	record signInRecord
	// fresh is MSAL's cache after the sign-in, without access tokens.
	fresh map[string]json.RawMessage
}

func (c *signInCache) Replace(_ context.Context, into cache.Unmarshaler, _ cache.ReplaceHints) error {
	if len(c.record.Cache) == 0 {
		return nil
	}
	text, err := json.Marshal(c.record.Cache)
	if err != nil {
		return err
	}
	defer clear(text)
	return into.Unmarshal(text)
}

func (c *signInCache) Export(_ context.Context, from cache.Marshaler, _ cache.ExportHints) error {
	text, err := from.Marshal()
	if err != nil {
		return err
	}
	defer clear(text)
	var parts map[string]json.RawMessage
	if err := json.Unmarshal(text, &parts); err != nil {
		return err
	}
	delete(parts, "AccessToken")
	delete(parts, "IdToken")
	c.fresh = parts
	return nil
}

// renew puts a newer refresh token into the vault from time to time, so that a
// sign-in lasts for as long as it is used. Of the rest of the cache only the
// token changes: every tenant would leave an account of its own behind. A
// failure is logged: the token in the vault goes on for weeks.
func (s *Source) renew(ctx context.Context, t target, stored vault.Secret, kept *signInCache) {
	now, fresh := s.opts.Clock(), kept.fresh["RefreshToken"]
	if len(fresh) == 0 || now.Sub(kept.record.RenewedAt) < renewAfter {
		return
	}
	record := kept.record
	record.RenewedAt = now.UTC()
	record.Cache = maps.Clone(kept.record.Cache)
	record.Cache["RefreshToken"] = fresh
	secret, err := record.encode()
	if err == nil {
		err = s.opts.Store.Replace(ctx, t.credential.SecretName, stored, secret)
	}
	// A newer sign-in meanwhile has stored a newer one.
	if err != nil && problems.As(err).Code != problems.CodeStateMoved {
		s.opts.Logger.Warn("a renewed sign-in was not stored", "credential", t.credential.Name, "code", problems.As(err).Code)
	}
}
