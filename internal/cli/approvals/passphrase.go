package approvals

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

// knownApprover refuses a name that no approver has, before a passphrase is asked
// for. Without a name it only needs an approver to be there.
func knownApprover(ctx context.Context, decider *guard.Guard, name string) error {
	approvers, err := decider.Approvers(ctx)
	if err != nil {
		return err
	}
	names := xslices.Map(approvers, func(a guard.Approver) string { return a.Name })
	switch {
	case len(names) == 0:
		return exit.Refused("mcp-partner approvers add NAME", "there are no approvers yet")
	case name != "" && !slices.Contains(names, name):
		return exit.Refused("give the name of one of them, or run mcp-partner approvers add NAME",
			"there is no approver %s; the approvers are %s", untrusted.Shown(name), strings.Join(names, ", "))
	}
	return nil
}

func approverName(ctx context.Context, deps *cmdutil.Deps, decider *guard.Guard, name, why string) (string, error) {
	if err := knownApprover(ctx, decider, name); err != nil || name != "" {
		return name, err
	}
	name, err := deps.IO.Ask(ctx, strings.TrimSpace(why+" Approver's name:")+" ", false)
	if err != nil {
		return "", err
	}
	return name, knownApprover(ctx, decider, name)
}

// Consent asks an approver for the passphrase; without a name, for that too.
func Consent(ctx context.Context, deps *cmdutil.Deps, decider *guard.Guard, name, why string) (by guard.Credentials, err error) {
	if name, err = approverName(ctx, deps, decider, name, why); err != nil {
		return by, err
	}
	return askCredentials(ctx, deps.IO, name)
}

func askCredentials(ctx context.Context, s *term.Streams, name string) (guard.Credentials, error) {
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
