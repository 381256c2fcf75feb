package vault

import (
	"context"
	"slices"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/phrase"
	"mcp-partner/tenants"
)

func newCmdTest(deps *cmdutil.Deps) *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use:   "test NAME",
		Short: "Sign in once with a secret in each tenant that uses it",
		Long: `Sign in once with each credential that uses a secret, in each of its tenants, and check
the token's identity as a call does. The exit code is 1 if one of them fails.`,
		Example:           "  mcp-partner vault test contoso",
		Args:              cmdutil.OneArgument("the name of the secret"),
		ValidArgsFunction: cmdutil.CompleteFirst(deps.CredentialNames),
		RunE: deps.OnVault(func(ctx context.Context, a *app.App, args []string) error {
			return runTest(ctx, deps, a, args[0], asJSON)
		}),
	}
	command.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return command
}

type signInJSON struct {
	Tenant     string `json:"tenant"`
	Credential string `json:"credential"`
	OK         bool   `json:"ok"`
	Message    string `json:"message,omitempty"`
	Fix        string `json:"fix,omitempty"`
}

func runTest(ctx context.Context, deps *cmdutil.Deps, a *app.App, name string, asJSON bool) error {
	if _, err := a.Store.Info(ctx, name); err != nil {
		return err
	}
	places, err := placesOf(a, name)
	if err != nil {
		return err
	}
	if len(places) == 0 {
		return exit.Refused("mcp-partner tenants add NAME --credential "+phrase.ShellWord(name), "no tenant uses the secret %s, so it cannot be tested", name)
	}
	tried := trySignIns(ctx, a, places)
	err = deps.IO.Answer(asJSON, map[string][]signInJSON{"sign_ins": tried}, func(u *term.UI) { showSignIns(u, tried) })
	if err != nil {
		return err
	}
	if slices.ContainsFunc(tried, func(one signInJSON) bool { return !one.OK }) {
		return exit.Silent(exit.CodeFailed)
	}
	return nil
}

const signInsAtOnce = 64

func trySignIns(ctx context.Context, a *app.App, places []placeOfUse) []signInJSON {
	tried := make([]signInJSON, len(places))
	var group errgroup.Group
	group.SetLimit(signInsAtOnce)
	for i, place := range places {
		group.Go(func() error {
			tried[i] = signInJSON{Tenant: place.entry.Name, Credential: place.config.Name, OK: true}
			if err := a.SignIn(ctx, place.entry, place.config); err != nil {
				end := exit.Of(err)
				tried[i].OK, tried[i].Message, tried[i].Fix = false, end.Message, end.Next
			}
			return nil
		})
	}
	_ = group.Wait() // each sign-in has its own failure
	return tried
}

func showSignIns(u *term.UI, tried []signInJSON) {
	for _, one := range tried {
		if one.OK {
			u.Linef(term.Good, "%s signs in to tenant %s.", one.Credential, one.Tenant)
			continue
		}
		u.Linef(term.Bad, "%s does not sign in to tenant %s: %s", one.Credential, one.Tenant, one.Message)
		u.Field("next", one.Fix)
	}
}

type placeOfUse struct {
	entry  tenants.Entry
	config tenants.CredentialConfig
}

func placesOf(a *app.App, secret string) ([]placeOfUse, error) {
	uses, err := a.UsesOf(secret)
	if err != nil {
		return nil, err
	}
	entries, err := a.Directory.List()
	var places []placeOfUse
	for _, config := range uses {
		for _, entry := range tenants.Using(entries, config.Name) {
			places = append(places, placeOfUse{entry, config})
		}
	}
	return places, err
}
