package setup

import (
	"context"

	"github.com/spf13/cobra"

	"mcp-partner/internal/cli/cmdutil"
	tenantscmd "mcp-partner/internal/cli/tenants"
	"mcp-partner/internal/cli/term"
	vaultcmd "mcp-partner/internal/cli/vault"
	"mcp-partner/internal/config"
	"mcp-partner/internal/exit"
)

// setupOptions are the answers of a first run. Missing ones are asked for,
// unless --yes is set.
type setupOptions struct {
	yes        bool
	key        keyPlace
	partnerIDs cmdutil.List
	clients    []string
	// tenant holds the flags of `tenants add`.
	tenant tenantscmd.Options
}

// NewCmdSetup builds `setup`.
func NewCmdSetup(deps *cmdutil.Deps) *cobra.Command {
	options := &setupOptions{}
	command := &cobra.Command{
		Use:   "setup [TENANT]",
		Short: "Set up vault, first tenant and client, step by step",
		Long: `Set up everything step by step: a vault, your own partner IDs (all others are denied),
the first tenant with a credential, a read that proves it works, and the configuration
of a client. Each step prints what it did and the command that does the same. Steps
that are complete are kept, so you can run setup again after a failure.

On a terminal setup asks for everything that no flag gives. With --yes it asks
nothing; scripts give the answers as flags, including those of tenants add.`,
		Example: `  mcp-partner setup
  mcp-partner setup contoso --yes --partner-ids 1234567 --credential azure-cli --client claude-desktop
  mcp-partner setup contoso --yes --partner-ids 1234567 --tenant-id GUID --client-id GUID --secret-file secret.txt`,
		Args: cmdutil.AtMostOneArgument("the tenant's name"),
		RunE: func(command *cobra.Command, args []string) error {
			if len(args) == 1 {
				options.tenant.Name = args[0]
			}
			return runSetup(command.Context(), deps, options)
		},
	}
	flags := command.Flags()
	flags.BoolVar(&options.yes, "yes", false, "ask nothing; use the flags and the defaults")
	cmdutil.AddChoice(flags, &options.key, "protect-by", "`PLACE` of the key of a new vault; auto is the keychain where there is one, else a file",
		keyAuto, keyKeychain, keyFile, keyPassphrase)
	flags.Var(&options.partnerIDs, "partner-ids", "your own partner `IDS`, separated by commas; no other can be written")
	flags.StringArrayVar(&options.clients, "client", nil, "`CLIENT` to set up, such as claude-desktop; repeatable")
	options.tenant.Add(deps, flags)
	config.Standing(flags, "partner-ids")
	return command
}

type keyPlace string

// The places. keyAuto is the keychain where there is one.
const (
	keyAuto       keyPlace = "auto"
	keyKeychain   keyPlace = "keychain"
	keyFile       keyPlace = "file"
	keyPassphrase keyPlace = "passphrase"
)

type firstRun struct {
	f *cmdutil.Deps
	o *setupOptions
	u *term.UI
	// terminal is nil with --yes.
	terminal term.Terminal
}

func runSetup(ctx context.Context, deps *cmdutil.Deps, o *setupOptions) error {
	deps.IO.ChangeMade() // what is printed only tells of the steps
	s := &firstRun{f: deps, o: o, u: deps.IO.UI()}
	if !o.yes {
		terminal, err := s.open()
		if err != nil {
			return err
		}
		defer terminal.Close()
		s.terminal = terminal
	}
	for i, step := range []struct {
		title string
		run   func(context.Context) error
	}{
		{"The vault for secrets", s.makeVault},
		{"Your own partner IDs", s.boundPartnerIDs},
		{"The first tenant", s.addTenant},
		{"A read that proves it works", s.prove},
		{"A client", s.installClients},
	} {
		s.u.Linef(term.Bold, "%d. %s", i+1, step.title)
		if err := step.run(ctx); err != nil {
			return err
		}
		s.u.Blank()
	}
	s.u.Linef(term.Good, "Ready. Ask your agent: \"Is our partner link in place at %s?\"", s.o.tenant.Name)
	s.u.Field("writes", "are off. When you want them: mcp-partner approvers add NAME, then rules in config.yaml (docs/policy.md) or --allow-writes")
	s.u.Field("more", "mcp-partner doctor, mcp-partner tenants add, mcp-partner tenants import")
	return s.u.Err
}

func (s *firstRun) open() (term.Terminal, error) {
	none := exit.Usage("give the answers as flags with --yes; see: mcp-partner setup --help", "setup needs a terminal")
	if !s.f.IO.Attended() {
		return nil, none
	}
	terminal, err := s.f.IO.Terminal()
	if err != nil {
		return nil, none
	}
	return terminal, nil
}

// signIn signs a person in where the tenant's credential is one: a server never
// asks anybody.
func (s *firstRun) signIn(ctx context.Context) error {
	a, err := s.f.Open(nil)
	if err != nil {
		return err
	}
	entry, err := a.Directory.Get(s.o.tenant.Name)
	if err != nil {
		a.Close()
		return err
	}
	config, err := a.Directory.Credential(entry.Credentials[0].Name)
	a.Close()
	if err != nil || !config.Kind.Interactive() {
		return err
	}
	return vaultcmd.RunLogin(ctx, s.f, &vaultcmd.LoginOptions{Credential: config.Name, Tenant: entry.Name})
}
