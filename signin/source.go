package signin

import (
	"cmp"
	"context"
	"hash/maphash"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	lru "github.com/hashicorp/golang-lru/v2"

	"mcp-partner/internal/flight"
	"mcp-partner/internal/httpclient"
	"mcp-partner/internal/naming"
	"mcp-partner/schemas/problems"
	"mcp-partner/tenants"
	"mcp-partner/vault"
)

const (
	// signInLimit bounds one sign-in, retries included. A call answers within
	// 45 s, and a sign-in is the smaller part of it.
	signInLimit = 30 * time.Second
	// refreshBefore is how long before its end a token is replaced where Entra
	// ID names no time for it, as azcore does.
	refreshBefore = 5 * time.Minute
	// refreshPause is how long a failed refresh is not tried again while the
	// token is still good.
	refreshPause = 30 * time.Second
	// usable is how long a token must last to be handed out: a write may take
	// 15 s at the provider.
	usable = time.Minute
	// maxCaches bounds the tokens that are kept, some 2 kB each, so that a process
	// that runs for months while the directory changes does not grow. It holds those of
	// 100 000 tenants: an audit within their hour signs in nowhere again.
	maxCaches = 131_072
	// azAtOnce bounds the az processes: each starts a Python interpreter.
	azAtOnce = 4
)

// Options is what a Source works with. Directory and Store are needed.
type Options struct {
	Directory *tenants.Directory
	Store     vault.Store
	// HTTP are the clients for Entra ID; nil makes a pool with defaults.
	HTTP *httpclient.Pool
	// Clock tells the time that expiry follows; nil means time.Now.
	Clock func() time.Time
	// Logger gets one line for each sign-in, without secrets; nil logs nothing.
	Logger *slog.Logger
	// OnToken is called for every sign-in; it must not block.
	OnToken func(tenants.Event)
}

// Source turns credentials into tokens. It is safe for concurrent use.
type Source struct {
	opts Options

	stop     context.CancelFunc
	signIns  *flight.Group[flightKey, token]
	metadata *http.Client // for the identity endpoint of this machine (managed identity)
	az       chan struct{}
	refused  *negativeCache
	asserted *assertions
	// learning is held while the expiry of a secret is written.
	learning sync.Mutex

	mu     sync.Mutex // guards what changes of a keptToken
	caches *lru.Cache[tokenKey, *keptToken]
	// seed makes the hashes of targets, which take the place of many targets in memory.
	seed maphash.Seed
}

// flightKey tells sign-ins apart that must not share an outcome.
type flightKey struct {
	target target
	claims string
}

// NewSource makes a Source. It does nothing until the first token is asked for.
func NewSource(options Options) *Source {
	base, stop := context.WithCancel(context.Background())
	s := &Source{
		opts: options.filled(), seed: maphash.MakeSeed(), stop: stop, signIns: flight.New[flightKey, token](base, signInLimit),
		metadata: metadataClient(), az: make(chan struct{}, azAtOnce),
	}
	s.caches, _ = lru.New[tokenKey, *keptToken](maxCaches) // fails for no size but 0
	s.refused = &negativeCache{now: s.opts.Clock, all: map[credentialKey]*history{}}
	s.asserted = &assertions{now: s.opts.Clock, pool: s.opts.HTTP}
	return s
}

func (o Options) filled() Options {
	if o.HTTP == nil {
		o.HTTP = httpclient.NewPool(httpclient.Options{})
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.OnToken == nil {
		o.OnToken = func(tenants.Event) {}
	}
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	return o
}

// Close ends all sign-ins that are under way and waits for them.
func (s *Source) Close() {
	s.stop()
	s.signIns.Running.Wait()
}

type target struct {
	tenant     string
	tenantID   string
	cloud      tenants.Cloud
	credential tenants.CredentialConfig
}

// opens is all that decides which token comes back: a change of any part makes
// another token necessary. When a secret ends is no such part; it may be learned
// while sign-ins go on.
func (t target) opens() target {
	t.credential.Expires, t.credential.Thumbprint = "", ""
	return t
}

func (s *Source) target(tenant, credential string) (target, error) {
	entry, _, config, err := s.opts.Directory.Acting(tenant, credential)
	return target{entry.Name, entry.TenantID, entry.Cloud, config}, err
}

// Credential returns the credential for exactly one tenant and one credential
// name; an empty name means the tenant's default. It asks for no token yet.
//
// What it returns looks into the directory at every use, so an entry that was
// changed or removed meanwhile takes effect at once. Its GetToken returns only
// problems. It refuses options that name another tenant or another scope than
// the entry has, and always asks for tokens that can be revoked (CAE).
// Problems: CodeUnknownTenant, CodeTenantRequired, CodeDirectoryEmpty,
// CodeUnknownCredential.
func (s *Source) Credential(_ context.Context, tenant, credential string) (azcore.TokenCredential, error) {
	t, err := s.target(tenant, credential)
	if err != nil {
		return nil, err
	}
	return &tenantCredential{source: s, tenantID: t.tenantID, credential: t.credential.Name}, nil
}

type tenantCredential struct {
	source     *Source
	tenantID   string
	credential string
}

func (c *tenantCredential) GetToken(ctx context.Context, options policy.TokenRequestOptions) (azcore.AccessToken, error) {
	t, err := c.source.target(c.tenantID, c.credential)
	if err != nil {
		return azcore.AccessToken{}, err
	}
	if err := checkRequest(t, options); err != nil {
		return azcore.AccessToken{}, err
	}
	got, err := c.source.token(ctx, t, options.Claims)
	if err != nil {
		return azcore.AccessToken{}, err
	}
	return got.open(), nil
}

// checkRequest fails closed on a request that would get a token for somewhere
// else than the entry says.
func checkRequest(t target, options policy.TokenRequestOptions) error {
	if problem := t.awayFromHome(); problem != nil {
		return problem
	}
	if options.TenantID != "" && naming.Fold(options.TenantID) != t.tenantID {
		return problems.New(problems.CodeWrongTenant,
			"A token for another tenant than "+t.tenant+" was asked of its credential; nothing was sent.")
	}
	if len(options.Scopes) != 1 || options.Scopes[0] != t.cloud.Scope() {
		return problems.New(problems.CodeInternal,
			"A token of "+t.tenant+" was asked for another audience than the directory entry has; nothing was sent.")
	}
	return nil
}
