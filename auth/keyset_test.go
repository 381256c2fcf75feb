package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mcp-partner/internal/issuertest"
	"mcp-partner/schemas/problems"
)

func TestRotation(t *testing.T) {
	t.Parallel()
	h := newFixture(t, Mapping{})
	old := h.issuer.Token(h.claims())
	h.accepts(old)
	h.issuer.Rotate()
	fresh := h.issuer.Token(h.claims())
	h.refuses(fresh, errKey) // the issuer was asked a moment ago
	h.clock.Advance(retryWithKeys)
	h.accepts(fresh)
	h.clock.Advance(rememberFor)
	h.refuses(old, errKey)
	h.accepts(fresh)
	if n := h.issuer.Requests(issuertest.KeysPath); n != 3 {
		t.Errorf("the keys were asked for %d times", n)
	}
}

// Some issuers create a new key under the same ID at each start.
func TestKeyReplacedUnderSameIDIsFetched(t *testing.T) {
	t.Parallel()
	h := newFixture(t, Mapping{})
	h.accepts(h.issuer.Token(h.claims()))
	key := issuertest.Start(t).SigningKey()
	key.ID = h.issuer.SigningKey().ID
	h.issuer.Publish(key)
	h.clock.Advance(retryWithKeys)
	h.accepts(h.issuer.Token(h.claims()))
}

func TestManyUnknownKeysMakeFewRequests(t *testing.T) {
	t.Parallel()
	h := newFixture(t, Mapping{})
	h.accepts(h.issuer.Token(h.claims()))
	stranger := issuertest.Start(t).SigningKey()
	var all sync.WaitGroup
	for i := range 1000 {
		token := issuertest.Sign(t, stranger, change{"kid": fmt.Sprint("made up ", i)}, h.claims())
		if i%100 == 0 {
			h.clock.Advance(retryWithKeys / 5) // a minute in all
		}
		all.Go(func() {
			if _, err := h.Authenticate(t.Context(), token); err == nil {
				t.Error("a stranger's token was accepted")
			}
		})
	}
	all.Wait()
	if n := h.issuer.Requests(issuertest.KeysPath); n > 4 {
		t.Errorf("1000 unknown keys had the issuer asked %d times", n)
	}
	h.accepts(h.issuer.Token(h.claims()))
}

func TestIssuerOutageIsReportedAndRetried(t *testing.T) {
	t.Parallel()
	h := newFixture(t, Mapping{})
	down := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }
	h.issuer.AnswerWith(down)
	token := h.issuer.Token(h.with(change{"exp": h.clock.Now().Add(30 * time.Hour).Unix()}))
	h.refuses(token, errUnverified)
	if err := h.Ready(t.Context()); err == nil || problems.As(err).Code != problems.CodeSignInUnavailable {
		t.Errorf("ready says %v", err)
	}
	h.issuer.AnswerWith(nil)
	h.refuses(token, errUnverified) // too soon to ask again
	h.clock.Advance(retryWithoutKeys)
	h.accepts(token)
	if err := h.Ready(t.Context()); err != nil {
		t.Errorf("ready says %v", err)
	}
	h.issuer.AnswerWith(down)
	h.clock.Advance(keptFor - time.Minute)
	h.accepts(token) // with the keys of yesterday
	h.clock.Advance(2 * time.Minute)
	h.refuses(token, errUnverified)
	var refusal *Refusal
	if _, err := h.Authenticate(t.Context(), token); !errors.As(err, &refusal) || refusal.RetryAfter() <= 0 {
		t.Error("nobody is told to try again")
	}
}

// The answers are those of an issuer that was taken over, or of a proxy in front
// of it.
func TestInvalidIssuerAnswersAreRefused(t *testing.T) {
	t.Parallel()
	for name, instead := range map[string]func(*issuertest.Issuer) http.HandlerFunc{
		"redirect to a good one": func(i *issuertest.Issuer) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Query().Get("again") == "" {
					http.Redirect(w, r, r.URL.Path+"?again=1", http.StatusFound)
					return
				}
				i.ServeKeys(w, r)
			}
		},
		"HTML":         text("<html><body>Sign in</body></html>"),
		"no object":    text(`[]`),
		"another name": text(`{"issuer":"https://login.example","jwks_uri":"https://login.example/keys"}`),
		"huge":         text(strings.Repeat(" ", maxDocument+1)),
		"endless": func(*issuertest.Issuer) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				for r.Context().Err() == nil {
					if _, err := w.Write(make([]byte, 4096)); err != nil {
						return
					}
				}
			}
		},
		"broken off": func(*issuertest.Issuer) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "1000")
				_, _ = w.Write([]byte(`{"issuer":`))
			}
		},
		"keys elsewhere on this network": keysAt("http://169.254.169.254/keys"),
		"keys in a file":                 keysAt("file:///etc/passwd"),
		"keys with a password":           keysAt("https://user:password@login.example/keys"),
		"no keys":                        keysAt(""),
		"keys that are HTML":             keysAt("/html"),
		"keys without keys":              keysAt("/nothing"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newFixture(t, Mapping{})
			h.issuer.AnswerWith(instead(h.issuer))
			h.refuses(h.issuer.Token(h.claims()), errUnverified)
		})
	}
}

func text(body string) func(*issuertest.Issuer) http.HandlerFunc {
	return func(*issuertest.Issuer) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }
	}
}

// keysAt has the discovery name an address for the keys; what is asked at the
// issuer itself is answered with something else.
func keysAt(address string) func(*issuertest.Issuer) http.HandlerFunc {
	return func(i *issuertest.Issuer) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			at := address
			switch {
			case r.URL.Path == "/html":
				_, _ = w.Write([]byte("<html>"))
				return
			case r.URL.Path == "/nothing":
				_, _ = w.Write([]byte("{}"))
				return
			case strings.HasPrefix(at, "/"):
				at = i.URL() + at
			}
			_, _ = fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, i.URL(), at)
		}
	}
}

