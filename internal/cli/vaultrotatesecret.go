package cli

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mcp-partner/guard"
	"mcp-partner/internal/config"
	"mcp-partner/schemas"
	"mcp-partner/signin"
	"mcp-partner/tenants"
	"mcp-partner/vault"
)

type rotateSecretOptions struct {
	name       string
	credential credentialOptions
	keys       keyOptions
}

// newVaultRotateSecret builds `vault rotate-secret`.
func newVaultRotateSecret(f *Factory) *cobra.Command {
	options := &rotateSecretOptions{}
	command := &cobra.Command{
		Use:   "rotate-secret NAME",
		Short: "Replace a secret after the new one has proved that it signs in",
		Long: `Replace a secret after the new one has proved that it signs in. Each credential that
uses it gets one token with the new secret, in the first of its tenants; if one fails,
the old secret stays. Then the new one is stored if the old one is still the one that
was there. A certificate with its key comes with --certificate-file, in PEM or PFX.

Make the new secret beside the old one in Entra ID, run this, and delete the old one
there afterwards. A new secret takes up to a minute until Entra ID knows it everywhere.`,
		Example: `  mcp-partner vault rotate-secret contoso --secret-stdin < new-secret
  mcp-partner vault rotate-secret contoso --certificate-file new.pem
  mcp-partner vault rotate-secret contoso --expires 2027-06-30`,
		Args:              oneArgument("the name of the secret"),
		ValidArgsFunction: first(f.credentialNames),
		RunE: func(command *cobra.Command, args []string) error {
			options.name = args[0]
			return runVaultRotateSecret(command.Context(), f, options)
		},
	}
	options.add(command.Flags())
	options.keys.add(command.Flags())
	return command
}

// add adds the flags of a secret and of a certificate, and none of what else a
// credential has.
func (o *rotateSecretOptions) add(flags *pflag.FlagSet) {
	kind := &o.credential.kind
	o.credential.secret.add(flags)
	kind.addCertificate(flags, "the new certificate")
	flags.StringVar(&kind.expires, "expires", "", "when the new client secret ends, a `DATE` such as 2027-01-31")
	config.Typed(flags, "certificate-file", "certificate-stdin", "certificate-passphrase-file", "expires")
}

func runVaultRotateSecret(ctx context.Context, f *Factory, o *rotateSecretOptions) error {
	h, err := f.openVault(ctx, o.keys)
	if err != nil {
		return err
	}
	defer h.Close()
	old, err := h.store.Get(ctx, o.name)
	if err != nil {
		return err
	}
	places, err := h.placesOf(o.name)
	if err != nil {
		return err
	}
	if len(places) == 0 {
		return refused("give it to a tenant first, or remove it and add the new one", "no tenant uses the secret %s, so a new one cannot be proved", o.name)
	}
	next, err := f.readSuccessor(ctx, o, places[0].config)
	if err != nil {
		return err
	}
	if next.secret.Equal(old) {
		return refused("", "the new secret is the one that is there already")
	}
	proved, err := h.prove(ctx, o.name, next, firstPlaces(places))
	if err != nil {
		return unproved(err)
	}
	f.record(ctx, h, guard.KindSecret, "A new secret for %s signed in as %s.", o.name, proved)
	if err := h.store.Replace(ctx, o.name, old, next.secret); err != nil {
		return err
	}
	f.record(ctx, h, guard.KindSecret, "The secret %s was replaced by the one that had signed in.", o.name)
	return f.finishRotation(ctx, h, o.name, next, places)
}

// readSuccessor takes the new secret in the form of the kind that uses it.
func (f *Factory) readSuccessor(ctx context.Context, o *rotateSecretOptions, config tenants.CredentialConfig) (given, error) {
	kind := config.Kind
	switch {
	case !kind.Given():
		return given{}, refused("mcp-partner tenants --help", "the vault keeps the sign-in of a person under %s, which is not replaced by hand", o.name)
	case kind == tenants.KindClientCertificate && o.credential.secret.given():
		return given{}, usage("give --certificate-file FILE", "the secret %s is a certificate", o.name)
	case kind == tenants.KindClientSecret && o.credential.kind.certificate():
		return given{}, usage("give --secret-file FILE", "the secret %s is a client secret", o.name)
	}
	return o.credential.ask(ctx, f, config)
}

