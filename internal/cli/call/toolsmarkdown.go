package call

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"mcp-partner/schemas"
)

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
