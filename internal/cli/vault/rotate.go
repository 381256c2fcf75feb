package vault

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/config"
	"mcp-partner/internal/credential"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/naming"
	"mcp-partner/internal/phrase"
	"mcp-partner/schemas/problems"
	"mcp-partner/tenants"
	"mcp-partner/vault"
)

func newCmdRotateSecret(deps *cmdutil.Deps) *cobra.Command {
	options := &credential.Options{}
	command := &cobra.Command{
		Use:               "rotate-secret NAME",
		Short:             "Replace a secret after the new one has signed in",
		Args:              cmdutil.OneArgument("the name of the secret"),
		ValidArgsFunction: cmdutil.CompleteFirst(deps.CredentialNames),
		RunE: deps.OnVault(func(ctx context.Context, a *app.App, args []string) error {
			return runRotateSecret(ctx, deps, a, args[0], options)
		}),
	}
	flags := command.Flags()
	cmdutil.AddSecretFlags(&options.Secret, flags)
	cmdutil.AddCertificateFlags(options, flags, "the new certificate")
	flags.StringVar(&options.Expires, "expires", "", "expiry `DATE` of the new client secret, such as 2027-01-31")
	config.Typed(flags, "certificate-file", "certificate-stdin", "certificate-passphrase-file", "expires")
	return command
}

func runRotateSecret(ctx context.Context, deps *cmdutil.Deps, a *app.App, name string, o *credential.Options) error {
	old, err := a.Store.Get(ctx, name)
	if err != nil {
		return err
	}
	places, err := placesOf(a, name)
	if err != nil {
		return err
	}
	if len(places) == 0 && a.SignsInWith(name) {
		return exit.Refused("store the new one with mcp-partner vault add NAME, name it in oauth.credential, and start the server again", "people sign in with the help of the secret %s, which no tenant can test", name)
	}
	if len(places) == 0 {
		return exit.Refused("use it in a tenant first, or remove it and add the new one", "no tenant uses the secret %s, so a new one cannot be tested", name)
	}
	next, err := readSuccessor(ctx, deps, name, o, places[0].config)
	if err != nil {
		return err
	}
	if next.Secret.Equal(old.Secret) {
		return exit.Refused("", "the new secret equals the stored one")
	}
	// One tenant for each credential; places are ordered by these.
	places = slices.CompactFunc(places, func(a, b placeOfUse) bool { return a.config.Name == b.config.Name })
	proved, err := prove(ctx, a, name, next, places)
	if err != nil {
		return unproved(err)
	}
	deps.Record(ctx, a, guard.KindSecret, "A new secret for %s signed in as %s.", name, proved)
	if err := a.Store.Replace(ctx, name, old.Secret, next.Secret); err != nil {
		return err
	}
	deps.Record(ctx, a, guard.KindSecret, "The secret %s was replaced after the new one had signed in.", name)
	return finishRotation(ctx, deps, a, name, next, places)
}

func readSuccessor(ctx context.Context, deps *cmdutil.Deps, name string, o *credential.Options, config tenants.CredentialConfig) (credential.Provided, error) {
	kind := config.Kind
	switch {
	case !kind.Given():
		return credential.Provided{}, exit.Refused("mcp-partner tenants --help", "the vault keeps a person's sign-in under %s: use vault login to renew it", name)
	case kind == tenants.KindClientCertificate && o.Secret.Given():
		return credential.Provided{}, exit.Usage("give --certificate-file FILE", "the secret %s is a certificate", name)
	case kind == tenants.KindClientSecret && o.Certificate():
		return credential.Provided{}, exit.Usage("give --secret-file FILE", "the secret %s is a client secret", name)
	}
	return cmdutil.AskSecret(ctx, o, deps, config)
}

func prove(ctx context.Context, a *app.App, name string, next credential.Provided, places []placeOfUse) (string, error) {
	var proved []string
	for _, place := range places {
		if err := a.TrySignIn(ctx, place.entry, in(next, place.config), proposed{a.Store, name, next.Secret}); err != nil {
			return "", err
		}
		proved = append(proved, place.config.Name+" in "+place.entry.Name)
	}
	return strings.Join(proved, ", "), nil
}

