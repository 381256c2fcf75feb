// Package contractverify is the command of cmd/contract-verify, which compares
// the provider with its published contract. It is no part of mcp-partner: the
// comparison needs a JSON Schema library, and only who develops needs it.
package contractverify

import (
	"cmp"
	"context"
	"errors"
	"io"
	"time"

	"github.com/spf13/cobra"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/render"
	"mcp-partner/internal/config"
	"mcp-partner/internal/contract"
	"mcp-partner/internal/exit"
	"mcp-partner/schemas"
	"mcp-partner/schemas/partnerid"
	"mcp-partner/schemas/problems"
)

type verifyOptions struct {
	tenant, credential  string
	partnerID, secondID partnerid.ID
	yes                 bool
	guard               cmdutil.GuardFlags
	simulate            cmdutil.SimulateFlags
}

// NewCmd builds the one command of contract-verify.
func NewCmd(deps *cmdutil.Deps) *cobra.Command {
	options := &verifyOptions{}
	command := &cobra.Command{
		Use:   "contract-verify",
		Short: "Compare the provider's answers with its contract",
		Long: `Ask the provider as one identity in one tenant, and compare its answers with the
contract that mcp-partner openapi prints. The report is Markdown that can be pasted
into an issue: it names no tenant, identity or partner, and holds no token.

Without more it reads only: the operations, the own link, an ID that is not linked,
something that is no ID, and the subscriptions and roles of this identity. With --with-partner-id and --yes it makes a link, moves it
and removes it again, in a tenant that is meant for tests: it refuses where this
identity has a link. These writes go through policy and record like any others:
they need --allow-writes or rules, and where a person is to be asked, the whole run
is confirmed once at this terminal. An approver elsewhere cannot be waited for.

Exit codes: 0 the provider keeps the contract, 1 it does not or could not be asked,
2 usage, 3 refused.`,
		Example: `  go run ./cmd/contract-verify --tenant contoso
  go run ./cmd/contract-verify --tenant test --with-partner-id 1234567 --yes --allow-writes --approval requester
  go run ./cmd/contract-verify --tenant contoso --simulate`,
		RunE: func(command *cobra.Command, _ []string) error {
			if err := options.check(); err != nil {
				return err
			}
			return runVerify(command.Context(), deps, options)
		},
	}
	flags := command.Flags()
	flags.StringVar(&options.tenant, "tenant", "", "`TENANT` to ask in: a name, domain or GUID of the directory")
	flags.StringVar(&options.credential, "credential", "", "`NAME` of a credential of that tenant (default: the tenant's own)")
	flags.StringVar((*string)(&options.partnerID), "with-partner-id", "", "make a link to this partner `ID` and remove it again; needs --yes")
	flags.StringVar((*string)(&options.secondID), "second-partner-id", "", "another partner `ID` of yours, to which the link is moved in between")
	flags.BoolVar(&options.yes, "yes", false, "say that the tenant is meant for tests; it confirms no write")
	config.Typed(flags, "yes", "with-partner-id", "second-partner-id")
	deps.AddKeyFlags(flags)
	options.guard.Add(flags)
	options.simulate.Add(flags)
	return command
}

func (o *verifyOptions) check() error {
	switch {
	case o.partnerID == "" && (o.yes || o.secondID != ""):
		return exit.Usage("give --with-partner-id ID as well, or leave both out to read only", "--yes and --second-partner-id go with --with-partner-id")
	case o.partnerID == "":
		return nil
	case !o.yes:
		return exit.Usage("add --yes if that tenant is meant for tests", "--with-partner-id makes a link and removes it again")
	case o.partnerID == o.secondID:
		return exit.Usage("give another partner ID of yours, or leave it out", "--second-partner-id is the same as --with-partner-id")
	}
	return exit.AsUsage(partnerid.Check("partner_id", o.partnerID, cmp.Or(o.secondID, o.partnerID)))
}

func runVerify(ctx context.Context, deps *cmdutil.Deps, o *verifyOptions) error {
	session, err := deps.StartSession(ctx, &cmdutil.SessionFlags{Guard: o.guard, Simulate: o.simulate})
	if err != nil {
		return err
	}
	defer session.Close()
	verifier, err := contractVerifier(ctx, deps, session, o)
	if err != nil {
		return err
	}
	report, err := verifier.Verify(ctx)
	if problem, ok := errors.AsType[*problems.Problem](err); ok {
		worded := render.AdaptProblem(*problem)
		return &worded
	}
	if err != nil {
		return err
	}
	if _, err := io.WriteString(deps.IO.Out, report.Markdown()); err != nil {
		return err
	}
	if !report.Agreed() {
		return exit.Silent(exit.CodeFailed)
	}
	return nil
}

func contractVerifier(ctx context.Context, deps *cmdutil.Deps, session *app.Session, o *verifyOptions) (*contract.Verifier, error) {
	document, err := contract.Load()
	if err != nil {
		return nil, err
	}
	tenant, credential, err := chosen(session, o.tenant, o.credential)
	if err != nil {
		return nil, err
	}
	op, _ := schemas.Lookup(schemas.ToolCheckPartnerLink)
	if _, err := session.Guard.Admit(ctx, access.Subject{Operation: op, By: app.Trusted(app.TerminalCaller), Tenant: tenant}); err != nil {
		return nil, err
	}
	source, arm, kind, err := session.Clients.ARM(tenant.Name, credential)
	if err != nil {
		return nil, err
	}
	wire, err := contract.Dial(source, arm)
	if err != nil {
		return nil, err
	}
	verifier := &contract.Verifier{
		Document: document, Wire: wire, Tenant: tenant, CredentialKind: string(kind), Simulated: session.Simulated != nil,
		Program: "mcp-partner " + app.BuildInfo().Version, Now: time.Now,
	}
	if o.partnerID != "" {
		deps.SettleRecord(ctx, session.App, session.Guard, session.Service)
		verifier.Writer = &contract.Writer{
			Guard: session.Guard, Principal: app.Trusted(app.TerminalCaller), PartnerID: o.partnerID, Second: o.secondID, Confirm: confirmRun(deps),
		}
	}
	return verifier, nil
}

// chosen finds tenant and credential as a call would.
func chosen(s *app.Session, tenant, credential string) (schemas.Tenant, string, error) {
	found, err := app.Directory{Directory: s.Directory, Health: s.Health}.Resolve(tenant, s.Guard.Confine(app.Trusted(app.TerminalCaller)).Grant.Sees())
	if err != nil {
		return schemas.Tenant{}, "", err
	}
	if credential == "" && len(found.Credentials) > 0 {
		credential = found.Credentials[0]
	}
	return found, credential, nil
}

// confirmRun asks the person at the terminal; it is nil without one.
func confirmRun(deps *cmdutil.Deps) func(context.Context, guard.Question) (guard.Answer, error) {
	person := cmdutil.Confirmer(deps.IO)
	if !person.Reachable() {
		return nil
	}
	return func(ctx context.Context, question guard.Question) (guard.Answer, error) {
		return person.Ask(ctx, question, "")
	}
}
