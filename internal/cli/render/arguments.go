package render

import (
	"encoding/json"
	"fmt"
	"strings"

	"mcp-partner/internal/phrase"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas"
)

func Dashed(name string) string { return strings.ReplaceAll(name, "_", "-") }

// FlagsOf writes arguments as the flags of a call.
func FlagsOf(op schemas.Operation, arguments map[string]any) string {
	var b strings.Builder
	for _, name := range op.InputSchema().PropertyOrder {
		switch value := arguments[name].(type) {
		case nil:
		case bool:
			b.WriteString(" --" + Dashed(name))
		case string:
			b.WriteString(" --" + Dashed(name) + " " + phrase.ShellWord(value))
		case []any:
			b.WriteString(" --" + Dashed(name) + " " + phrase.ShellWord(commaSeparated(value)))
		case []string:
			b.WriteString(" --" + Dashed(name) + " " + phrase.ShellWord(strings.Join(value, ",")))
		default:
			text, _ := json.Marshal(value) // it came out of JSON
			b.WriteString(" --" + Dashed(name) + " " + string(text))
		}
	}
	return b.String()
}

// commaSeparated writes a list as its flag takes it.
func commaSeparated(items []any) string {
	return strings.Join(xslices.Map(items, func(item any) string { return fmt.Sprint(item) }), ",")
}
