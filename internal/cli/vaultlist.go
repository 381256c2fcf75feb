package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mcp-partner/internal/naming"
	"mcp-partner/schemas"
	"mcp-partner/tenants"
)

type vaultListOptions struct {
	name string
	json bool
	keys keyOptions
}

// newVaultList builds `vault list`.
func newVaultList(f *Factory) *cobra.Command {
	options := &vaultListOptions{}
	command := &cobra.Command{
		Use:     "list",
		Short:   "List the secrets: what they are for, where they are used, when they end",
		Example: "  mcp-partner vault list\n  mcp-partner vault list --json",
		Args:    noArguments,
		RunE:    func(command *cobra.Command, _ []string) error { return runVaultList(command.Context(), f, options) },
	}
	command.Flags().BoolVar(&options.json, "json", false, "print JSON")
	options.keys.add(command.Flags())
	return command
}

// newVaultShow builds `vault show`.
func newVaultShow(f *Factory) *cobra.Command {
	options := &vaultListOptions{}
	command := &cobra.Command{
		Use:               "show NAME",
		Short:             "Show what is known of one secret, and never the secret",
		Example:           "  mcp-partner vault show contoso",
		Args:              oneArgument("the name of the secret"),
		ValidArgsFunction: first(f.credentialNames),
		RunE: func(command *cobra.Command, args []string) error {
			options.name = args[0]
			return runVaultShow(command.Context(), f, options)
		},
	}
	command.Flags().BoolVar(&options.json, "json", false, "print JSON")
	options.keys.add(command.Flags())
	return command
}

