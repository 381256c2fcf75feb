package cli

import (
	"context"
	"io"
	"os"

	"github.com/spf13/cobra"

	"mcp-partner/guard"
	"mcp-partner/internal/config"
	"mcp-partner/schemas"
	"mcp-partner/vault"
)

type rotateSecretOptions struct {
	name, expires string
	secret        secretOptions
	keys          keyOptions
}

// newVaultRotateSecret builds `vault rotate-secret`.
func newVaultRotateSecret(f *Factory, run func(context.Context, *Factory, *rotateSecretOptions) error) *cobra.Command {
	options := &rotateSecretOptions{}
	command := &cobra.Command{
		Use:   "rotate-secret NAME",
		Short: "Replace a secret after the new one has proved that it signs in",
		Long: `Replace a secret after the new one has proved that it signs in. Each credential that
uses it gets one token with the new secret, in the first of its tenants; if one fails,
the old secret stays. Then the new one is stored if the old one is still the one that
was there. A certificate with its key comes with --secret-file, in PEM or PFX.

Make the new secret beside the old one in Entra ID, run this, and delete the old one
there afterwards. A new secret takes up to a minute until Entra ID knows it everywhere.`,
		Example: `  mcp-partner vault rotate-secret contoso --secret-stdin < new-secret
  mcp-partner vault rotate-secret contoso --secret-file new.pem
  mcp-partner vault rotate-secret contoso --expires 2027-06-30`,
		Args: oneArgument("the name of the secret"),
		RunE: func(command *cobra.Command, args []string) error {
			options.name = args[0]
			return run(command.Context(), f, options)
		},
	}
	options.secret.add(command.Flags())
	command.Flags().StringVar(&options.expires, "expires", "", "`DATE` on which the new secret ends")
	config.Typed(command.Flags(), "expires")
	options.keys.add(command.Flags())
	return command
}

// successor is a secret that shall take the place of another one.
type successor struct {
	secret vault.Secret
	// expires and thumbprint go into the credentials that use it.
	expires, thumbprint string
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
	next, err := f.readSuccessor(ctx, o, places[0].config.Kind)
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
	if err := h.store.Replace(ctx, o.name, old, next.secret); err != nil {
		return err
	}
	f.record(ctx, h, guard.KindSecret, "The secret %s was replaced; the new one had signed in as %s.", o.name, proved)
	return f.finishRotation(ctx, h, o.name, next, places)
}

// readSuccessor takes the new secret in the form of the kind that uses it.
func (f *Factory) readSuccessor(ctx context.Context, o *rotateSecretOptions, kind vault.Kind) (successor, error) {
	expires := ""
	if o.expires != "" {
		var err error
		if expires, err = vault.ParseExpiry(o.expires); err != nil {
			return successor{}, asUsage(err)
		}
	}
	switch kind {
	case vault.KindClientSecret:
		secret, err := f.secretOrPrompt(ctx, &o.secret, o.name)
		return successor{secret: secret, expires: expires}, err
	case vault.KindClientCertificate:
		if o.secret.file == "" {
			return successor{}, usage("give --secret-file FILE", "the secret %s is a certificate, which comes from a file", o.name)
		}
		return f.readCertificateFile(ctx, o.secret.file)
	}
	return successor{}, refused("mcp-partner vault login NAME", "the vault keeps the sign-in of a person under %s, which is not replaced by hand", o.name)
}

func (f *Factory) readCertificateFile(ctx context.Context, path string) (successor, error) {
	file, err := os.Open(path)
	if err != nil {
		return successor{}, usage("give the path of a file that you can read", "--secret-file %s cannot be read", path)
	}
	defer file.Close()
	raw, err := io.ReadAll(io.LimitReader(file, vault.MaxSecretBytes+1))
	defer clear(raw)
	if err != nil {
		return successor{}, usage("give the path of a file that you can read", "--secret-file %s cannot be read", path)
	}
	secret, about, err := vault.NewCertificate(raw, nil)
	if vault.NeedsPassphrase(err) {
		var typed string
		if typed, err = f.ask(ctx, "Passphrase of "+path+" (not shown): ", true); err != nil {
			return successor{}, err
		}
		secret, about, err = vault.NewCertificate(raw, []byte(typed))
	}
	if err != nil {
		return successor{}, err
	}
	return successor{secret, about.NotAfter.UTC().Format("2006-01-02T15:04:05Z07:00"), about.Thumbprint}, nil
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
func (h *house) prove(ctx context.Context, name string, next successor, places []placeOfUse) (proved string, err error) {
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
func (h *house) trial(name string, next successor, place placeOfUse) (*house, error) {
	config := next.in(place.config)
	entry := place.entry
	ref, err := entry.Credential(config.Name)
	if err != nil {
		return nil, err
	}
	entry.Credentials = []vault.CredentialRef{ref}
	directory, err := vault.NewMemoryDirectory([]vault.Entry{entry}, []vault.CredentialConfig{config})
	if err != nil {
		return nil, err
	}
	store := proposed{h.store, name, next.secret}
	return &house{directory: directory, store: store, source: vault.NewSource(vault.Options{Directory: directory, Store: store, HTTP: h.http})}, nil
}

// in is a credential as it is with the successor.
func (s successor) in(config vault.CredentialConfig) vault.CredentialConfig {
	config.Expires = s.expires
	if s.thumbprint != "" {
		config.Thumbprint = s.thumbprint
	}
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

// unproved says that the old secret stays.
func unproved(err error) error {
	problem := *schemas.AsProblem(err)
	problem.Message = "The new secret was not stored, because it does not sign in: " + problem.Message
	return &problem
}

// finishRotation writes down when the new secret ends.
func (f *Factory) finishRotation(ctx context.Context, h *house, name string, next successor, places []placeOfUse) error {
	u := f.ui()
	u.linef(good, "Replaced the secret %s after the new one had signed in.", name)
	for _, place := range firstPlaces(places) {
		if next.in(place.config) == place.config {
			continue
		}
		if err := h.directory.SetCredential(ctx, next.in(place.config)); err != nil {
			return err
		}
	}
	u.field("ends", next.expires)
	u.field("next", "delete the old secret in Entra ID")
	return u.err
}
