package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"mcp-partner/guard"
	"mcp-partner/schemas"
)

type policyTestOptions struct {
	tool, tenant, partnerID, caller, state string
	json                                   bool
	guard                                  guardOptions
}

// newPolicyTest builds `policy test`.
func newPolicyTest(f *Factory) *cobra.Command {
	options := &policyTestOptions{}
	command := &cobra.Command{
		Use:   "test",
		Short: "Say what the policy answers to a call, by which rule, and why",
		Long: `Say what the policy answers to a call, by which rule, and why. Nothing is called,
read or recorded. Labels and the expected partner ID come from the directory. A
freeze and what is left of a rate are not looked at.

Callers are "stdio", "terminal" (this command line), or "http:" and a part of the
token's hash. Exit codes: 0 for allow and ask, 3 for deny.`,
		Example: `  mcp-partner policy test --tool update_partner --tenant contoso --partner-id 1234567 --caller stdio
  mcp-partner policy test --tool register_partner --tenant contoso --partner-id 1234567 --state not_linked --json`,
		Args: noArguments,
		RunE: func(command *cobra.Command, _ []string) error { return runPolicyTest(command.Context(), f, options) },
	}
	flags := command.Flags()
	flags.StringVar(&options.tool, "tool", "", "`NAME` of the tool")
	flags.StringVar(&options.tenant, "tenant", "", "`TENANT`: a name of the directory, or any other")
	flags.StringVar(&options.partnerID, "partner-id", "", "partner `ID` that a write would carry")
	flags.StringVar(&options.caller, "caller", stdioCaller, "`NAME` of the caller")
	flags.StringVar(&options.state, "state", "", "what is linked: `linked or not_linked` (default: not known)")
	flags.BoolVar(&options.json, "json", false, "print {\"verdict\",\"rule\",\"why\"}")
	options.guard.add(flags)
	return command
}

func runPolicyTest(ctx context.Context, f *Factory, o *policyTestOptions) error {
	subject, err := f.subject(o)
	if err != nil {
		return err
	}
	verdict, err := f.verdict(ctx, o, subject)
	if err != nil {
		return err
	}
	if err := f.showVerdict(verdict, o.json); err != nil {
		return err
	}
	if verdict.Ruling == guard.RulingDeny {
		return silent(ExitRefused)
	}
	return nil
}

// subject is the call that the flags describe.
func (f *Factory) subject(o *policyTestOptions) (guard.Subject, error) {
	const next = "mcp-partner policy test --help"
	op, ok := schemas.Lookup(o.tool)
	state := schemas.LinkState(o.state)
	switch {
	case o.tool == "":
		return guard.Subject{}, usage(next, "--tool is missing")
	case !ok:
		return guard.Subject{}, usage("mcp-partner tools", "there is no tool %q", schemas.Foreign(o.tool))
	case o.tenant == "":
		return guard.Subject{}, usage(next, "--tenant is missing")
	case op.Effect.Writes() && o.partnerID == "":
		return guard.Subject{}, usage(next, "--partner-id is missing: %s carries one", o.tool)
	case state != "" && state != schemas.LinkLinked && state != schemas.LinkNotLinked:
		return guard.Subject{}, usage(next, "--state does not take that value: it wants linked or not_linked")
	}
	if o.partnerID != "" {
		if _, err := schemas.ParsePartnerID("--partner-id", o.partnerID); err != nil {
			return guard.Subject{}, asUsage(err)
		}
	}
	subject := guard.Subject{
		Operation: op, Caller: guard.Caller(o.caller), Grant: guard.FullGrant(), Tenant: o.tenant, PartnerID: o.partnerID, Link: state,
	}
	return subject, f.describe(&subject)
}

// describe adds what the directory knows of the tenant. One that it does not
// know is judged by its name alone.
func (f *Factory) describe(subject *guard.Subject) error {
	h, err := f.openHouse(keyOptions{}, nil)
	if err != nil {
		return err
	}
	defer h.Close()
	entry, err := h.directory.Resolve(subject.Tenant)
	if err != nil {
		if err := unlessUnknown(err); err != nil {
			return err
		}
		fmt.Fprintf(f.IO.Err, "mcp-partner: note: the directory has no tenant %s, so labels and its expected partner ID match nothing\n", escape(subject.Tenant))
		return nil
	}
	tenant := entry.Tenant()
	subject.Tenant, subject.Labels, subject.Expected = tenant.Name, tenant.Labels, tenant.ExpectedPartnerID
	return nil
}

func unlessUnknown(err error) error {
	switch schemas.AsProblem(err).Code {
	case schemas.CodeUnknownTenant, schemas.CodeDirectoryEmpty:
		return nil
	}
	return err
}

// verdict asks a guard that remembers nothing: bounds first, then the rules.
func (f *Factory) verdict(ctx context.Context, o *policyTestOptions, subject guard.Subject) (guard.Verdict, error) {
	rules := o.guard.rules()
	rules.Rules = f.Config.Policy()
	decider, err := guard.New(rules)
	if err != nil {
		return guard.Verdict{}, asUsage(err)
	}
	if problem := schemas.AsProblem(decider.Admit(ctx, subject)); problem != nil && problem.Code == schemas.CodeNotAllowed {
		return guard.Verdict{Ruling: guard.RulingDeny, Rule: "bounds", Why: problem.Message}, nil
	}
	if rules.Rules == nil && rules.AllowWrites && rules.Approval == guard.ApprovalNone && subject.Operation.Effect.Writes() {
		return guard.Verdict{Ruling: guard.RulingAllow, Rule: "--approval none", Why: "the operator said so by flag"}, nil
	}
	return decider.Policy().Evaluate(subject), nil
}

func (f *Factory) showVerdict(verdict guard.Verdict, asJSON bool) error {
	if asJSON {
		return f.IO.printJSON(verdict)
	}
	u := f.IO.ui()
	u.line(map[guard.Ruling]style{guard.RulingAllow: good, guard.RulingDeny: bad}[verdict.Ruling], string(verdict.Ruling))
	u.field("rule", verdict.Rule)
	u.field("why", verdict.Why)
	return u.err
}