// secretJSON is a secret for a program, without the secret.
type secretJSON struct {
	Name string `json:"name"`
	// Kinds and Credentials are empty for a secret that nothing uses.
	Kinds       []string   `json:"kinds"`
	Credentials []string   `json:"credentials"`
	Tenants     []string   `json:"tenants"`
	UpdatedAt   *time.Time `json:"updated_at,omitempty"`
	// Expiry is valid, soon, expired or unknown; none of what has no end.
	Expiry    string     `json:"expiry"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	// LastSuccess, LastFailure and LastProblem are of the sign-ins with it.
	LastSuccess *time.Time   `json:"last_success,omitempty"`
	LastFailure *time.Time   `json:"last_failure,omitempty"`
	LastProblem schemas.Code `json:"last_problem,omitempty"`
}

func runVaultList(ctx context.Context, f *Factory, o *vaultListOptions) error {
	h, err := f.openVault(ctx, o.keys)
	if err != nil {
		return err
	}
	defer h.Close()
	names, err := h.store.List(ctx)
	if err != nil {
		return err
	}
	secrets := []secretJSON{}
	for _, name := range names {
		one, err := h.describe(ctx, name)
		if err != nil {
			return err
		}
		secrets = append(secrets, one)
	}
	if o.json {
		return f.IO.printJSON(map[string][]secretJSON{"secrets": secrets})
	}
	u := f.IO.ui()
	if len(secrets) == 0 {
		u.line(warn, "The vault holds no secret yet.")
		return u.err
	}
	u.secretTable(secrets)
	return u.err
}

func runVaultShow(ctx context.Context, f *Factory, o *vaultListOptions) error {
	h, err := f.openVault(ctx, o.keys)
	if err != nil {
		return err
	}
	defer h.Close()
	one, err := h.describe(ctx, o.name)
	if err != nil {
		return err
	}
	if o.json {
		return f.IO.printJSON(one)
	}
	u := f.IO.ui()
	u.line(bold, one.Name)
	u.field("kind", strings.Join(one.Kinds, ", "))
	u.field("credential", strings.Join(one.Credentials, ", "))
	u.field("tenants", strings.Join(one.Tenants, ", "))
	u.field("stored", dayOf(one.UpdatedAt))
	u.field("ends", one.end())
	u.field("last worked", dayOf(one.LastSuccess))
	u.field("last failed", one.failed())
	return u.err
}

// describe gathers what directory and backend know of a secret.
func (h *house) describe(ctx context.Context, name string) (secretJSON, error) {
	info, err := h.store.Info(ctx, name)
	if err != nil {
		return secretJSON{}, err
	}
	uses, err := h.usesOf(name)
	if err != nil {
		return secretJSON{}, err
	}
	entries, err := h.directory.List()
	if err != nil {
		return secretJSON{}, err
	}
	one := secretJSON{Name: info.Name, Kinds: []string{}, Credentials: []string{}, Tenants: []string{}, UpdatedAt: unlessZero(info.UpdatedAt)}
	one.Expiry, one.ExpiresAt = worstEnd(time.Now(), info.ExpiresAt, uses)
	for _, config := range uses {
		one.Kinds = appendNew(one.Kinds, string(config.Kind))
		one.Credentials = append(one.Credentials, config.Name)
	}
	one.signedIn(h.health.All())
	for _, entry := range entries {
		if usesAny(entry, one.Credentials) {
			one.Tenants = append(one.Tenants, entry.Name)
		}
	}
	return one, nil
}

// worstEnd is the nearest end that is known. Without one, the end is unknown,
// unless nothing that uses the secret has an end.
func worstEnd(now, backend time.Time, uses []tenants.CredentialConfig) (string, *time.Time) {
	if len(uses) == 0 {
		uses = []tenants.CredentialConfig{{Kind: tenants.KindClientSecret}}
	}
	worst, nearest := tenants.ExpiryNone, time.Time{}
	for _, config := range uses {
		state, end := withEnd(config, backend).Expiry(now)
		switch {
		case !end.IsZero() && (nearest.IsZero() || end.Before(nearest)):
			worst, nearest = state, end
		case nearest.IsZero() && state == tenants.ExpiryUnknown:
			worst = state
		}
	}
	return string(worst), unlessZero(nearest)
}

// withEnd is a credential with the end that its backend tells, if it tells one:
// that comes before what somebody said once. A certificate says its end itself.
func withEnd(config tenants.CredentialConfig, backend time.Time) tenants.CredentialConfig {
	if config.Kind == tenants.KindClientSecret && !backend.IsZero() {
		config.Expires = backend.UTC().Format(time.RFC3339)
	}
	return config
}

func usesAny(entry tenants.Entry, credentials []string) bool {
	for _, name := range credentials {
		if _, err := entry.Credential(name); err == nil {
			return true
		}
	}
	return false
}

func appendNew(list []string, item string) []string {
	for _, have := range list {
		if have == item {
			return list
		}
	}
	return append(list, item)
}

func sameName(a, b string) bool { return naming.Fold(a) == naming.Fold(b) }

func unlessZero(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// unlessMissing is the error, unless it says that there is no such secret.
func unlessMissing(err error) error {
	if schemas.AsProblem(err).Code == schemas.CodeVaultMissing {
		return nil
	}
	return err
}

// signedIn adds what became of the sign-ins with a secret.
func (s *secretJSON) signedIn(known map[string]tenants.Health) {
	var all tenants.Health
	for _, credential := range s.Credentials {
		all = all.Newer(known[naming.Fold(credential)])
	}
	s.LastSuccess, s.LastFailure, s.LastProblem = unlessZero(all.LastSuccess), unlessZero(all.LastFailure), all.LastProblem
}

// failed says when sign-ins failed last, and why.
func (s secretJSON) failed() string {
	if s.LastFailure == nil {
		return ""
	}
	return fmt.Sprintf("%s (%s)", dayOf(s.LastFailure), schemas.Foreign(string(s.LastProblem)))
}

func dayOf(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.DateOnly)
}

func (s secretJSON) end() string {
	if s.ExpiresAt == nil {
		return s.Expiry
	}
	return fmt.Sprintf("%s (%s)", dayOf(s.ExpiresAt), s.Expiry)
}

func (u *ui) secretTable(secrets []secretJSON) {
	rows := make([][]string, len(secrets))
	for i, s := range secrets {
		tenants := ""
		if len(s.Tenants) > 0 {
			tenants = fmt.Sprint(len(s.Tenants))
		}
		rows[i] = []string{s.Name, strings.Join(s.Kinds, " "), strings.Join(s.Credentials, " "), tenants, dayOf(s.UpdatedAt), s.end(), dayOf(s.LastSuccess), s.failed()}
	}
	u.table([]string{"SECRET", "KIND", "CREDENTIALS", "TENANTS", "STORED", "ENDS", "LAST WORKED", "LAST FAILED"}, rows)
}
