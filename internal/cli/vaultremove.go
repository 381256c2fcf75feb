package cli

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"mcp-partner/guard"
)

type vaultRemoveOptions struct {
	name string
	keys keyOptions
}

// newVaultRemove builds `vault remove`.
func newVaultRemove(f *Factory) *cobra.Command {
	options := &vaultRemoveOptions{}
	command := &cobra.Command{
		Use:   "remove NAME",
		Short: "Remove a credential that no tenant uses, and its secret",
		Long: `Remove a credential that no tenant uses, and its secret. One that a tenant uses
stays. Without a credential of that name, a secret of that name is removed if no
credential uses it. vault.age.previous holds the secret until the next change.`,
		Example:           "  mcp-partner vault remove old-app",
		Args:              oneArgument("the name of the credential"),
		ValidArgsFunction: first(f.credentialNames),
		RunE: func(command *cobra.Command, args []string) error {
			options.name = args[0]
			return runVaultRemove(command.Context(), f, options)
		},
	}
	options.keys.add(command.Flags())
	return command
}

func runVaultRemove(ctx context.Context, f *Factory, o *vaultRemoveOptions) error {
	h, err := f.openHouse(o.keys, nil)
	if err != nil {
		return err
	}
	defer h.Close()
	config, err := h.directory.Credential(o.name)
	if err != nil {
		return f.removeSecret(ctx, h, o.name)
	}
	if config.Kind.Stored() {
		if err := h.open(ctx); err != nil {
			return err
		}
	}
	// The directory refuses one that is in use, so it comes first.
	if err := h.directory.RemoveCredential(ctx, config.Name); err != nil {
		return err
	}
	if !config.Kind.Stored() {
		return f.removed(ctx, h, "credential "+config.Name)
	}
	if h.checkUnused(config.SecretName) != nil {
		return f.removed(ctx, h, "credential "+config.Name)
	}
	if err := h.store.Delete(ctx, config.SecretName); err != nil {
		return err
	}
	return f.removed(ctx, h, "credential "+config.Name+" and its secret")
}

// removeSecret removes a secret that no credential stands for.
func (f *Factory) removeSecret(ctx context.Context, h *house, name string) error {
	if err := h.checkUnused(name); err != nil {
		return err
	}
	names, err := h.store.List(ctx)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(names, func(have string) bool { return sameName(have, name) }) {
		return refused("mcp-partner vault status", "the vault holds no secret of that name, and the directory no credential")
	}
	if err := h.store.Delete(ctx, name); err != nil {
		return err
	}
	return f.removed(ctx, h, "secret of "+name)
}

// checkUnused refuses a secret that a credential stands for.
func (h *house) checkUnused(secret string) error {
	configs, err := h.directory.Credentials()
	if err != nil {
		return err
	}
	for _, config := range configs {
		if sameName(config.SecretName, secret) {
			return refused("remove that credential", "the secret %s is that of the credential %s", secret, config.Name)
		}
	}
	return nil
}

func (f *Factory) removed(ctx context.Context, h *house, what string) error {
	f.record(ctx, h, guard.KindSecret, "The %s was removed.", what)
	u := f.IO.ui()
	u.linef(good, "Removed the %s.", what)
	return u.err
}
