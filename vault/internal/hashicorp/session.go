package hashicorp

import (
	"bytes"
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/hashicorp/vault/api"

	"mcp-partner/schemas/problems"
	"mcp-partner/vault/internal/backend"
)

const (
	// requestLimit bounds one request, callLimit a call with its sign-in and the
	// one repetition of a read.
	requestLimit = 8 * time.Second
	callLimit    = 20 * time.Second
	closeLimit   = 5 * time.Second
	retryWait    = 200 * time.Millisecond
)

// Backend is one folder of one server. It signs in at the first use, keeps the
// sign-in alive in the background, and signs in again when that ends.
type Backend struct {
	settings Settings
	client   *http.Client
	readFile func(path, what string) ([]byte, error)

	base context.Context
	stop context.CancelFunc

	mu      sync.Mutex
	session *session
	// secretID is one that was wrapped: it can be unwrapped only once.
	secretID []byte
}

type session struct {
	// reader repeats a failed request once. writer repeats none: a write whose
	// answer was lost may have been made.
	reader, writer *api.Client
	// file is what the token file held, for MethodToken.
	file []byte
	// own is true for a token that was made for this process.
	own bool
}

// Open returns the backend of settings in their normal form. Nothing is sent
// yet. The client is shared and verifies what the settings trust; readFile reads
// a small file with a secret and refuses one that others can read.
func Open(settings Settings, client *http.Client, readFile func(path, what string) ([]byte, error)) *Backend {
	base, stop := context.WithCancel(context.Background())
	return &Backend{
		settings: settings, client: backend.Guarded(client), readFile: readFile,
		base: base, stop: stop,
	}
}

// newClient makes a client of the server that knows nothing of the environment
// of this process: VAULT_TOKEN, VAULT_NAMESPACE and their like would redirect
// what the settings say.
func (b *Backend) newClient(repeat int) (*api.Client, error) {
	client, err := api.NewClient(&api.Config{
		Address: b.settings.Address, HttpClient: b.client, Timeout: requestLimit, DisableRedirects: true,
		MaxRetries: repeat, MinRetryWait: retryWait, MaxRetryWait: 4 * retryWait,
	})
	if err != nil {
		return nil, backend.Broken("The client of the vault server cannot be made: a VAULT_ variable of the environment is malformed.",
			"Run this program without variables whose names begin with VAULT_.")
	}
	client.SetHeaders(http.Header{api.RequestHeaderName: {"true"}})
	client.SetToken("")
	if b.settings.Namespace != "" {
		client.SetNamespace(b.settings.Namespace)
	}
	return client, nil
}

// do runs work in a session. Where the server no longer takes the session's
// token, it signs in once more.
func (b *Backend) do(ctx context.Context, doing string, work func(context.Context, *session) error) error {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	s, fresh, err := b.enter(ctx)
	if err != nil {
		return err
	}
	err = work(ctx, s)
	if !fresh && refusedToken(err) {
		b.leave(s)
		if s, _, err = b.enter(ctx); err != nil {
			return err
		}
		err = work(ctx, s)
	}
	return b.problem(ctx, err, doing)
}

// enter returns the session and signs in if there is none. Sign-ins are
// serialized: the next caller finds the session of the one before.
func (b *Backend) enter(ctx context.Context) (s *session, fresh bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, false, b.problem(ctx, err, "signing in")
	}
	if b.base.Err() != nil {
		return nil, false, backend.Broken("The connection to the vault server was closed.", "Start the program again.")
	}
	if b.session != nil && b.settings.Auth.Method == MethodToken {
		b.dropChangedToken()
	}
	if b.session != nil {
		return b.session, false, nil
	}
	s, err = b.signIn(ctx)
	if err != nil {
		return nil, false, b.problem(ctx, err, "signing in")
	}
	b.session = s
	return s, true, nil
}

// dropChangedToken notices that an agent has put another token into the file.
func (b *Backend) dropChangedToken() {
	text, err := b.readFile(b.settings.Auth.File, "token file")
	defer clear(text)
	if err != nil || !bytes.Equal(text, b.session.file) {
		b.session = nil
	}
}

// leave forgets a session that has ended, unless another has taken its place.
func (b *Backend) leave(s *session) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.session == s {
		b.session = nil
	}
}

// keep renews a token in the background until that is no longer
// possible, and says so once.
func (b *Backend) keep(client *api.Client, secret *api.Secret, ended func()) {
	watcher, err := client.NewLifetimeWatcher(&api.LifetimeWatcherInput{Secret: secret})
	if err != nil {
		return // it has no lifetime
	}
	go watcher.Start()
	go func() {
		defer watcher.Stop()
		select {
		case <-watcher.DoneCh():
			ended()
		case <-b.base.Done():
		}
	}()
}

// Close implements backend.Backend.
func (b *Backend) Close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, closeLimit)
	defer cancel()
	b.mu.Lock()
	s := b.session
	b.session = nil
	clear(b.secretID)
	b.mu.Unlock()
	b.stop()
	if s != nil && s.own {
		_ = s.writer.Auth().Token().RevokeSelfWithContext(ctx, "")
	}
}

// Describe implements backend.Backend.
func (b *Backend) Describe() string {
	where := "the key/value engine " + b.settings.Mount + ", folder " + b.settings.Path + ", of the vault server " + b.settings.Address
	if b.settings.Namespace != "" {
		where += " (namespace " + b.settings.Namespace + ")"
	}
	return "The secrets are in " + where + ", which decides and logs who reads them. This program signs in with " +
		b.settings.Auth.Method + " and " + b.settings.Auth.File + "; anyone who can read that file can do the same until the server revokes it."
}

// CheckName implements backend.Backend.
func (b *Backend) CheckName(name string) error { return backend.CheckPlainName(name, true) }

func unusable(what string) *problems.Problem {
	return backend.Broken("The vault server gave "+what+".", "Look at the server; nothing was changed.")
}
