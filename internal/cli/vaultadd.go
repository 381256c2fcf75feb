package cli

import (
	"context"

	"github.com/spf13/cobra"

	"mcp-partner/guard"
	"mcp-partner/internal/config"
	"mcp-partner/tenants"
)

type vaultAddOptions struct {
	name       string
	credential credentialOptions
	keys       keyOptions
}

// newVaultAdd builds `vault add`.
func newVaultAdd(f *Factory) *cobra.Command {
	options := &vaultAddOptions{}
	command := &cobra.Command{
		Use:   "add NAME",
		Short: "Store a secret under a name that is not taken",
		Long: `Store a client secret, or a certificate with its key, under a name that is not taken.
A credential uses the secret of its own name: tenants add --credential NAME takes it
from there, as it takes one that another program has put into a backend. Usually
tenants add stores the secret itself. To replace one, use vault rotate-secret.`,
		Example: `  mcp-partner vault add contoso-app --secret-stdin < secret
  mcp-partner vault add contoso-app --certificate-file app.pem`,
		Args: oneArgument("the name of the secret"),
		RunE: func(command *cobra.Command, args []string) error {
			options.name = args[0]
			return runVaultAdd(command.Context(), f, options)
		},
	}
	flags := command.Flags()
	options.credential.secret.add(flags)
	options.credential.kind.addCertificate(flags, "the certificate")
	config.Typed(flags, "certificate-file", "certificate-stdin", "certificate-passphrase-file")
	options.keys.add(flags)
	return command
}

func runVaultAdd(ctx context.Context, f *Factory, o *vaultAddOptions) error {
	h, err := f.openVault(ctx, o.keys)
	if err != nil {
		return err
	}
	defer h.Close()
	taken, err := h.holds(ctx, o.name)
	if err != nil {
		return err
	}
	if taken {
		return refused("mcp-partner vault rotate-secret "+shellWord(o.name), "the vault holds a secret of that name already")
	}
	if err := f.addSecret(ctx, h, o); err != nil {
		return err
	}
	f.record(ctx, h, guard.KindSecret, "The secret %s was stored.", o.name)
	u := f.IO.ui()
	u.linef(good, "Stored the secret %s.", o.name)
	next := "mcp-partner tenants add NAME --tenant-id GUID --client-id GUID --credential " + shellWord(o.name)
	if o.credential.kind.certificate() {
		next += " --kind " + string(tenants.KindClientCertificate)
	}
	u.field("next", next)
	return u.err
}

func (f *Factory) addSecret(ctx context.Context, h *house, o *vaultAddOptions) error {
	kind := tenants.KindClientSecret
	switch certificate := o.credential.kind.certificate(); {
	case certificate && o.credential.secret.given():
		return usage("give one of them", "a secret and a certificate were both given")
	case certificate:
		kind = tenants.KindClientCertificate
	}
	got, err := o.credential.ask(ctx, f, tenants.CredentialConfig{Name: o.name, Kind: kind})
	if err != nil {
		return err
	}
	return h.store.Put(ctx, o.name, got.secret)
}

// openVault opens the house and its vault, for a command about the vault.
func (f *Factory) openVault(ctx context.Context, keys keyOptions) (*house, error) {
	h, err := f.openHouse(keys, nil)
	if err != nil {
		return nil, err
	}
	if err := h.open(ctx); err != nil {
		h.Close()
		return nil, err
	}
	return h, nil
}

// holds reports whether the vault has a secret of that name.
func (h *house) holds(ctx context.Context, name string) (bool, error) {
	_, err := h.store.Info(ctx, name)
	if err == nil {
		return true, nil
	}
	return false, unlessMissing(err)
}

// usesOf lists the credentials that a secret stands behind.
func (h *house) usesOf(secret string) ([]tenants.CredentialConfig, error) {
	configs, err := h.directory.Credentials()
	var found []tenants.CredentialConfig
	for _, config := range configs {
		if config.SecretName != "" && sameName(config.SecretName, secret) {
			found = append(found, config)
		}
	}
	return found, err
}
