package approvals

import (
	"context"

	"github.com/spf13/cobra"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/cli/users"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/partnerid"
	"mcp-partner/schemas/problems"
	"mcp-partner/tools"
)

type policyTestOptions struct {
	tool, tenant, caller string
	partnerID            partnerid.ID
	state                answers.LinkState
	json                 bool
	guard                cmdutil.GuardFlags
}

func newCmdPolicyTest(deps *cmdutil.Deps) *cobra.Command {
	options := &policyTestOptions{}
	command := &cobra.Command{
		Use:   "test",
		Short: "Show the policy's decision about a call, and the rule behind it",
		RunE:  func(*cobra.Command, []string) error { return runPolicyTest(deps, options) },
	}
	flags := command.Flags()
	flags.StringVar(&options.tool, "tool", "", "`NAME` of the tool")
	flags.StringVar(&options.tenant, "tenant", "", "`TENANT`: a name of the directory, or any other")
	flags.StringVar((*string)(&options.partnerID), "partner-id", "", "partner `ID` that a write would carry")
	flags.StringVar(&options.caller, "caller", tools.StdioCaller, "`NAME` of the caller")
	cmdutil.AddChoice(flags, &options.state, "state", "`STATE` of the link now, if known", "", answers.LinkLinked, answers.LinkNotLinked)
	flags.BoolVar(&options.json, "json", false, "print {\"verdict\",\"rule\",\"why\"}")
	options.guard.Add(flags)
	return command
}

func runPolicyTest(deps *cmdutil.Deps, o *policyTestOptions) error {
	subject, err := subject(o)
	if err != nil {
		return err
	}
	// Bounds and rules need no store.
	rules := o.guard.Rules()
	rules.Rules = deps.Config.Policy
	policy, err := access.NewPolicy(rules.Settings())
	if err != nil {
		return exit.AsUsage(err)
	}
	if err := describe(deps, &subject, policy); err != nil {
		return err
	}
	verdict := policy.Evaluate(subject)
	err = deps.IO.Answer(o.json, verdict, func(u *term.UI) {
		u.Line(map[access.Ruling]term.Style{access.RulingAllow: term.Good, access.RulingDeny: term.Bad}[verdict.Ruling], string(verdict.Ruling)+verdict.Demand.String())
		u.Field("rule", verdict.Rule)
		u.Field("why", verdict.Why)
	})
	if err != nil {
		return err
	}
	if verdict.Ruling == access.RulingDeny {
		return exit.Silent(exit.CodeRefused)
	}
	return nil
}

// subject is the call that the flags describe.
func subject(o *policyTestOptions) (access.Subject, error) {
	const next = "mcp-partner policy test --help"
	op, ok := schemas.Lookup(o.tool)
	switch {
	case o.tool == "":
		return access.Subject{}, exit.Usage(next, "--tool is missing")
	case !ok:
		return access.Subject{}, exit.Usage("mcp-partner tools", "there is no tool %q", untrusted.Sanitize(o.tool))
	case o.tenant == "":
		return access.Subject{}, exit.Usage(next, "--tenant is missing")
	case op.Effect.Writes() && o.partnerID == "":
		return access.Subject{}, exit.Usage(next, "--partner-id is missing: %s carries one", o.tool)
	}
	if o.partnerID != "" {
		if err := partnerid.Check("--partner-id", o.partnerID); err != nil {
			return access.Subject{}, exit.AsUsage(err)
		}
	}
	return access.Subject{
		Operation: op, By: app.Trusted(access.Caller(o.caller)), Tenant: schemas.Tenant{Name: o.tenant}, PartnerID: o.partnerID, Link: o.state,
	}, nil
}

// describe adds what the directory knows of the tenant, and warns of names in
// the policy that fit no tenant. A tenant that it does not know is looked at by its
// name alone.
func describe(deps *cmdutil.Deps, subject *access.Subject, policy *access.Policy) error {
	a, err := deps.Open(nil)
	if err != nil {
		return err
	}
	defer a.Close()
	a.WarnOfNames(policy, deps.IO.Note)
	entry, err := a.Directory.Resolve(subject.Tenant.Name)
	if err != nil {
		if code := problems.As(err).Code; code != problems.CodeUnknownTenant && code != problems.CodeDirectoryEmpty {
			return err
		}
		deps.IO.Note("the directory has no tenant " + subject.Tenant.Name + ", so labels and its expected partner ID match nothing")
		return nil
	}
	subject.Tenant = entry.Tenant()
	return nil
}

// NewCmdPolicy builds `policy` with its subcommand.
func NewCmdPolicy(deps *cmdutil.Deps) *cobra.Command {
	return cmdutil.Parent("policy", "Test what the policy decides about a call", newCmdPolicyTest(deps))
}

// needReason refuses a command without --reason before anything is opened.
func needReason(reason *string) func(*cobra.Command, []string) error {
	return func(command *cobra.Command, _ []string) error {
		if *reason == "" {
			return exit.Usage(cmdutil.Help(command), "--reason is missing: agents receive it")
		}
		return nil
	}
}

// NewCmdFreeze builds `freeze`.
func NewCmdFreeze(deps *cmdutil.Deps) *cobra.Command {
	var reads bool
	var reason string
	command := &cobra.Command{
		Use:     "freeze",
		Short:   "Stop all writes on this state directory at once",
		PreRunE: needReason(&reason),
		RunE: deps.OnLedger(func(ctx context.Context, session *app.Session, _ []string) error {
			if err := session.Guard.SetFreeze(ctx, reads, reason); err != nil {
				return err
			}
			deps.IO.ChangeMade()
			now, err := session.Guard.Frozen(ctx)
			if err != nil {
				return err
			}
			u := deps.IO.UI()
			u.Linef(term.Warn, "Frozen for every server on %s: %s.", deps.StateDir, now.Scope())
			u.Field("next", deps.Command()+" unfreeze --approver NAME")
			if approvers, err := session.Guard.Approvers(ctx); err == nil && len(approvers) == 0 {
				u.Field("", "There are no approvers yet. First: "+deps.Command()+" users add NAME")
			}
			return u.Err
		}),
	}
	command.Flags().BoolVar(&reads, "reads", false, "stop reads too")
	command.Flags().StringVar(&reason, "reason", "", "`TEXT` that says why, for agents and the record")
	deps.AddKeyFlags(command.Flags())
	return command
}

// NewCmdUnfreeze builds `unfreeze`.
func NewCmdUnfreeze(deps *cmdutil.Deps) *cobra.Command {
	var approver string
	command := &cobra.Command{
		Use:   "unfreeze",
		Short: "End a freeze, with an approver's passphrase",
		RunE: deps.OnLedger(func(ctx context.Context, session *app.Session, _ []string) error {
			err := users.WithConsent(ctx, deps, session.Guard, approver, "", func(by guard.Credentials) error { return session.Guard.Unfreeze(ctx, by) })
			if err != nil {
				return err
			}
			return deps.IO.Say(term.Good, "The freeze has ended. The policy applies again.")
		}),
	}
	command.Flags().StringVar(&approver, "approver", "", "`NAME` of the approver (default: asked for)")
	deps.AddKeyFlags(command.Flags())
	return command
}
