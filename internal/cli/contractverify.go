package cli

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"mcp-partner/guard"
	"mcp-partner/internal/config"
	"mcp-partner/internal/contract"
	"mcp-partner/schemas"
	"mcp-partner/tools"
)

type contractVerifyOptions struct {
	tenant, credential  string
	partnerID, secondID string
	yes, json           bool
	output              string
	force               bool
	keys                keyOptions
	guard               guardOptions
	simulate            simulateOptions
}

// newContractVerify builds `contract verify`.
func newContractVerify(f *Factory) *cobra.Command {
	options := &contractVerifyOptions{}
	command := &cobra.Command{
		Use:   "verify",
		Short: "Ask the provider, and report where it differs from its contract",
		Long: `Ask the provider as one identity in one tenant, and compare its answers with the
contract that mcp-partner openapi prints. The report is Markdown that can be pasted
into an issue: it names no tenant, identity or partner, and holds no token.

Without more it reads only: the operations, the own link, an ID that is not linked,
something that is no ID. With --with-partner-id and --yes it makes a link, moves it
and removes it again, in a tenant that is meant for tests: it refuses where this
identity has a link. These writes go through policy and record like any others:
they need --allow-writes or rules, and where a person is to be asked, the whole run
is confirmed once at this terminal. An approver elsewhere cannot be waited for.

Exit codes: 0 the provider keeps the contract, 1 it does not or could not be asked,
2 wrong usage, 3 refused.`,
		Example: `  mcp-partner contract verify --tenant contoso
  mcp-partner contract verify --tenant test --with-partner-id 1234567 --yes --allow-writes --approval requester
  mcp-partner contract verify --tenant contoso --simulate`,
		Args: noArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			if err := options.simulate.check(command.Flags()); err != nil {
				return err
			}
			if err := options.check(); err != nil {
				return err
			}
			return runContractVerify(command.Context(), f, options)
		},
	}
	flags := command.Flags()
	flags.StringVar(&options.tenant, "tenant", "", "`TENANT` to ask in: a name, domain or GUID of the directory")
	flags.StringVar(&options.credential, "credential", "", "`NAME` of a credential of that tenant (default: the tenant's own)")
	flags.StringVar(&options.partnerID, "with-partner-id", "", "make a link to this partner `ID` and remove it again; needs --yes")
	flags.StringVar(&options.secondID, "second-partner-id", "", "another partner `ID` of yours, to which the link is moved in between")
	flags.BoolVar(&options.yes, "yes", false, "say that the tenant is meant for tests; it confirms no write")
	flags.BoolVar(&options.json, "json", false, "print the report as JSON")
	flags.StringVarP(&options.output, "output", "o", "", "write the report to this `FILE` instead of standard output")
	flags.BoolVar(&options.force, "force", false, "let --output replace a file")
	config.Typed(flags, "yes", "with-partner-id", "second-partner-id")
	options.keys.add(flags)
	options.guard.add(flags)
	options.simulate.add(flags)
	return command
}

func (o *contractVerifyOptions) check() error {
	switch {
	case o.partnerID == "" && (o.yes || o.secondID != ""):
		return usage("give --with-partner-id ID as well, or leave both out to read only", "--yes and --second-partner-id go with --with-partner-id")
	case o.partnerID == "":
		return nil
	case !o.yes:
		return usage("add --yes if that tenant is meant for tests", "--with-partner-id makes a link and removes it again")
	case o.partnerID == o.secondID:
		return usage("give another partner ID of yours, or leave it out", "--second-partner-id is the same as --with-partner-id")
	}
	for _, id := range []string{o.partnerID, o.secondID} {
		if id == "" {
			continue
		}
		if _, err := schemas.ParsePartnerID("partner_id", id); err != nil {
			return asUsage(err)
		}
	}
	return nil
}

func runContractVerify(ctx context.Context, f *Factory, o *contractVerifyOptions) error {
	room, err := f.openCall(ctx, &sessionOptions{keys: o.keys, guard: o.guard, simulate: o.simulate})
	if err != nil {
		return err
	}
	defer room.Close()
	verifier, err := f.contractVerifier(ctx, room, o)
	if err != nil {
		return err
	}
	report, err := verifier.Verify(ctx)
	var problem *schemas.Problem
	if errors.As(err, &problem) {
		worded := atHand(*problem)
		return &worded
	}
	if err != nil {
		return err
	}
	if err := f.deliverReport(report, o); err != nil {
		return err
	}
	if !report.Agreed() {
		return silent(ExitFailed)
	}
	return nil
}

func (f *Factory) contractVerifier(ctx context.Context, room *callRoom, o *contractVerifyOptions) (*contract.Verifier, error) {
	document, err := contract.Load()
	if err != nil {
		return nil, err
	}
	tenant, credential, err := room.chosen(o.tenant, o.credential)
	if err != nil {
		return nil, err
	}
	op, _ := schemas.Lookup(schemas.ToolCheckPartnerLink)
	if err := room.decider.Admit(ctx, guard.Subject{Operation: op, Caller: caller, Grant: guard.FullGrant(), Tenant: tenant.Name, Labels: tenant.Labels}); err != nil {
		return nil, err
	}
	wire, kind, err := room.clients.wire(tenant.Name, credential)
	if err != nil {
		return nil, err
	}
	verifier := &contract.Verifier{
		Document: document, Wire: wire, Tenant: tenant, CredentialKind: kind, Simulated: room.simulated != nil,
		Program: "mcp-partner " + buildOf().Version, Now: time.Now,
	}
	if o.partnerID != "" {
		f.settleRecord(ctx, room.house, room.decider, room.service)
		verifier.Writer = &contract.Writer{
			Guard: room.decider, Principal: trusted(caller), PartnerID: o.partnerID, Second: o.secondID, Confirm: f.confirmRun(),
		}
	}
	return verifier, nil
}

// chosen finds tenant and credential as a call would.
func (r *callRoom) chosen(tenant, credential string) (schemas.Tenant, string, error) {
	found, err := directory{r.directory, r.health}.Resolve(tenant, r.decider.Bounds().AllowsTenant)
	if err != nil {
		return schemas.Tenant{}, "", err
	}
	if credential == "" && len(found.Credentials) > 0 {
		credential = found.Credentials[0]
	}
	return found, credential, nil
}

// confirmRun asks whoever sits at the terminal, or is nil.
func (f *Factory) confirmRun() func(context.Context, guard.Question) (guard.Answer, error) {
	person := f.IO.person()
	if !person.Reachable() {
		return nil
	}
	return func(ctx context.Context, question guard.Question) (guard.Answer, error) {
		reply, answer, err := person.Ask(ctx, question, "")
		if err == nil && reply != tools.Answered {
			err = errors.New("the terminal gave no answer")
		}
		return answer, err
	}
}

func (f *Factory) deliverReport(report contract.Report, o *contractVerifyOptions) error {
	switch {
	case o.json && o.output == "":
		return f.IO.printJSON(report)
	case o.json:
		text, err := json.MarshalIndent(report, "", "  ")
		if err != nil {
			return err
		}
		return f.deliver(append(text, '\n'), o.output, o.force)
	default:
		return f.deliver([]byte(report.Markdown()), o.output, o.force)
	}
}
