package signin

import (
	"context"
	"hash/maphash"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"mcp-partner/internal/naming"
	"mcp-partner/schemas/problems"
	"mcp-partner/tenants"
)

// token is an access token that cannot be printed: it is captured by a closure.
type token struct {
	open      func() azcore.AccessToken
	expiresOn time.Time
	// refreshOn is when it is replaced, usableUntil when it is no longer handed out.
	refreshOn, usableUntil time.Time
}

// sealToken works out the times of a token that came at now. A token with a
// short life keeps a share of it instead of the usual margins.
func sealToken(t azcore.AccessToken, now time.Time) token {
	life := t.ExpiresOn.Sub(now)
	refreshOn := t.RefreshOn
	if refreshOn.Year() <= 1970 {
		refreshOn = t.ExpiresOn.Add(-min(refreshBefore, life/4))
	}
	return token{
		open: func() azcore.AccessToken { return t }, expiresOn: t.ExpiresOn,
		refreshOn: refreshOn, usableUntil: t.ExpiresOn.Add(-min(usable, life/10)),
	}
}

// tokenKey names the place of a token: one for each pair of credential and
// tenant that was used, up to maxCaches, of which the oldest are forgotten.
type tokenKey struct{ tenantID, credential string }

type tokenCache struct {
	mu sync.Mutex
	// opens is the hash of what the token was asked for.
	opens uint64
	token token
	// pausedUntil keeps a refresh that failed from being tried at every call.
	pausedUntil time.Time
}

func (s *Source) cacheOf(t target) *tokenCache {
	key := tokenKey{t.tenantID, naming.Fold(t.credential.Name)}
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.caches.Get(key)
	if !ok {
		found = &tokenCache{}
		s.caches.Add(key, found)
	}
	return found
}

// hash stands for all that decides which token comes back.
func (s *Source) hash(t target) uint64 { return maphash.Comparable(s.seed, t.opens()) }

// cached returns the token for a target, whether it can be used, and whether it
// should be replaced meanwhile.
func (c *tokenCache) cached(opens uint64, now time.Time) (got token, good, stale bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token.open == nil || c.opens != opens || !now.Before(c.token.usableUntil) {
		return token{}, false, false
	}
	stale = !now.Before(c.token.refreshOn) && !now.Before(c.pausedUntil)
	if stale {
		c.pausedUntil = now.Add(refreshPause)
	}
	return c.token, true, stale
}

func (c *tokenCache) keep(opens uint64, fresh token) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.opens, c.token = opens, fresh
}

// token returns a good token: the one at hand, or a new one. Claims mean that
// ARM refused the one at hand, so a new one is fetched in any case.
func (s *Source) token(ctx context.Context, t target, claims string) (token, error) {
	if claims == "" {
		got, good, stale := s.cacheOf(t).cached(s.hash(t), s.opts.Clock())
		if stale {
			s.signIns.Start(ctx, flightKey{t.opens(), ""}, func(ctx context.Context) (token, error) { return s.signIn(ctx, t, "", true) })
		}
		if good {
			return got, nil
		}
	}
	got, err := s.signIns.Do(ctx, flightKey{t.opens(), claims}, func(ctx context.Context) (token, error) { return s.signIn(ctx, t, claims, false) })
	if ctx.Err() != nil && err != nil && problems.IsContext(err) {
		return token{}, problems.OfContext(err, "Signing in to tenant "+t.tenant)
	}
	return got, err
}

func (s *Source) signIn(ctx context.Context, t target, claims string, refresh bool) (token, error) {
	// Another flight may have ended between a look at the cache and this one.
	if got, good, stale := s.cacheOf(t).cached(s.hash(t), s.opts.Clock()); claims == "" && !refresh && good && !stale {
		return got, nil
	}
	begun := s.opts.Clock()
	got, asked, problem := s.mint(ctx, t, claims)
	if asked {
		s.tell(t, refresh, begun, got, problem)
	}
	if problem != nil {
		return token{}, problem.For(t.tenant)
	}
	s.cacheOf(t).keep(s.hash(t), got)
	return got, nil
}

func (s *Source) tell(t target, refresh bool, begun time.Time, got token, problem *problems.Problem) {
	now := s.opts.Clock()
	s.opts.OnToken(tenants.Event{Time: now, Tenant: t.tenant, TenantID: t.tenantID, Credential: t.credential.Name,
		Kind: t.credential.Kind, Refresh: refresh, Duration: now.Sub(begun), ExpiresOn: got.expiresOn, Problem: problem})
	if problem != nil {
		s.opts.Logger.Warn("sign-in failed", "tenant", t.tenant, "credential", t.credential.Name, "refresh", refresh,
			"code", problem.Code, "entra_code", problem.ForeignCode, "correlation_id", problem.CorrelationID)
		return
	}
	s.opts.Logger.Debug("signed in", "tenant", t.tenant, "credential", t.credential.Name, "refresh", refresh, "expires", got.expiresOn)
}
