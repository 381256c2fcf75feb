package call

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/spf13/cobra"

	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/render"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas"
	"mcp-partner/tools"
)

type toolsOptions struct {
	json   bool
	format string
}

// The forms in which frameworks take tools.
const (
	formatMCP       = "mcp"
	formatOpenAI    = "openai"
	formatAnthropic = "anthropic"
	formatMarkdown  = "markdown"
)

// NewCmdTools builds `tools`.
func NewCmdTools(deps *cmdutil.Deps) *cobra.Command {
	options := &toolsOptions{}
	command := &cobra.Command{
		Use:   "tools",
		Short: "List the tools, also for frameworks without MCP",
		RunE: func(command *cobra.Command, _ []string) error {
			if options.json && options.format != "" && options.format != formatMCP {
				return exit.Usage(cmdutil.Help(command), "--json is --format mcp, and another --format was given")
			}
			return runTools(deps, options)
		},
	}
	flags := command.Flags()
	flags.BoolVar(&options.json, "json", false, "print the tools/list result, like --format mcp")
	cmdutil.AddChoice(flags, &options.format, "format", "`FORMAT` of the list instead of a table",
		"", formatMCP, formatOpenAI, formatAnthropic, formatMarkdown)
	return command
}

func runTools(deps *cmdutil.Deps, o *toolsOptions) error {
	switch {
	case o.json || o.format == formatMCP:
		return deps.IO.PrintJSON(tools.List())
	case o.format == formatOpenAI:
		return printTools(deps, openAITool)
	case o.format == formatAnthropic:
		return printTools(deps, anthropicTool)
	case o.format == formatMarkdown:
		_, err := deps.IO.Out.Write([]byte(toolsMarkdown(schemas.Catalogue())))
		return err
	default:
		u := deps.IO.UI()
		render.WriteTools(u, schemas.Catalogue())
		return u.Err
	}
}

func printTools(deps *cmdutil.Deps, form func(schemas.Operation) any) error {
	return deps.IO.PrintJSON(xslices.Map(schemas.Catalogue(), func(op schemas.Operation) any { return form(op) }))
}

// function is what both forms say of a tool; the member that holds the schema
// is named differently.
type function struct {
	Name        string         `json:"name"`
	Description string         `json:"description"`
	Parameters  json.Marshaler `json:"parameters,omitempty"`
	InputSchema json.Marshaler `json:"input_schema,omitempty"`
}

// openAITool is an element of "tools" in the Chat Completions API.
func openAITool(op schemas.Operation) any {
	return struct {
		Type     string   `json:"type"`
		Function function `json:"function"`
	}{"function", function{Name: op.Name, Description: op.Description(), Parameters: op.InputSchema()}}
}

// anthropicTool is an element of "tools" in the Messages API.
func anthropicTool(op schemas.Operation) any {
	return function{Name: op.Name, Description: op.Description(), InputSchema: op.InputSchema()}
}

// toolsMarkdown describes the tools for a prompt: what each is for and which
// arguments it takes, with one call as an example.
func toolsMarkdown(operations []schemas.Operation) string {
	var b strings.Builder
	b.WriteString("# Tools for Partner Admin Link\n")
	for _, op := range operations {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\nEffect: %s.\n", op.Name, op.Description(), op.Effect)
		b.WriteString(argumentLines(op.InputSchema()))
		if len(op.Examples) > 0 {
			fmt.Fprintf(&b, "\nFor \"%s\": `%s`\n", op.Examples[0].Says, op.Examples[0].Arguments)
		}
	}
	return b.String()
}

func argumentLines(schema *jsonschema.Schema) string {
	var b strings.Builder
	for _, name := range schema.PropertyOrder {
		property := schema.Properties[name]
		required := ""
		if slices.Contains(schema.Required, name) {
			required = ", required"
		}
		fmt.Fprintf(&b, "- `%s` (%s%s): %s\n", name, kindOf(property), required, property.Description)
	}
	if b.Len() == 0 {
		return ""
	}
	return "\n" + b.String()
}

// kindOf names the type of an argument, with its form where there is one.
func kindOf(s *jsonschema.Schema) string {
	switch {
	case s.Type == "array" && s.Items != nil:
		return "list of " + kindOf(s.Items)
	case len(s.Enum) > 0:
		text, _ := json.Marshal(s.Enum) // of the catalogue's own words
		return "one of " + string(text)
	case s.Pattern != "":
		return s.Type + " like " + s.Pattern
	default:
		return s.Type
	}
}

// NewCmdOpenAPI builds `openapi`.
func NewCmdOpenAPI(deps *cmdutil.Deps) *cobra.Command {
	var output cmdutil.OutputFlags
	command := &cobra.Command{
		Use:   "openapi",
		Short: "Print the provider's wire contract as OpenAPI 3.1",
		RunE: func(*cobra.Command, []string) error {
			return output.Write(deps.IO, cmdutil.Whole(schemas.OpenAPI()))
		},
	}
	output.Add(command.Flags(), "write to this `FILE` instead of standard output")
	return command
}
