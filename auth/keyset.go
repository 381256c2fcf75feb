package auth

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/semaphore"
)

const (
	// refreshAfter is the age at which keys are reloaded in the background; a
	// withdrawn key is trusted for that long.
	refreshAfter = time.Hour
	// keptFor is how long keys are used without the issuer.
	keptFor = 24 * time.Hour
	// retryWithKeys is the minimum interval between loads, which bounds what tokens
	// with made-up keys can trigger. Without keys it is retryWithoutKeys.
	retryWithKeys    = 30 * time.Second
	retryWithoutKeys = 5 * time.Second
	// waitFor is how long a token waits for keys, and maxWaiting how many wait at
	// once: tokens with made-up keys must not occupy the server while the issuer
	// hangs.
	waitFor    = 3 * time.Second
	maxWaiting = 32
)

// keySet keeps the keys of one issuer. It loads them for the first token, so that
// a server starts while its issuer is down.
type keySet struct {
	issuer issuer
	client *http.Client
	log    *slog.Logger
	now    func() time.Time

	mu      sync.Mutex
	keys    []jose.JSONWebKey
	loaded  time.Time // when the keys came
	tried   time.Time // when they were asked for last
	count   uint64    // how often they came
	flight  chan struct{}
	waiting *semaphore.Weighted
	// declares is set once an access token of the issuer said in typ what it is.
	declares   atomic.Bool
	onDeclared func(issuer string)
}

// checkDeclared refuses an access token that does not say in typ what it is, where
// that is required: by the operator, or because another one of the issuer said it.
// Then one that lacks it is another kind of token, however it looks.
func (s *keySet) checkDeclared(header claims, required *bool) error {
	if typ, _ := header.text("typ"); declaresAccess(typ) {
		if !s.declares.Swap(true) {
			s.mu.Lock()
			s.count++ // so that tokens verified before are verified again
			s.mu.Unlock()
			if s.onDeclared != nil {
				s.onDeclared(s.issuer.name)
			}
		}
		return nil
	}
	if required != nil && *required || required == nil && s.declares.Load() {
		return errKind
	}
	return nil
}

// verify checks a token's signature, and reloads keys once if none matches.
func (s *keySet) verify(ctx context.Context, token *jose.JSONWebSignature) ([]byte, error) {
	keys := s.current()
	if payload, _ := verify(keys, token); payload != nil {
		return payload, nil
	}
	if err := s.reload(ctx); err != nil {
		return nil, err
	}
	if keys = s.current(); keys == nil {
		return nil, errUnverified
	}
	payload, found := verify(keys, token)
	switch {
	case payload != nil:
		return payload, nil
	case found:
		return nil, errSignature
	}
	return nil, errKey
}

// current returns the usable keys, and reloads old ones in the background.
func (s *keySet) current() []jose.JSONWebKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	age := s.now().Sub(s.loaded)
	if s.keys == nil || age > keptFor {
		return nil
	}
	if age > refreshAfter {
		s.launch()
	}
	return s.keys
}

// generation numbers the current keys; it changes with every load.
func (s *keySet) generation() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys == nil || s.now().Sub(s.loaded) > keptFor {
		return 0
	}
	return s.count
}

// ready reports whether keys are loaded, and starts loading them if not.
func (s *keySet) ready() bool {
	if len(s.current()) > 0 {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.launch()
	return false
}

// reload waits for new keys if a load is due. All callers share one load, each
// with its own deadline.
func (s *keySet) reload(ctx context.Context) error {
	s.mu.Lock()
	flight := s.launch()
	s.mu.Unlock()
	switch {
	case flight == nil:
		return nil
	case !s.waiting.TryAcquire(1):
		return errUnverified
	}
	defer s.waiting.Release(1)
	ctx, cancel := context.WithTimeout(ctx, waitFor)
	defer cancel()
	select {
	case <-flight:
		return nil
	case <-ctx.Done():
		return errUnverified
	}
}

// launch starts a load unless one is running or recent, and returns a channel that
// closes with the one that runs, or nil. The caller holds the lock.
func (s *keySet) launch() <-chan struct{} {
	pause := retryWithoutKeys
	if s.keys != nil {
		pause = retryWithKeys
	}
	if s.flight == nil && (s.tried.IsZero() || s.now().Sub(s.tried) >= pause) {
		s.tried, s.flight = s.now(), make(chan struct{})
		go s.load(s.flight)
	}
	return s.flight
}

func (s *keySet) load(flight chan struct{}) {
	keys, err := loadKeys(context.Background(), s.client, s.issuer)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.keys, s.loaded, s.count = keys, s.now(), s.count+1
	} else {
		s.log.Warn("the keys of an issuer could not be loaded", "issuer", s.issuer.url().Host, "reason", err.Error())
	}
	s.flight = nil
	close(flight)
}
