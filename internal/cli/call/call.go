// Package call has the commands that find, describe and call tools.
package call

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/approvals"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/render"
	"mcp-partner/internal/config"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/untrusted"
	"mcp-partner/internal/xslices"
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
		Args:  unknownToolArgument,
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
		Args:  cmdutil.Arguments(1, math.MaxInt, "needs the words to look for"),
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

// maxArguments bounds what --args - reads, in bytes.
const maxArguments = 4 << 20

// toolArguments collects the arguments of a call. What is wrong with them is
// for the tool to say, in its own answer, so they are passed on as they came:
// an argument that was given twice appears twice.
type toolArguments struct {
	base  string
	given []toolArgument
}

type toolArgument struct {
	name  string
	value json.RawMessage
}

// add makes a flag of every argument of a tool.
func (a *toolArguments) add(command *cobra.Command, op schemas.Operation) {
	schema := op.InputSchema()
	for _, name := range schema.PropertyOrder {
		property := schema.Properties[name]
		text := property.Description
		for _, required := range schema.Required {
			if required == name {
				text += " (required)"
			}
		}
		flag := command.Flags().VarPF(&ArgumentFlag{into: a, name: name, kind: property.Type}, render.Dashed(name), "", text)
		if len(property.Enum) > 0 {
			config.Choices(command.Flags(), flag.Name, xslices.Map(property.Enum, func(value any) string { return fmt.Sprint(value) })...)
		}
		if property.Type == "boolean" {
			flag.NoOptDefVal = "true"
		}
		if name == "tenants" {
			// It hides the bound of that name, whose variable and key are not for it.
			config.Typed(command.Flags(), flag.Name)
		}
	}
}

// ArgumentFlag is one argument of a tool as a flag.
type ArgumentFlag struct {
	into       *toolArguments
	name, kind string
}

var _ pflag.Value = (*ArgumentFlag)(nil)

// Set implements pflag.Value. A value of the wrong type is passed on as text.
func (f *ArgumentFlag) Set(text string) error {
	if f.kind == "array" {
		return f.add(text)
	}
	value, err := json.Marshal(text)
	if err != nil {
		return err
	}
	if f.fits(text) {
		value = []byte(text)
	}
	f.into.given = append(f.into.given, toolArgument{f.name, value})
	return nil
}

// add adds items separated by commas to a list; a flag that is given twice adds
// up.
func (f *ArgumentFlag) add(text string) error {
	var items cmdutil.List
	for _, a := range f.into.given {
		if a.name == f.name {
			if err := json.Unmarshal(a.value, &items); err != nil {
				return err
			}
		}
	}
	if err := items.Set(text); err != nil {
		return err
	}
	value, err := json.Marshal([]string(items))
	if err != nil {
		return err
	}
	f.into.given = append(slices.DeleteFunc(f.into.given, func(a toolArgument) bool { return a.name == f.name }), toolArgument{f.name, value})
	return nil
}

// fits reports whether the text itself is the JSON value.
func (f *ArgumentFlag) fits(text string) bool {
	switch f.kind {
	case "integer":
		n, err := strconv.Atoi(text)
		return err == nil && strconv.Itoa(n) == text
	case "boolean":
		return text == "true" || text == "false"
	}
	return false
}

// String implements pflag.Value: an argument has no default here.
func (f *ArgumentFlag) String() string { return "" }

// Type implements pflag.Value.
func (f *ArgumentFlag) Type() string {
	return cmp.Or(map[string]string{"integer": "N", "boolean": "bool", "array": config.ListType}[f.kind], "TEXT")
}

// json returns the arguments as one JSON object: those of --args, then those
// of the flags. What only a variable says yields to --args.
func (a *toolArguments) json(in io.Reader, flags *pflag.FlagSet) (json.RawMessage, error) {
	base, err := a.read(in)
	if err != nil || len(a.given) == 0 {
		return base, err
	}
	inner, names, ok := membersOf(base)
	if !ok {
		return base, nil // no object: the tool says what is wrong with it
	}
	var b bytes.Buffer
	b.WriteByte('{')
	b.Write(inner)
	for _, argument := range a.given {
		if names[argument.name] != nil && !config.WasTyped(flags, render.Dashed(argument.name)) {
			continue
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Quote(argument.name) + ":")
		b.Write(argument.value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func (a *toolArguments) read(in io.Reader) (json.RawMessage, error) {
	if a.base != "-" {
		return json.RawMessage(a.base), nil
	}
	text, err := io.ReadAll(io.LimitReader(in, maxArguments+1))
	switch {
	case err != nil:
		return nil, exit.Usage("give the arguments with --args JSON", "standard input cannot be read")
	case len(bytes.TrimSpace(text)) == 0:
		return nil, exit.Usage("pipe them in as one JSON object, {} for none", "--args - was given, and standard input is empty")
	case len(text) > maxArguments:
		return nil, exit.Usage("a tool's arguments have a few hundred bytes", "standard input holds more than %d bytes", maxArguments)
	}
	return text, nil
}

// membersOf returns what stands between the braces of a JSON object, and the
// names in it; nothing and null count as the empty object, as they do for the
// tool.
func membersOf(base json.RawMessage) (inner []byte, names map[string]json.RawMessage, ok bool) {
	text := bytes.TrimSpace(base)
	if len(text) == 0 || bytes.Equal(text, []byte("null")) {
		return nil, nil, true
	}
	if text[0] != '{' || json.Unmarshal(text, &names) != nil {
		return nil, nil, false
	}
	return bytes.TrimSpace(text[1 : len(text)-1]), names, true
}
