package cli

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mcp-partner/guard"
	"mcp-partner/schemas"
	"mcp-partner/tenants"
	"mcp-partner/tools"
)

// caller is who calls from this command line, for the record.
const caller = "terminal"

// callOptions are one call of a tool.
type callOptions struct {
	tool      string
	flags     *pflag.FlagSet
	arguments toolArguments
	json      bool
	plan      bool
	sessionOptions
}

// sessionOptions say in which directory a call is made, and what may be done
// there.
type sessionOptions struct {
	keys     keyOptions
	guard    guardOptions
	simulate simulateOptions
	fleet    fleetOptions
}

// newCall builds `call` with one subcommand a tool, whose flags are the tool's
// arguments.
func newCall(f *Factory) *cobra.Command {
	options := &callOptions{}
	command := &cobra.Command{
		Use:   "call TOOL",
		Short: "Call a tool as an agent would",
		Long: `Call a tool through the same checks as an agent's call. The flags are the tool's
arguments; --args takes them as one JSON object, or from standard input with -.

A write needs --allow-writes, or a policy in config.yaml. On a terminal you are
asked to confirm it there, as an MCP client would ask; without one (neither
standard input nor standard error is a terminal) the call ends with
approval_required. Where the policy wants an approver, an approver who sits at this
terminal can approve at once.

Exit codes: 0 done or unchanged, 1 failed, 2 wrong usage, 3 refused,
4 approval required.`,
		Example: `  mcp-partner call check_partner_link --tenant contoso
  mcp-partner call check_partner_link --tenant contoso --json
  mcp-partner call register_partner --tenant contoso --partner-id 1234567 --plan
  mcp-partner call register_partner --tenant contoso --partner-id 1234567 --allow-writes
  echo '{"tenant":"contoso"}' | mcp-partner call check_partner_link --args -
  mcp-partner call check_partner_link --tenant contoso --simulate`,
		Args: unknownToolArgument,
		RunE: missingTool,
	}
	flags := command.PersistentFlags()
	flags.StringVar(&options.arguments.base, "args", "", "all arguments as one `JSON` object; - reads it from standard input")
	flags.BoolVar(&options.json, "json", false, "print the answer as JSON and nothing else")
	flags.BoolVar(&options.plan, "plan", false, "show which requests would be made, and write nothing")
	options.keys.add(flags)
	options.guard.add(flags)
	options.simulate.add(flags)
	options.fleet.add(flags)
	for _, op := range schemas.Catalogue() {
		command.AddCommand(newCallTool(f, op, options))
	}
	return command
}

func newCallTool(f *Factory, op schemas.Operation, options *callOptions) *cobra.Command {
	command := &cobra.Command{
		Use:     op.Name,
		Short:   op.Title + " (" + string(op.Effect) + ")",
		Long:    op.Description(),
		Example: callExample(op),
		Args:    noArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			options.tool, options.flags = op.Name, command.Flags()
			if err := errors.Join(options.simulate.check(command.Flags()), options.fleet.apply(f)); err != nil {
				return err
			}
			if command.LocalNonPersistentFlags().Lookup("tenants") != nil {
				var err error
				if options.guard.tenants, err = f.standingTenants(); err != nil {
					return err
				}
			}
			return runCall(command.Context(), f, options)
		},
	}
	options.arguments.add(command, op)
	return command
}

// unknownToolArgument is reached when the word after `call` is no tool.
func unknownToolArgument(command *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, op := range schemas.Catalogue() {
		names = append(names, op.Name)
	}
	if near := schemas.Nearest(args[0], names); near != "" {
		return usage("mcp-partner tools", "there is no tool %q: did you mean %s?", schemas.Foreign(args[0]), near)
	}
	return usage("mcp-partner tools, or mcp-partner find 'what you want'", "there is no tool %q", schemas.Foreign(args[0]))
}

func missingTool(*cobra.Command, []string) error {
	return usage("mcp-partner tools, or mcp-partner find 'what you want'", "call needs the name of a tool")
}

// worded words the next step for whoever types a call: what the answer to an
// agent says about a server and a tenant in general, they can do right here.
func worded(e schemas.Envelope) schemas.Envelope {
	if e.Problem == nil {
		return e
	}
	problem := atHand(*e.Problem)
	if problem.Code == schemas.CodeWritesDisabled {
		e.Summary = problem.Message
	}
	if e.Problem = &problem; e.Identity != nil {
		e.Problem = problem.For(e.Identity.Tenant)
	}
	return e
}

// atHand words a refusal of writes for somebody who can add the flag.
func atHand(problem schemas.Problem) schemas.Problem {
	if problem.Code == schemas.CodeWritesDisabled {
		problem.Message = "Writes are off without --allow-writes."
		problem.Hint = "Add --allow-writes. A person is asked before the write."
	}
	return problem
}

