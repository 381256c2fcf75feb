package vault

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/config"
	"mcp-partner/internal/credential"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/naming"
	"mcp-partner/internal/phrase"
	"mcp-partner/internal/untrusted"
	"mcp-partner/tenants"
)

func newCmdList(deps *cmdutil.Deps) *cobra.Command {
	return cmdutil.ListCommand(deps, "secrets", "List the secrets, their uses and expiry dates", deps.OnVault, listed)
}

func newCmdShow(deps *cmdutil.Deps) *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use:               "show NAME",
		Short:             "Show details of a secret, never its value",
		Args:              cmdutil.OneArgument("the name of the secret"),
		ValidArgsFunction: cmdutil.CompleteFirst(deps.CredentialNames),
		RunE: deps.OnVault(func(ctx context.Context, a *app.App, args []string) error {
			one, err := describe(ctx, a, args[0])
			if err != nil {
				return err
			}
			return deps.IO.Answer(asJSON, one, one.show)
		}),
	}
	command.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return command
}

type secretJSON struct {
	Name string `json:"name"`
	// Kinds and Credentials are empty for a secret that nothing uses.
	Kinds       []string  `json:"kinds"`
	Credentials []string  `json:"credentials"`
	Tenants     []string  `json:"tenants"`
	UpdatedAt   time.Time `json:"updated_at,omitzero"`
	// Expiry is valid, soon, expired or unknown; none of what has no end.
	Expiry    tenants.ExpiryState `json:"expiry"`
	ExpiresAt time.Time           `json:"expires_at,omitzero"`
	// Health is that of the sign-ins with it, without their tenant.
	tenants.Health
}

func listed(ctx context.Context, a *app.App) (list cmdutil.Listing[secretJSON], err error) {
	names, err := a.Store.List(ctx)
	if err != nil {
		return list, err
	}
	secrets := make([]secretJSON, len(names))
	for i, name := range names {
		if secrets[i], err = describe(ctx, a, name); err != nil {
			return list, err
		}
	}
	return cmdutil.Listing[secretJSON]{
		Rows: secrets, Empty: "The vault holds no secrets yet.",
		Header: []string{"SECRET", "KIND", "CREDENTIALS", "TENANTS", "STORED", "ENDS", "LAST WORKED", "LAST FAILED"},
		Cells: func(s secretJSON) []string {
			tenants := ""
			if len(s.Tenants) > 0 {
				tenants = fmt.Sprint(len(s.Tenants))
			}
			return []string{s.Name, strings.Join(s.Kinds, " "), strings.Join(s.Credentials, " "), tenants, dayOf(s.UpdatedAt), s.end(), dayOf(s.LastSuccess), s.failed()}
		},
	}, nil
}

func (s secretJSON) show(u *term.UI) {
	u.Line(term.Bold, s.Name)
	u.Field("kind", strings.Join(s.Kinds, ", "))
	u.Field("credential", strings.Join(s.Credentials, ", "))
	u.Field("tenants", strings.Join(s.Tenants, ", "))
	u.Field("stored", dayOf(s.UpdatedAt))
	u.Field("ends", s.end())
	u.Field("last worked", dayOf(s.LastSuccess))
	u.Field("last failed", s.failed())
}

func describe(ctx context.Context, a *app.App, name string) (secretJSON, error) {
	held, err := a.Store.Get(ctx, name)
	if err != nil {
		return secretJSON{}, err
	}
	uses, err := a.UsesOf(name)
	if err != nil {
		return secretJSON{}, err
	}
	entries, err := a.Directory.List()
	if err != nil {
		return secretJSON{}, err
	}
	known := a.Health.All()
	one := secretJSON{Name: held.Name, Kinds: []string{}, Credentials: []string{}, Tenants: []string{}, UpdatedAt: held.UpdatedAt}
	one.Expiry, one.ExpiresAt = worstEnd(time.Now(), held.ExpiresAt, uses)
	for _, config := range uses {
		if !slices.Contains(one.Kinds, string(config.Kind)) {
			one.Kinds = append(one.Kinds, string(config.Kind))
		}
		one.Credentials = append(one.Credentials, config.Name)
		one.Health = one.Newer(known[naming.Fold(config.Name)])
	}
	one.LastTenant = ""
	for _, entry := range tenants.Using(entries, one.Credentials...) {
		one.Tenants = append(one.Tenants, entry.Name)
	}
	return one, nil
}

// worstEnd is the nearest end that is known. Without one, the end is unknown,
// unless nothing that uses the secret has an end.
func worstEnd(now, backend time.Time, uses []tenants.CredentialConfig) (worst tenants.ExpiryState, nearest time.Time) {
	if len(uses) == 0 {
		uses = []tenants.CredentialConfig{{Kind: tenants.KindClientSecret}}
	}
	worst = tenants.ExpiryNone
	for _, config := range uses {
		state, end := app.WithEnd(config, backend).Expiry(now)
		switch {
		case !end.IsZero() && (nearest.IsZero() || end.Before(nearest)):
			worst, nearest = state, end
		case nearest.IsZero() && state == tenants.ExpiryUnknown:
			worst = state
		}
	}
	return worst, nearest
}

