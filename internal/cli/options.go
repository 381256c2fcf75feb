package cli

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/pflag"

	"mcp-partner/guard"
	"mcp-partner/internal/config"
	"mcp-partner/schemas"
	"mcp-partner/vault"
)

// keyOptions say where the key of the vault is.
type keyOptions struct{ passphraseFile, identityFile string }

func (k *keyOptions) add(flags *pflag.FlagSet) {
	flags.StringVar(&k.passphraseFile, "passphrase-file", "", "`FILE` with the passphrase of the vault")
	flags.StringVar(&k.identityFile, "identity-file", "", "`FILE` with the age identity that opens the vault")
	config.Standing(flags, "passphrase-file", "identity-file")
}

// arguments are the flags that a server needs to open the same vault.
func (k keyOptions) arguments() ([]string, error) {
	var all []string
	for _, flag := range [][2]string{{"--passphrase-file", k.passphraseFile}, {"--identity-file", k.identityFile}} {
		if flag[1] == "" {
			continue
		}
		path, err := filepath.Abs(flag[1])
		if err != nil {
			return nil, failed("give "+flag[0]+" with an absolute path", "the working directory is not known")
		}
		all = append(all, flag[0], path)
	}
	return all, nil
}

// keySource says where the key is, and whom to ask for a passphrase.
func (s *Settings) keySource(k keyOptions) vault.KeySource {
	return vault.KeySource{IdentityFile: k.identityFile, PassphraseFile: k.passphraseFile, Terminal: s.Prompter}
}

// prompter asks for the passphrase of the vault where a write would be
// confirmed: at the terminal, and only where somebody seems to sit there. The
// terminal that a client's user works at is not written to.
type prompter struct {
	streams *Streams
	// typed keeps what was typed for each prompt, so that one command asks once,
	// whatever needs the vault. It is nil in a server, where a mistyped
	// passphrase must not stay.
	typed *sync.Map
}

// typedAnswer is what came of one prompt.
type typedAnswer struct {
	typed string
	err   error
}

// Passphrase implements vault.Prompter.
func (p prompter) Passphrase(ctx context.Context, prompt string) ([]byte, error) {
	if p.typed == nil {
		return p.ask(ctx, prompt)
	}
	if before, ok := p.typed.Load(prompt); ok {
		answer := before.(typedAnswer)
		return []byte(answer.typed), answer.err
	}
	typed, err := p.ask(ctx, prompt)
	if ctx.Err() == nil {
		p.typed.Store(prompt, typedAnswer{string(typed), err})
	}
	return typed, err
}

func (p prompter) ask(ctx context.Context, prompt string) ([]byte, error) {
	locked := schemas.NewProblem(schemas.CodeVaultLocked, "The vault is protected by a passphrase, and there is no terminal to ask on.")
	if !p.streams.attended() {
		return nil, locked
	}
	terminal, err := p.streams.Terminal()
	if err != nil {
		return nil, locked
	}
	defer terminal.Close()
	typed, err := terminal.Ask(ctx, escape(prompt), true)
	if err != nil {
		return nil, schemas.NewProblem(schemas.CodeVaultLocked, "The vault is protected by a passphrase, and none was typed.")
	}
	return []byte(typed), nil
}

// guardOptions say what an operator allows.
type guardOptions struct {
	allowWrites                bool
	approval                   approvalMode
	tools, tenants, partnerIDs list
}

func (g *guardOptions) add(flags *pflag.FlagSet) {
	flags.BoolVar(&g.allowWrites, "allow-writes", false, "let tools write; a person is asked before each write")
	g.approval = approvalMode(guard.ApprovalAsk)
	flags.Var(&g.approval, "approval", "who is asked before a write: `ask, requester, approver or none`; none needs --simulate or --partner-ids")
	g.addBounds(flags)
	config.Standing(flags, "allow-writes", "approval")
}

// addBounds adds what bounds a call whatever the policy says.
func (g *guardOptions) addBounds(flags *pflag.FlagSet) {
	flags.Var(&g.tools, "tools", "only these `TOOLS`, with commas between")
	flags.Var(&g.tenants, "tenants", "only these `TENANTS`: names or globs, with commas between")
	flags.Var(&g.partnerIDs, "partner-ids", "only these partner `IDS` may be written, with commas between")
	config.Standing(flags, "tools", "tenants", "partner-ids")
}

func (g *guardOptions) rules() guard.Options {
	return guard.Options{
		AllowWrites: g.allowWrites, Approval: guard.Approval(g.approval),
		Bounds: guard.Bounds{Tools: g.tools, Tenants: g.tenants, PartnerIDs: g.partnerIDs},
	}
}

// approvalMode is a flag that says whom to ask before a write.
type approvalMode guard.Approval

// Set implements pflag.Value.
func (m *approvalMode) Set(text string) error {
	modes := []guard.Approval{guard.ApprovalAsk, guard.ApprovalRequester, guard.ApprovalApprover, guard.ApprovalNone}
	if !slices.Contains(modes, guard.Approval(text)) {
		return errors.New("no such mode")
	}
	*m = approvalMode(text)
	return nil
}

// String implements pflag.Value.
func (m *approvalMode) String() string { return string(*m) }

// Type implements pflag.Value.
func (m *approvalMode) Type() string { return "mode" }

// list is a flag of several values with commas between. It refuses an empty
// one: --tenants "$CUSTOMERS" with nothing in the variable would otherwise be a
// bound that bounds nothing.
type list []string

// Set implements pflag.Value; a flag that is given twice adds up.
func (l *list) Set(text string) error {
	for item := range strings.SplitSeq(text, ",") {
		item = strings.TrimSpace(item)
		if item == "" {
			return errors.New("an item of the list is empty")
		}
		*l = append(*l, item)
	}
	return nil
}

// String implements pflag.Value.
func (l *list) String() string { return strings.Join(*l, ",") }

// Type implements pflag.Value.
func (l *list) Type() string { return config.ListType }
