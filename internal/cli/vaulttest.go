package cli

import (
	"context"
	"slices"
	"sync"

	"github.com/spf13/cobra"

	"mcp-partner/tenants"
)

type vaultTestOptions struct {
	name string
	json bool
	keys keyOptions
}

// newVaultTest builds `vault test`.
func newVaultTest(f *Factory) *cobra.Command {
	options := &vaultTestOptions{}
	command := &cobra.Command{
		Use:   "test NAME",
		Short: "Sign in once with a secret in each tenant that uses it, and change nothing",
		Long: `Sign in once with each credential that uses a secret, in each of its tenants, and
look at whose token it is as a call would. It ends with 1 if one of them fails.`,
		Example:           "  mcp-partner vault test contoso",
		Args:              oneArgument("the name of the secret"),
		ValidArgsFunction: first(f.credentialNames),
		RunE: func(command *cobra.Command, args []string) error {
			options.name = args[0]
			return runVaultTest(command.Context(), f, options)
		},
	}
	command.Flags().BoolVar(&options.json, "json", false, "print JSON")
	options.keys.add(command.Flags())
	return command
}

// signInJSON is one sign-in that was tried.
type signInJSON struct {
	Tenant     string `json:"tenant"`
	Credential string `json:"credential"`
	OK         bool   `json:"ok"`
	Message    string `json:"message,omitempty"`
	Fix        string `json:"fix,omitempty"`
}

func runVaultTest(ctx context.Context, f *Factory, o *vaultTestOptions) error {
	h, err := f.openVault(ctx, o.keys)
	if err != nil {
		return err
	}
	defer h.Close()
	if _, err := h.store.Info(ctx, o.name); err != nil {
		return err
	}
	places, err := h.placesOf(o.name)
	if err != nil {
		return err
	}
	if len(places) == 0 {
		return refused("mcp-partner tenants add NAME --credential "+shellWord(o.name), "no tenant uses the secret %s, so there is nowhere to try it", o.name)
	}
	tried := h.trySignIns(ctx, places)
	if err := f.showSignIns(tried, o.json); err != nil {
		return err
	}
	if slices.ContainsFunc(tried, func(one signInJSON) bool { return !one.OK }) {
		return silent(ExitFailed)
	}
	return nil
}

// signInsAtOnce bounds how many tenants are tried at the same time.
const signInsAtOnce = 64

// trySignIns signs in at each place; the outcomes are in their order.
func (h *house) trySignIns(ctx context.Context, places []placeOfUse) []signInJSON {
	tried := make([]signInJSON, len(places))
	var group sync.WaitGroup
	room := make(chan struct{}, signInsAtOnce)
	for i, place := range places {
		room <- struct{}{}
		group.Go(func() {
			defer func() { <-room }()
			tried[i] = h.trySignIn(ctx, place)
		})
	}
	group.Wait()
	return tried
}

func (h *house) trySignIn(ctx context.Context, place placeOfUse) signInJSON {
	one := signInJSON{Tenant: place.entry.Name, Credential: place.config.Name, OK: true}
	if err := h.signIn(ctx, place.entry, place.config); err != nil {
		end := endOf(err)
		one.OK, one.Message, one.Fix = false, end.message, end.next
	}
	return one
}

func (f *Factory) showSignIns(tried []signInJSON, asJSON bool) error {
	if asJSON {
		return f.IO.printJSON(map[string][]signInJSON{"sign_ins": tried})
	}
	u := f.IO.ui()
	for _, one := range tried {
		if one.OK {
			u.linef(good, "%s signs in, in tenant %s.", one.Credential, one.Tenant)
			continue
		}
		u.linef(bad, "%s does not sign in, in tenant %s: %s", one.Credential, one.Tenant, one.Message)
		u.field("next", one.Fix)
	}
	return u.err
}

// placeOfUse is a tenant in which a credential acts.
type placeOfUse struct {
	entry  tenants.Entry
	config tenants.CredentialConfig
}

// placesOf lists where a secret is used.
func (h *house) placesOf(secret string) ([]placeOfUse, error) {
	uses, err := h.usesOf(secret)
	if err != nil {
		return nil, err
	}
	entries, err := h.directory.List()
	var places []placeOfUse
	for _, config := range uses {
		for _, entry := range entries {
			if usesAny(entry, []string{config.Name}) {
				places = append(places, placeOfUse{entry, config})
			}
		}
	}
	return places, err
}
