// Package setup has the command of the first run.
package setup

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"mcp-partner/internal/app"
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
		Args:  cmdutil.AtMostOneArgument("the tenant's name"),
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
	// a is open from the first tenant on.
	a *app.App
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
	defer func() {
		if s.a != nil {
			s.a.Close()
		}
	}()
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
	s.u.Field("writes", "are off. When you want them: mcp-partner users add NAME, then rules in config.yaml (docs/policy.md) or --allow-writes")
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
	entry, err := s.a.Directory.Get(s.o.tenant.Name)
	if err != nil {
		return err
	}
	config, err := s.a.Directory.Credential(entry.Credentials[0].Name)
	if err != nil || !config.Kind.Interactive() {
		return err
	}
	return vaultcmd.RunLogin(ctx, s.f, s.a, &vaultcmd.LoginOptions{Credential: config.Name, Tenant: entry.Name})
}

// ask asks for a text; an empty answer is the usual one. With --yes it is the
// usual one at once.
func (s *firstRun) ask(ctx context.Context, question, usual string) (string, error) {
	if s.terminal == nil {
		return usual, nil
	}
	prompt := term.Escape(question)
	if usual != "" {
		prompt += " [" + term.Escape(usual) + "]"
	}
	typed, err := s.terminal.Ask(ctx, "  "+prompt+": ", false)
	if err != nil {
		return "", s.stopped(err)
	}
	if typed = strings.TrimSpace(typed); typed == "" {
		return usual, nil
	}
	return typed, nil
}

// attempts is how often a person may mistype one answer.
const attempts = 3

// askUntil asks for something until take accepts it, and says what was wrong.
// With --yes take gets what is usual, once.
func (s *firstRun) askUntil(ctx context.Context, question, usual string, take func(string) error) (wrong error) {
	for range attempts {
		typed, err := s.ask(ctx, question, usual)
		if err != nil {
			return err
		}
		if wrong = take(typed); wrong == nil || s.terminal == nil {
			return wrong
		}
		mistake := strings.TrimSuffix(exit.Of(wrong).Message, ".")
		s.u.Linef(term.Warn, "  %s%s.", strings.ToUpper(mistake[:1]), mistake[1:])
	}
	return wrong
}

// agrees asks for yes or no; nothing but a yes is one where no is usual. With
// --yes it is what is usual.
func (s *firstRun) agrees(ctx context.Context, question string, usual bool) (bool, error) {
	hint := map[bool]string{true: "Y/n", false: "y/N"}[usual]
	typed, err := s.ask(ctx, question+" ("+hint+")", "")
	switch strings.ToLower(typed) {
	case "":
		return usual, err
	case "y", "yes":
		return true, err
	}
	return false, err
}

func (s *firstRun) pick(ctx context.Context, question string, choices [][2]string, usual string) (choice string, err error) {
	for _, c := range choices {
		s.u.Field(c[0], c[1])
	}
	err = s.askUntil(ctx, question, usual, func(typed string) error {
		for _, c := range choices {
			if strings.EqualFold(typed, c[0]) {
				choice = c[0]
				return nil
			}
		}
		return exit.Usage("mcp-partner setup --help", "that is not one of the choices")
	})
	return choice, err
}

func (s *firstRun) stopped(err error) error {
	if errors.Is(err, term.ErrNothingTyped) || errors.Is(err, context.Canceled) {
		return exit.Refused("run mcp-partner setup again; completed steps are kept", "setup was stopped")
	}
	return exit.Failed("give the answers as flags with --yes", "the terminal cannot be read")
}