func in(g credential.Provided, config tenants.CredentialConfig) tenants.CredentialConfig {
	config.Expires, config.Thumbprint = g.Config.Expires, g.Config.Thumbprint
	return config
}

// proposed is a store in which one secret is another one already.
type proposed struct {
	vault.Store
	name   string
	secret vault.Secret
}

// Get implements vault.Store. When the old secret ends says nothing of the new
// one.
func (p proposed) Get(ctx context.Context, name string) (vault.Stored, error) {
	if naming.Same(name, p.name) {
		return vault.Stored{Name: name, Secret: p.secret}, nil
	}
	return p.Store.Get(ctx, name)
}

func unproved(err error) error {
	problem := *problems.As(err)
	problem.Message = "The new secret was not stored, because it does not sign in: " + problem.Message
	if problem.Code == problems.CodeCredentialRejected {
		problem.Command = ""
		problem.Hint = "Check it: of a secret, give its value, not its ID; a certificate must be registered with the application. Entra ID may need a minute to accept a new one. Then run the command again."
	}
	return &problem
}

func finishRotation(ctx context.Context, deps *cmdutil.Deps, a *app.App, name string, next credential.Provided, places []placeOfUse) error {
	u := deps.IO.UI()
	u.Linef(term.Good, "Replaced the secret %s after the new one had signed in.", name)
	for _, place := range places {
		renewed := in(next, place.config)
		if renewed == place.config {
			continue
		}
		if err := a.Directory.SetCredential(ctx, renewed); err != nil {
			return err
		}
	}
	u.Field("ends", next.Config.Expires)
	u.Field("next", "delete the old secret in Entra ID")
	return u.Err
}

func newCmdTest(deps *cmdutil.Deps) *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use:               "test NAME",
		Short:             "Sign in once with a secret in each tenant that uses it",
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
	if _, err := a.Store.Get(ctx, name); err != nil {
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

func newCmdRotateKey(deps *cmdutil.Deps) *cobra.Command {
	options, asJSON := vault.RotateOptions{Fresh: []string{app.SealKey}}, false
	command := &cobra.Command{
		Use:   "rotate-key",
		Short: "Encrypt the vault again with a new key",
		RunE: deps.OnVault(func(ctx context.Context, a *app.App, _ []string) error {
			return runRotateKey(ctx, deps, a, options, asJSON)
		}),
	}
	flags := command.Flags()
	flags.BoolVar(&options.DryRun, "dry-run", false, "show what would be done, and change nothing")
	flags.BoolVar(&asJSON, "json", false, "print JSON")
	flags.BoolVar(&options.To.Ask, "new-passphrase", false, "ask for the new passphrase on the terminal")
	flags.StringVar(&options.To.PassphraseFile, "new-passphrase-file", "", "`FILE` with the new passphrase")
	flags.StringVar(&options.To.IdentityFile, "new-identity-file", "", "`FILE` with the new age identity")
	flags.BoolVar(&options.KeyFile, "new-key-file", false, "keep a new key beside the vault")
	config.Typed(flags, "new-passphrase", "new-passphrase-file", "new-identity-file", "new-key-file")
	return command
}

func runRotateKey(ctx context.Context, deps *cmdutil.Deps, a *app.App, o vault.RotateOptions, asJSON bool) error {
	done, err := a.Vault.RotateKey(ctx, o)
	if err != nil {
		return err
	}
	if !o.DryRun {
		deps.Record(ctx, a, guard.KindSecret, "The vault was encrypted again with a new key.")
	}
	return deps.IO.Answer(asJSON, done, func(u *term.UI) {
		u.Linef(term.Good, "%s %s and %s of the program.", rotationVerb(o.DryRun, done.Resumed), phrase.Count(done.Secrets, "secret"), phrase.Count(done.Keys, "key"))
		u.Field("old key", done.From)
		u.Field("new key", done.To)
		if !o.DryRun {
			u.Field("next", "make a new backup, and destroy what the old key opens: older backups and copies of the vault")
		}
	})
}

func rotationVerb(dryRun, resumed bool) string {
	switch {
	case dryRun && resumed:
		return "Would finish an interrupted rotation:"
	case dryRun:
		return "Would encrypt again"
	case resumed:
		return "Finished an interrupted rotation:"
	}
	return "Encrypted again"
}
