package app

import (
	"context"
	"slices"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"mcp-partner/guard"
	"mcp-partner/internal/harden"
	"mcp-partner/internal/telemetry"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
	"mcp-partner/server"
	"mcp-partner/tenants"
	"mcp-partner/tools"
)

// StartTracing begins to send traces where the environment says so. What is
// wrong with that is no reason not to serve.
func (s *Settings) StartTracing() (stop func()) {
	tracing, err := telemetry.StartTracing(s.Getenv, BuildInfo().Version, s.Log)
	if err != nil {
		s.Log.Error("no traces are sent", "reason", err.Error())
	}
	s.Observer.Tracing = tracing
	return tracing.Close
}

// StartMetrics begins to count. It has to come before the first call.
func (s *Settings) StartMetrics(a *App, decider *guard.Guard, pair *server.KeyPair) {
	lookups := telemetry.Lookups{Credentials: a.credentialViews, Pending: func(ctx context.Context) (int, error) {
		questions, err := decider.Pending(ctx)
		return len(questions), err
	}}
	if pair != nil {
		lookups.Certificate = func() (time.Time, bool) { return pair.NotAfter(), true }
	}
	s.Observer.Metrics = telemetry.NewMetrics(BuildInfo().Version, lookups)
}

// noteSignIn keeps and counts what became of a sign-in, and puts a token that was
// minted into the record.
func (a *App) noteSignIn(e tenants.Event) {
	a.Health.Note(e)
	code := ""
	if e.Problem != nil {
		code = string(e.Problem.Code)
	}
	a.settings.Observer.Metrics.Token(string(e.Kind), code)
	if a.Ledger != nil && !a.Unrecorded && e.Problem == nil {
		a.Ledger.CountToken(e.Credential, e.Tenant)
	}
}

// watched is a credential whose use is a step of the call.
type watched struct {
	azcore.TokenCredential
	watch *telemetry.Observer
}

// GetToken implements azcore.TokenCredential.
func (w watched) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	ctx, ended := w.watch.Step(ctx, "token")
	token, err := w.TokenCredential.GetToken(ctx, o)
	ended(err)
	return token, err
}

var _ tools.Observer = (*telemetry.Observer)(nil)

// Health knows what the server cannot do without: secrets that can be read, and
// a record that can be written.
func (s *Settings) Health(a *App, more ...server.Check) *server.Health {
	return server.NewHealth(append([]server.Check{
		{Name: "vault", Run: func(ctx context.Context) error { return a.vaultReady(ctx) }},
		{Name: "ledger", Run: func(ctx context.Context) error { return a.ledgerReady(ctx) }},
	}, more...)...)
}

// vaultReady opens the vault. One that nothing needs may be missing.
func (a *App) vaultReady(ctx context.Context) error {
	err := a.Open(ctx)
	if err == nil || problems.As(err).Code != problems.CodeVaultMissing || a.KeepsRecord() {
		return err
	}
	credentials, listErr := a.Directory.Credentials()
	if listErr != nil || slices.ContainsFunc(credentials, func(c tenants.CredentialConfig) bool { return c.Kind != tenants.KindAzureCLI }) {
		return err
	}
	return nil
}

// ledgerReady reads what every call asks of the ledger.
func (a *App) ledgerReady(ctx context.Context) error {
	if !a.KeepsRecord() {
		return nil
	}
	_, err := a.Ledger.Freeze(ctx)
	return err
}

// KeepMemory keeps secrets in the memory of a server out of core dumps and away
// from other programs of the same user, as far as the system lets it.
func (s *Settings) KeepMemory() {
	if err := harden.NoDumps(); err != nil {
		s.Log.Warn("the memory of this process is not fully protected", "reason", err.Error())
	}
}

// credentialViews are the credentials as /metrics shows them.
func (a *App) credentialViews() []answers.CredentialView {
	list, _ := a.Directory.Status(a.Health) // none where the directory cannot be read
	return list
}
