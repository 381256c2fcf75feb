package users

import (
	"context"
	"slices"
	"strings"

	"mcp-partner/guard"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/untrusted"
	"mcp-partner/internal/xslices"
)

// KnownApprover refuses a name that no approver has, before a passphrase is asked
// for. Without a name it only needs an approver to be there.
func KnownApprover(ctx context.Context, decider *guard.Guard, name string) error {
	approvers, err := decider.Approvers(ctx)
	if err != nil {
		return err
	}
	names := xslices.Map(approvers, func(a guard.User) string { return a.Name })
	switch {
	case len(names) == 0:
		return exit.Refused("mcp-partner users add NAME", "there are no approvers yet")
	case name != "" && !slices.Contains(names, name):
		return exit.Refused("give the name of one of them, or run mcp-partner users add NAME",
			"there is no approver %s; the approvers are %s", untrusted.Shown(name), strings.Join(names, ", "))
	}
	return nil
}

// ApproverName asks for the name of an approver, if none was given.
func ApproverName(ctx context.Context, deps *cmdutil.Deps, decider *guard.Guard, name, why string) (string, error) {
	if err := KnownApprover(ctx, decider, name); err != nil || name != "" {
		return name, err
	}
	name, err := deps.IO.Ask(ctx, strings.TrimSpace(why+" Approver's name:")+" ", false)
	if err != nil {
		return "", err
	}
	return name, KnownApprover(ctx, decider, name)
}

// Consent asks an approver for the passphrase; without a name, for that too.
func Consent(ctx context.Context, deps *cmdutil.Deps, decider *guard.Guard, name, why string) (by guard.Credentials, err error) {
	if name, err = ApproverName(ctx, deps, decider, name, why); err != nil {
		return by, err
	}
	return AskCredentials(ctx, deps.IO, name)
}

// WithConsent makes a change to which an approver consents.
func WithConsent(ctx context.Context, deps *cmdutil.Deps, decider *guard.Guard, name, why string, change func(by guard.Credentials) error) error {
	by, err := Consent(ctx, deps, decider, name, why)
	if err != nil {
		return err
	}
	defer clear(by.Passphrase)
	if err := change(by); err != nil {
		return err
	}
	deps.IO.ChangeMade()
	return nil
}

// withConsentIfAny makes a change to which an approver consents. As long as there is no
// approver, the operator of the host types whom it is about.
func withConsentIfAny(ctx context.Context, deps *cmdutil.Deps, decider *guard.Guard, name string, change func(by guard.Credentials) error) error {
	approvers, err := decider.Approvers(ctx)
	if err != nil {
		return err
	}
	if len(approvers) > 0 {
		return WithConsent(ctx, deps, decider, "", "An existing approver must consent.", change)
	}
	typed, err := deps.IO.Ask(ctx, "There is no approver yet who could consent. Type the user's name to confirm: ", false)
	if err != nil {
		return err
	}
	if typed != name {
		return exit.Refused("", "the name differs, so nothing was changed")
	}
	if err := change(guard.Credentials{}); err != nil {
		return err
	}
	deps.IO.ChangeMade()
	return nil
}

// AskCredentials asks for the passphrase of an approver.
func AskCredentials(ctx context.Context, s *term.Streams, name string) (guard.Credentials, error) {
	typed, err := s.Ask(ctx, "Passphrase of approver "+name+" (not shown): ", true)
	return guard.Credentials{Name: name, Passphrase: []byte(typed)}, err
}

func askNewCredentials(ctx context.Context, s *term.Streams, name string) (guard.Credentials, error) {
	first, err := s.Ask(ctx, "New passphrase of approver "+name+" (not shown): ", true)
	if err != nil {
		return guard.Credentials{}, err
	}
	second, err := s.Ask(ctx, "Repeat it: ", true)
	if err != nil {
		return guard.Credentials{}, err
	}
	if first != second {
		return guard.Credentials{}, exit.Refused("", "the two passphrases differ, so nothing was changed")
	}
	return guard.Credentials{Name: name, Passphrase: []byte(first)}, nil
}
