// Package call has the commands that find, describe and call tools.
package call

import (
	"context"
	"encoding/json"
	"math"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/approvals"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/render"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/tools"
)

type callOptions struct {
	tool      string
	flags     *pflag.FlagSet
	arguments toolArguments
	json      bool
	plan      bool
	cmdutil.SessionFlags
}

// NewCmdCall builds `call` with one subcommand a tool, whose flags are the tool's
// arguments.
func NewCmdCall(deps *cmdutil.Deps) *cobra.Command {
	options := &callOptions{}
	command := &cobra.Command{
		Use:   "call TOOL",
		Short: "Call a tool as an agent would",
		Long: `Call a tool through the same checks as an agent's call. The flags are the tool's
arguments; --args takes them as one JSON object, or from standard input with -.

A write needs --allow-writes or a policy in config.yaml. On a terminal the command
asks you to confirm it, as an MCP client would. Without a terminal the call ends with
approval_required. If the policy requires an approver, an approver at this terminal
can approve at once.

Exit codes: 0 done or unchanged, 1 failed, 2 usage, 3 refused,
4 approval required.`,
		Example: `  mcp-partner call check_partner_link --tenant contoso
  mcp-partner call check_partner_link --tenant contoso --json
  mcp-partner call register_partner --tenant contoso --partner-id 1234567 --plan
  mcp-partner call register_partner --tenant contoso --partner-id 1234567 --allow-writes
  echo '{"tenant":"contoso"}' | mcp-partner call check_partner_link --args -
  mcp-partner call check_partner_link --tenant contoso --simulate`,
		Args: unknownToolArgument,
		RunE: func(*cobra.Command, []string) error {
			return exit.Usage("mcp-partner tools, or mcp-partner find 'what you want'", "call needs the name of a tool")
		},
	}
	flags := command.PersistentFlags()
	flags.StringVar(&options.arguments.base, "args", "", "all arguments as one `JSON` object; - reads it from standard input")
	flags.BoolVar(&options.json, "json", false, "print the answer as JSON and nothing else")
	flags.BoolVar(&options.plan, "plan", false, "show the planned requests and write nothing")
	deps.AddKeyFlags(flags)
	options.Guard.Add(flags)
	options.Simulate.Add(flags)
	options.Fleet.Add(flags)
	for _, op := range schemas.Catalogue() {
		command.AddCommand(newCmdCallTool(deps, op, options))
	}
	return command
}

