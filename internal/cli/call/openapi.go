package call

import (
	"bytes"
	"context"
	"errors"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/config"
	"mcp-partner/internal/exit"
	"mcp-partner/schemas"
)

type openAPIOptions struct {
	format string
	output string
	force  bool
}

// The forms of the document.
const (
	formatJSON = "json"
	formatYAML = "yaml"
)

// NewCmdOpenAPI builds `openapi`.
func NewCmdOpenAPI(deps *cmdutil.Deps) *cobra.Command {
	options := &openAPIOptions{}
	command := &cobra.Command{
		Use:   "openapi",
		Short: "Print the provider's wire contract as OpenAPI 3.1",
		Long: `Print the wire contract of Microsoft.ManagementPartner's six operations, and of the
four calls that read roles, as OpenAPI 3.1: the meaning of each answer, both error
formats, tenant and identity, throttling. MCP clients read it at partner://openapi,
HTTP clients at /openapi.json. No state directory is needed.`,
		Example: "  mcp-partner openapi\n  mcp-partner openapi --format yaml --output managementpartner.yaml",
		RunE: func(command *cobra.Command, _ []string) error {
			if options.format != formatJSON && options.format != formatYAML {
				return exit.Usage("give json or yaml", "there is no format %q", options.format)
			}
			return runOpenAPI(command.Context(), deps, options)
		},
	}
	flags := command.Flags()
	flags.StringVar(&options.format, "format", formatJSON, "`FORMAT` of the document")
	config.Choices(flags, "format", "json", "yaml")
	flags.StringVar(&options.output, "output", "", "write to this `FILE` instead of standard output")
	flags.BoolVar(&options.force, "force", false, "let --output replace an existing file")
	return command
}

func runOpenAPI(_ context.Context, deps *cmdutil.Deps, o *openAPIOptions) error {
	text := schemas.OpenAPI()
	if o.format == formatYAML {
		var err error
		if text, err = yamlOf(text); err != nil {
			return err
		}
	}
	return Deliver(deps, text, o.output, o.force)
}

// Deliver writes a whole document to a file, or as it is to standard output.
func Deliver(deps *cmdutil.Deps, text []byte, path string, force bool) error {
	if path != "" {
		return cmdutil.WriteOutput(path, text, force)
	}
	_, err := deps.IO.Out.Write(text)
	return err
}

// yamlOf writes a JSON document as YAML with its members in the same order:
// JSON is YAML, so that only the style has to change.
func yamlOf(document []byte) ([]byte, error) {
	var node yaml.Node
	if err := yaml.Unmarshal(document, &node); err != nil {
		return nil, err
	}
	unfold(&node)
	var b bytes.Buffer
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	err := encoder.Encode(&node)
	return b.Bytes(), errors.Join(err, encoder.Close())
}

// unfold takes braces and quotes away where YAML does without; the encoder
// keeps the quotes that a text needs.
func unfold(node *yaml.Node) {
	node.Style = 0
	for _, child := range node.Content {
		unfold(child)
	}
}