// failed says when and why sign-ins failed last, if none has worked since.
func (s secretJSON) failed() string {
	if !s.LastFailure.After(s.LastSuccess) {
		return ""
	}
	return fmt.Sprintf("%s (%s)", dayOf(s.LastFailure), untrusted.Sanitize(string(s.LastProblem)))
}

func dayOf(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.DateOnly)
}

func (s secretJSON) end() string {
	if s.ExpiresAt.IsZero() {
		return string(s.Expiry)
	}
	return fmt.Sprintf("%s (%s)", dayOf(s.ExpiresAt), s.Expiry)
}

func newCmdAdd(deps *cmdutil.Deps) *cobra.Command {
	options := &credential.Options{}
	command := &cobra.Command{
		Use:   "add NAME",
		Short: "Store a secret under a new name",
		Args:  cmdutil.OneArgument("the name of the secret"),
		RunE: deps.OnVault(func(ctx context.Context, a *app.App, args []string) error {
			return runAdd(ctx, deps, a, args[0], options)
		}),
	}
	flags := command.Flags()
	cmdutil.AddSecretFlags(&options.Secret, flags)
	cmdutil.AddCertificateFlags(options, flags, "the certificate")
	config.Typed(flags, "certificate-file", "certificate-stdin", "certificate-passphrase-file")
	return command
}

func runAdd(ctx context.Context, deps *cmdutil.Deps, a *app.App, name string, o *credential.Options) error {
	if o.Certificate() && o.Secret.Given() {
		return exit.Usage("give one of them", "a secret and a certificate were both given")
	}
	taken, err := a.Holds(ctx, name)
	if err != nil {
		return err
	}
	if taken {
		return exit.Refused("mcp-partner vault rotate-secret "+phrase.ShellWord(name), "the vault already holds a secret with that name")
	}
	config := tenants.CredentialConfig{Name: name, Kind: tenants.KindClientSecret}
	if o.Certificate() {
		config.Kind = tenants.KindClientCertificate
	}
	got, err := cmdutil.AskSecret(ctx, o, deps, config)
	if err != nil {
		return err
	}
	if err := a.Store.Put(ctx, name, got.Secret); err != nil {
		return err
	}
	deps.Record(ctx, a, guard.KindSecret, "The secret %s was stored.", name)
	u := deps.IO.UI()
	u.Linef(term.Good, "Stored the secret %s.", name)
	next := "mcp-partner tenants add NAME --tenant-id GUID --client-id GUID --credential " + phrase.ShellWord(name)
	if o.Certificate() {
		next += " --kind " + string(config.Kind)
	}
	u.Field("next", next)
	return u.Err
}

func newCmdRemove(deps *cmdutil.Deps) *cobra.Command {
	return &cobra.Command{
		Use:               "remove NAME",
		Short:             "Remove a credential that no tenant uses, and its secret",
		Args:              cmdutil.OneArgument("the name of the credential"),
		ValidArgsFunction: cmdutil.CompleteFirst(deps.CredentialNames),
		RunE: deps.OnApp(func(ctx context.Context, a *app.App, args []string) error {
			return runRemove(ctx, deps, a, args[0])
		}),
	}
}

func runRemove(ctx context.Context, deps *cmdutil.Deps, a *app.App, name string) error {
	config, err := a.Directory.Credential(name)
	if err != nil {
		return removeSecret(ctx, deps, a, name)
	}
	if config.Kind.Stored() {
		if err := a.Open(ctx); err != nil {
			return err
		}
	}
	// The directory refuses one that is in use, so it comes first.
	if err := a.Directory.RemoveCredential(ctx, config.Name); err != nil {
		return err
	}
	if !config.Kind.Stored() || checkUnused(a, config.SecretName) != nil {
		return removed(ctx, deps, a, "credential "+config.Name)
	}
	if err := a.Store.Delete(ctx, config.SecretName); err != nil {
		return err
	}
	return removed(ctx, deps, a, "credential "+config.Name+" and its secret")
}

func removeSecret(ctx context.Context, deps *cmdutil.Deps, a *app.App, name string) error {
	if err := checkUnused(a, name); err != nil {
		return err
	}
	names, err := a.Store.List(ctx)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(names, func(have string) bool { return naming.Same(have, name) }) {
		return exit.Refused("mcp-partner vault status", "there is no secret and no credential with that name")
	}
	if err := a.Store.Delete(ctx, name); err != nil {
		return err
	}
	return removed(ctx, deps, a, "secret of "+name)
}

func checkUnused(a *app.App, secret string) error {
	if a.SignsInWith(secret) {
		return exit.Refused("take oauth.credential out of config.yaml", "people sign in with the help of the secret %s", secret)
	}
	uses, err := a.UsesOf(secret)
	if err != nil || len(uses) == 0 {
		return err
	}
	return exit.Refused("remove that credential", "the secret %s is that of the credential %s", secret, uses[0].Name)
}

func removed(ctx context.Context, deps *cmdutil.Deps, a *app.App, what string) error {
	deps.Record(ctx, a, guard.KindSecret, "The %s was removed.", what)
	return deps.IO.Say(term.Good, "Removed the %s.", what)
}