func newCmdCallTool(deps *cmdutil.Deps, op schemas.Operation, options *callOptions) *cobra.Command {
	command := &cobra.Command{
		Use:     op.Name,
		Short:   op.Title + " (" + string(op.Effect) + ")",
		Long:    op.Description(),
		Example: callExample(op),
		RunE: func(command *cobra.Command, _ []string) error {
			options.tool, options.flags = op.Name, command.Flags()
			if command.LocalNonPersistentFlags().Lookup("tenants") != nil {
				var err error
				if options.Guard.Tenants, err = deps.StandingTenants(); err != nil {
					return err
				}
			}
			return runCall(command.Context(), deps, options)
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
	if near := schemas.Nearest(args[0], cmdutil.ToolNames(nil)); near != "" {
		return exit.Usage("mcp-partner tools", "there is no tool %q: did you mean %s?", untrusted.Sanitize(args[0]), near)
	}
	return exit.Usage("mcp-partner tools, or mcp-partner find 'what you want'", "there is no tool %q", untrusted.Sanitize(args[0]))
}

func callExample(op schemas.Operation) string {
	if len(op.Examples) == 0 {
		return ""
	}
	var arguments map[string]any
	if json.Unmarshal(op.Examples[0].Arguments, &arguments) != nil {
		return ""
	}
	return "  # " + op.Examples[0].Says + "\n  mcp-partner call " + op.Name + render.FlagsOf(op, arguments)
}

func runCall(ctx context.Context, deps *cmdutil.Deps, o *callOptions) error {
	arguments, err := o.arguments.json(deps.IO.In, o.flags)
	if err != nil {
		return err
	}
	session, err := deps.StartSession(ctx, &o.SessionFlags)
	if err != nil {
		return err
	}
	defer session.Close()
	op, _ := schemas.Lookup(o.tool)
	deps.Unlock(ctx, session.App, o.tool)
	if op.Effect.Writes() && !o.plan {
		deps.SettleRecord(ctx, session.App, session.Guard, session.Service)
	}
	call := tools.Call{Tool: o.tool, Arguments: arguments, Principal: app.Trusted(app.TerminalCaller), Confirmer: cmdutil.Confirmer(deps.IO), PlanOnly: o.plan, Patient: true}
	envelope := session.Service.Call(ctx, call).Envelope
	if op.Effect.Writes() && !o.plan {
		deps.IO.ChangeMade()
	}
	if err := render.Show(deps.IO, render.AdaptHints(envelope), o.json); err != nil {
		return err
	}
	if !o.json && envelope.Status == answers.StatusApprovalRequired {
		return approvals.Offer(ctx, deps, session, call, envelope)
	}
	return exit.Silent(exit.CodeOf(envelope.Status))
}

// NewCmdCheck builds `check`, the call of check_partner_link that people type
// first.
func NewCmdCheck(deps *cmdutil.Deps) *cobra.Command {
	options := &callOptions{tool: schemas.ToolCheckPartnerLink}
	command := &cobra.Command{
		Use:               "check TENANT",
		Short:             "Check which partner ID is linked in a tenant",
		Long:              "Check which partner ID is linked in a tenant. Short for\nmcp-partner call check_partner_link --tenant TENANT.",
		Example:           "  mcp-partner check contoso\n  mcp-partner check contoso --json",
		Args:              cmdutil.OneArgument("the tenant's name, domain or ID"),
		ValidArgsFunction: cmdutil.CompleteFirst(deps.TenantNames),
		RunE: func(command *cobra.Command, args []string) error {
			options.give("tenant", args[0])
			return runCall(command.Context(), deps, options)
		},
	}
	flags := command.Flags()
	flags.BoolVar(&options.json, "json", false, "print the answer as JSON and nothing else")
	deps.AddKeyFlags(flags)
	options.Guard.AddBounds(flags)
	options.Simulate.Add(flags)
	return command
}

// NewCmdFind builds `find`, the call of find_partner_tool.
func NewCmdFind(deps *cmdutil.Deps) *cobra.Command {
	options := &callOptions{tool: schemas.ToolFindPartnerTool}
	limit := 0
	command := &cobra.Command{
		Use:   "find QUERY...",
		Short: "Find the tool for a request in your own words",
		Long: `Find the tool for a request in your own words, in any of eleven languages. Nothing
runs. The command needs no vault and works with an empty directory.`,
		Example: `  mcp-partner find "is our partner link in place at Contoso?"
  mcp-partner find Partner-ID bei Fabrikam hinterlegen --json`,
		Args: cmdutil.Arguments(1, math.MaxInt, "needs the words to look for"),
		RunE: func(command *cobra.Command, args []string) error {
			options.give("query", strings.Join(args, " "))
			if limit != 0 {
				options.give("limit", limit)
			}
			return runCall(command.Context(), deps, options)
		},
	}
	flags := command.Flags()
	flags.IntVar(&limit, "limit", 0, "at most this many `MATCHES`, 1 to 12 (default 3)")
	flags.BoolVar(&options.json, "json", false, "print the answer as JSON and nothing else")
	options.Simulate.Add(flags)
	return command
}

// give adds an argument that the command line of a command of its own names.
func (o *callOptions) give(name string, value any) {
	text, _ := json.Marshal(value) // a text or a number: it cannot fail
	o.arguments.given = append(o.arguments.given, toolArgument{name, text})
}
