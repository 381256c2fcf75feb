package vault

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/naming"
)

func newCmdRemove(deps *cmdutil.Deps) *cobra.Command {
	return &cobra.Command{
		Use:   "remove NAME",
		Short: "Remove a credential that no tenant uses, and its secret",
		Long: `Remove a credential that no tenant uses, and its secret. If there is no credential
with that name, remove the secret with that name if no credential uses it.
vault.age.previous holds the secret until the next change.`,
		Example:           "  mcp-partner vault remove old-app",
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
