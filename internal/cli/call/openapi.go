package call

import (
	"bytes"
	"context"
	"errors"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/schemas"
)

type openAPIOptions struct {
	format string
	output cmdutil.OutputFlags
}

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
			return runOpenAPI(command.Context(), deps, options)
		},
	}
	flags := command.Flags()
	cmdutil.AddChoice(flags, &options.format, "format", "`FORMAT` of the document", "json", "yaml")
	options.output.Add(flags, "write to this `FILE` instead of standard output")
	return command
}

func runOpenAPI(_ context.Context, deps *cmdutil.Deps, o *openAPIOptions) error {
	text := schemas.OpenAPI()
	if o.format == "yaml" {
		var err error
		if text, err = yamlOf(text); err != nil {
			return err
		}
	}
	return o.output.Write(deps.IO, cmdutil.Whole(text))
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