func TestRemoteIssuerCannotPointAtLoopback(t *testing.T) {
	t.Parallel()
	outside, inside := issuer{name: "https://login.example"}, issuer{name: "https://127.0.0.1:1"}
	for address, good := range map[string][2]bool{
		"https://login.example/keys": {true, true}, "https://127.0.0.1/keys": {false, true}, "http://localhost/keys": {false, true},
		"http://login.example/keys": {false, false}, "https://[::1]/keys": {false, true}, "": {false, false}, "::": {false, false},
	} {
		if got := [2]bool{outside.checkURL(address) == nil, inside.checkURL(address) == nil}; got != good {
			t.Errorf("%q: %v, want %v", address, got, good)
		}
	}
}

// TestUnsuitableKeysAreIgnored publishes many that must not count, and one that does.
func TestUnsuitableKeysAreIgnored(t *testing.T) {
	t.Parallel()
	h := newFixture(t, Mapping{})
	good := h.issuer.SigningKey()
	short := issuertest.Key{ID: "short", RSA: mustRSA(t, 1024)}
	forEncryption := issuertest.With(good.Public(), change{"use": "enc", "kid": "enc"})
	secret := change{"kty": "oct", "kid": "oct", "k": part("0123456789abcdef0123456789abcdef")}
	private := issuertest.With(good.Public(), change{"kid": "private", "d": part("0123456789abcdef0123456789abcdef")})
	h.issuer.AnswerWith(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/keys" {
			keysAt("/keys")(h.issuer)(w, r)
			return
		}
		_, _ = fmt.Fprintf(w, `{"keys":[%s,%s,%s,%s,{"kty":"unheard of"},7,null,%s]}`,
			jsonOf(t, short.Public()), jsonOf(t, forEncryption), jsonOf(t, secret), jsonOf(t, private), jsonOf(t, good.Public()))
	})
	h.accepts(h.issuer.Token(h.claims()))
	if keys := h.keys[h.issuer.URL()].current(); len(keys) != 1 || keys[0].KeyID != good.ID {
		t.Errorf("keys that count: %v", keys)
	}
	h.refuses(issuertest.Sign(t, short, nil, h.claims()), errKey)
	h.refuses(issuertest.Sign(t, good, change{"kid": "enc"}, h.claims()), errKey)
	h.refuses(shared([]byte("0123456789abcdef0123456789abcdef"), issuertest.Unsigned(t, change{"alg": "HS256", "kid": "oct"}, h.claims())), errHeader)
}

func TestTokenIsRefusedAfterIssuerWithdrawsKeys(t *testing.T) {
	t.Parallel()
	h := newFixture(t, Mapping{})
	token := h.issuer.Token(h.claims())
	h.accepts(token)
	stranger := issuertest.Sign(t, issuertest.Start(t).SigningKey(), change{"kid": "new"}, h.claims())
	h.issuer.Publish()
	h.clock.Advance(retryWithKeys)
	h.refuses(stranger, errKey)
	h.refuses(token, errKey)
	if h.Ready(t.Context()) == nil {
		t.Error("ready without a key")
	}
}

// TestHangingIssuer holds each token up for a short time only, and few of them
// at once.
func TestHangingIssuer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hang := roundTripper(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		const name = "https://login.example"
		a, err := New(Options{Issuers: []string{name}, Audiences: []string{audience}, Client: &http.Client{Transport: hang, Timeout: fetchWithin}})
		if err != nil {
			t.Fatal(err)
		}
		key := issuertest.Key{ID: "k", RSA: mustRSA(t, 2048)}
		token := issuertest.Sign(t, key, nil, change{"iss": name})
		start, answered := time.Now(), make(chan time.Duration, 100)
		for range cap(answered) {
			go func() {
				if _, err := a.Authenticate(t.Context(), token); !errors.Is(err, errUnverified) {
					t.Errorf("got %v", err)
				}
				answered <- time.Since(start)
			}()
		}
		at := map[time.Duration]int{}
		for range cap(answered) {
			at[<-answered]++
		}
		if at[waitFor] != maxWaiting || at[0] != cap(answered)-maxWaiting {
			t.Errorf("tokens were answered after %v", at)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := a.Authenticate(gone, token); !errors.Is(err, errUnverified) {
			t.Errorf("a client that left: %v", err)
		}
		time.Sleep(fetchWithin) // of the bubble's clock: the load that hangs ends
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestIssuerTextIsNotLogged answers with a text that must not get far.
func TestIssuerTextIsNotLogged(t *testing.T) {
	t.Parallel()
	h := newFixture(t, Mapping{})
	var log safeBuffer
	for _, keys := range h.keys {
		keys.log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	h.o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	h.issuer.AnswerWith(text("foreign words")(nil))
	token := h.issuer.Token(h.claims())
	h.refuses(token, errUnverified)
	h.issuer.AnswerWith(nil)
	h.clock.Advance(retryWithoutKeys)
	h.refuses(h.issuer.Token(h.with(change{"aud": "foreign words"})), errAudience)
	said := log.String()
	if strings.Contains(said, "foreign words") || strings.Contains(said, token[:20]) || strings.Contains(said, "alice") {
		t.Errorf("logged: %s", said)
	}
	if !strings.Contains(said, "level=WARN") || !strings.Contains(said, "reason=\"the token is not for this server") {
		t.Errorf("not logged: %s", said)
	}
}