// firstPlaces keeps one tenant for each credential.
func firstPlaces(places []placeOfUse) []placeOfUse {
	seen := map[string]bool{}
	var first []placeOfUse
	for _, place := range places {
		if !seen[place.config.Name] {
			first = append(first, place)
		}
		seen[place.config.Name] = true
	}
	return first
}

// prove signs in with the successor, with what is known of it, and leaves
// everything as it is.
func (h *house) prove(ctx context.Context, name string, next given, places []placeOfUse) (proved string, err error) {
	for _, place := range places {
		trial, err := h.trial(name, next, place)
		if err != nil {
			return "", err
		}
		err = trial.signIn(ctx, place.entry, place.config)
		trial.source.Close()
		if err != nil {
			return "", err
		}
		if proved != "" {
			proved += ", "
		}
		proved += place.config.Name + " in " + place.entry.Name
	}
	return proved, nil
}

// trial is a house with one tenant, in which the successor is the secret.
func (h *house) trial(name string, next given, place placeOfUse) (*house, error) {
	config := next.in(place.config)
	entry := place.entry
	ref, err := entry.Credential(config.Name)
	if err != nil {
		return nil, err
	}
	entry.Credentials = []tenants.CredentialRef{ref}
	directory, err := tenants.NewMemoryDirectory([]tenants.Entry{entry}, []tenants.CredentialConfig{config})
	if err != nil {
		return nil, err
	}
	store := proposed{h.store, name, next.secret}
	return &house{directory: directory, store: store, source: signin.NewSource(signin.Options{Directory: directory, Store: store, HTTP: h.http})}, nil
}

// in is a credential as it is with what was given.
func (g given) in(config tenants.CredentialConfig) tenants.CredentialConfig {
	config.Expires, config.Thumbprint = g.config.Expires, g.config.Thumbprint
	return config
}

// proposed is a store in which one secret is another one already.
type proposed struct {
	vault.Store
	name   string
	secret vault.Secret
}

// Get implements vault.Store.
func (p proposed) Get(ctx context.Context, name string) (vault.Secret, error) {
	if sameName(name, p.name) {
		return p.secret, nil
	}
	return p.Store.Get(ctx, name)
}

// Info implements vault.Store. When the old secret ends says nothing of the new
// one.
func (p proposed) Info(ctx context.Context, name string) (vault.SecretInfo, error) {
	if sameName(name, p.name) {
		return vault.SecretInfo{Name: name}, nil
	}
	return p.Store.Info(ctx, name)
}

// unproved says that the old secret stays.
func unproved(err error) error {
	problem := *schemas.AsProblem(err)
	problem.Message = "The new secret was not stored, because it does not sign in: " + problem.Message
	if problem.Code == schemas.CodeCredentialRejected {
		problem.Command = ""
		problem.Hint = "Check what was given (of a secret its value, not its ID; of a certificate, that the application has it). Entra ID may need a minute to know a new one. Then run this again."
	}
	return &problem
}

// finishRotation writes down when the new secret ends.
func (f *Factory) finishRotation(ctx context.Context, h *house, name string, next given, places []placeOfUse) error {
	u := f.IO.ui()
	u.linef(good, "Replaced the secret %s after the new one had signed in.", name)
	for _, place := range firstPlaces(places) {
		if next.in(place.config) == place.config {
			continue
		}
		if err := h.directory.SetCredential(ctx, next.in(place.config)); err != nil {
			return err
		}
	}
	u.field("ends", next.config.Expires)
	u.field("next", "delete the old secret in Entra ID")
	return u.err
}