func callExample(op schemas.Operation) string {
	if len(op.Examples) == 0 {
		return ""
	}
	var arguments map[string]any
	if json.Unmarshal(op.Examples[0].Arguments, &arguments) != nil {
		return ""
	}
	return "  # " + op.Examples[0].Says + "\n  mcp-partner call " + op.Name + flagsOf(op, arguments)
}

func runCall(ctx context.Context, f *Factory, o *callOptions) error {
	arguments, err := o.arguments.json(f.IO.In, o.flags)
	if err != nil {
		return err
	}
	room, err := f.openCall(ctx, &o.sessionOptions)
	if err != nil {
		return err
	}
	defer room.Close()
	op, _ := schemas.Lookup(o.tool)
	f.unlock(ctx, room.house, op)
	if op.Effect.Writes() && !o.plan {
		f.settleRecord(ctx, room.house, room.decider, room.service)
	}
	call := tools.Call{Tool: o.tool, Arguments: arguments, Principal: trusted(caller), Confirmer: f.IO.person(), PlanOnly: o.plan, Patient: true}
	envelope := room.service.Call(ctx, call).Envelope
	if err := f.IO.show(worded(envelope), o.json); err != nil {
		return err
	}
	if !o.json && envelope.Status == schemas.StatusApprovalRequired {
		return f.offer(ctx, room, call, envelope)
	}
	return silent(statusExit(envelope.Status))
}

// unlock opens a vault that a person has to open before anything has a
// deadline: typing a passphrase may take longer than a plan. What goes wrong is
// said by the call itself, in its own answer.
func (f *Factory) unlock(ctx context.Context, h *house, op schemas.Operation) {
	if h.keepsRecord() && f.IO.attended() && (op.Effect.Writes() || h.needsSecret(op)) {
		_ = h.open(ctx)
	}
}

// needsSecret reports whether a tool signs in, perhaps with a stored secret.
func (h *house) needsSecret(op schemas.Operation) bool {
	configs, err := h.directory.Credentials()
	stored := func(config tenants.CredentialConfig) bool { return config.Kind.Stored() }
	return err == nil && op.InputSchema().Properties["tenant"] != nil && slices.ContainsFunc(configs, stored)
}

// call makes one call with a house of its own, for tools that never ask.
func (f *Factory) call(ctx context.Context, o *sessionOptions, tool string, arguments json.RawMessage) (schemas.Envelope, error) {
	room, err := f.openCall(ctx, o)
	if err != nil {
		return schemas.Envelope{}, err
	}
	defer room.Close()
	return room.service.Call(ctx, tools.Call{Tool: tool, Arguments: arguments, Principal: trusted(caller), Confirmer: tools.NoConfirmer{}}).Envelope, nil
}

// callRoom is a house with what answers calls in it.
type callRoom struct {
	*house
	decider *guard.Guard
	service *tools.Service
}

func (f *Factory) openCall(ctx context.Context, o *sessionOptions) (*callRoom, error) {
	simulated, err := o.simulate.start(ctx)
	if err != nil {
		return nil, err
	}
	h, err := f.openHouse(o.keys, simulated)
	if err != nil {
		return nil, err
	}
	return f.room(h, o.guard.rules())
}

// room puts guard and service into a house, which it closes if it cannot.
func (s *Settings) room(h *house, rules guard.Options) (*callRoom, error) {
	decider, err := h.guard(rules)
	if err != nil {
		h.Close()
		return nil, err
	}
	return &callRoom{h, decider, h.service(decider)}, nil
}

// offer lets an approver who sits at this terminal approve at once.
func (f *Factory) offer(ctx context.Context, room *callRoom, call tools.Call, envelope schemas.Envelope) error {
	waiting := silent(ExitApprovalRequired)
	approvers, err := room.decider.Approvers(ctx)
	if err != nil || len(approvers) == 0 || !f.IO.attended() || envelope.Approval == nil {
		return waiting
	}
	name, err := f.IO.askLine(ctx, "Approver who approves it right here (empty: not now): ")
	if err != nil || name == "" {
		return waiting
	}
	if err := f.approve(ctx, room.decider, envelope.Approval.ID, name); err != nil {
		return err
	}
	if call.Arguments, err = withApproval(call.Arguments, envelope.Approval.ID); err != nil {
		return err
	}
	return f.execute(ctx, room, call, false)
}

// withApproval adds the ID of an approval to the arguments of a call.
func withApproval(arguments json.RawMessage, id string) (json.RawMessage, error) {
	values := map[string]json.RawMessage{}
	if err := json.Unmarshal(arguments, &values); err != nil {
		return nil, err
	}
	text, err := json.Marshal(id)
	if err != nil {
		return nil, err
	}
	values["approval_id"] = text
	return json.Marshal(values)
}

// execute makes a call that was approved, and shows how it ended.
func (f *Factory) execute(ctx context.Context, room *callRoom, call tools.Call, asJSON bool) error {
	envelope := room.service.Call(ctx, call).Envelope
	if err := f.IO.show(envelope, asJSON); err != nil {
		return err
	}
	return silent(statusExit(envelope.Status))
}
