package cli

import (
	"context"
	"encoding/json"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mcp-partner/schemas"
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
	keys      keyOptions
	guard     guardOptions
	simulate  simulateOptions
}

// newCall builds `call` with one subcommand a tool, whose flags are the tool's
// arguments.
func newCall(f *Factory, run func(context.Context, *Factory, *callOptions) error) *cobra.Command {
	options := &callOptions{}
	command := &cobra.Command{
		Use:   "call TOOL",
		Short: "Call a tool as an agent would",
		Long: `Call a tool through the same checks as an agent's call. The flags are the tool's
arguments; --args takes them as one JSON object, or from standard input with -.

A write needs --allow-writes. On a terminal you are asked to confirm it there, as
an MCP client would ask; without one (neither standard input nor standard error is
a terminal) the call ends with approval_required.

Exit codes: 0 done or unchanged, 1 failed, 3 refused, 4 approval required.`,
		Example: `  mcp-partner call check_partner_link --tenant contoso
  mcp-partner call check_partner_link --tenant contoso --json
  mcp-partner call register_partner --tenant contoso --partner-id 1234567 --plan
  mcp-partner call register_partner --tenant contoso --partner-id 1234567 --allow-writes
  echo '{"tenant":"contoso"}' | mcp-partner call check_partner_link --args -
  mcp-partner call check_partner_link --tenant contoso --simulate`,
		Args: unknownToolArgument,
		RunE: showHelp,
	}
	flags := command.PersistentFlags()
	flags.StringVar(&options.arguments.base, "args", "", "all arguments as one `JSON` object; - reads it from standard input")
	flags.BoolVar(&options.json, "json", false, "print the answer as JSON and nothing else")
	flags.BoolVar(&options.plan, "plan", false, "show which requests would be made, and write nothing")
	options.keys.add(flags)
	options.guard.add(flags)
	options.simulate.add(flags)
	for _, op := range schemas.Catalogue() {
		command.AddCommand(newCallTool(f, op, options, run))
	}
	return command
}

func newCallTool(f *Factory, op schemas.Operation, options *callOptions, run func(context.Context, *Factory, *callOptions) error) *cobra.Command {
	command := &cobra.Command{
		Use:     op.Name,
		Short:   op.Title + " (" + string(op.Effect) + ")",
		Long:    op.Description(),
		Example: callExample(op),
		Args:    noArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			options.tool, options.flags = op.Name, command.Flags()
			if err := options.simulate.check(command.Flags()); err != nil {
				return err
			}
			return run(command.Context(), f, options)
		},
	}
	options.arguments.add(command, op)
	f.completeArguments(command, op)
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
	envelope, err := f.call(ctx, o, arguments)
	if err != nil {
		return err
	}
	if err := f.show(envelope, o.json); err != nil {
		return err
	}
	return silent(statusExit(envelope.Status))
}

// call makes one call with a house of its own.
func (f *Factory) call(ctx context.Context, o *callOptions, arguments json.RawMessage) (schemas.Envelope, error) {
	simulated, err := o.simulate.start(ctx)
	if err != nil {
		return schemas.Envelope{}, err
	}
	h, err := f.openHouse(o.keys, simulated)
	if err != nil {
		return schemas.Envelope{}, err
	}
	defer h.Close()
	service, err := h.service(f, o.guard.rules())
	if err != nil {
		return schemas.Envelope{}, err
	}
	result := service.Call(ctx, tools.Call{
		Tool: o.tool, Arguments: arguments, Caller: caller, Person: f.person(), PlanOnly: o.plan,
	})
	return result.Envelope, nil
}
