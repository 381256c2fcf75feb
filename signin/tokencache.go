package signin

import (
	"context"
	"hash/maphash"
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

type keptToken struct {
	token
	// opens is the hash of what the token was asked for.
	opens uint64
	// pausedUntil keeps a refresh that failed from being tried at every call.
	pausedUntil time.Time
}

func (t target) tokenKey() tokenKey { return tokenKey{t.tenantID, naming.Fold(t.credential.Name)} }

// hash stands for all that decides which token comes back.
func (s *Source) hash(t target) uint64 { return maphash.Comparable(s.seed, t.opens()) }

// cached returns the token for a target, whether it can be used, and whether it
// should be replaced meanwhile.
func (s *Source) cached(t target) (got token, good, stale bool) {
	opens, now := s.hash(t), s.opts.Clock()
	s.mu.Lock()
	defer s.mu.Unlock()
	kept, ok := s.caches.Get(t.tokenKey())
	if !ok || kept.opens != opens || !now.Before(kept.usableUntil) {
		return token{}, false, false
	}
	stale = !now.Before(kept.refreshOn) && !now.Before(kept.pausedUntil)
	if stale {
		kept.pausedUntil = now.Add(refreshPause)
	}
	return kept.token, true, stale
}

// token returns a good token: the one at hand, or a new one. Claims mean that
// ARM refused the one at hand, so a new one is fetched in any case.
func (s *Source) token(ctx context.Context, t target, claims string) (token, error) {
	if claims == "" {
		got, good, stale := s.cached(t)
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
	if got, good, stale := s.cached(t); claims == "" && !refresh && good && !stale {
		return got, nil
	}
	got, asked, problem := s.mint(ctx, t, claims)
	if asked {
		s.tell(t, refresh, got, problem)
	}
	if problem != nil {
		return token{}, problem.For(t.tenant)
	}
	s.caches.Add(t.tokenKey(), &keptToken{token: got, opens: s.hash(t)})
	return got, nil
}

func (s *Source) tell(t target, refresh bool, got token, problem *problems.Problem) {
	s.opts.OnToken(tenants.Event{Time: s.opts.Clock(), Tenant: t.tenant, Credential: t.credential.Name, Kind: t.credential.Kind, Problem: problem})
	if problem != nil {
		s.opts.Logger.Warn("sign-in failed", "tenant", t.tenant, "credential", t.credential.Name, "refresh", refresh,
			"code", problem.Code, "entra_code", problem.ForeignCode, "correlation_id", problem.CorrelationID)
		return
	}
	s.opts.Logger.Debug("signed in", "tenant", t.tenant, "credential", t.credential.Name, "refresh", refresh, "expires", got.expiresOn)
}
