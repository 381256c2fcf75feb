package render

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mcp-partner/internal/phrase"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas"
)

func Dashed(name string) string { return strings.ReplaceAll(name, "_", "-") }

// AsFlags words a message about arguments for somebody who types flags. An
// argument is its first word, or one with an underscore, which no English word has.
func AsFlags(text string) string {
	words := strings.Split(text, " ")
	for i, word := range words {
		bare := strings.TrimRight(word, ".,:;")
		name, item, _ := strings.Cut(strings.TrimSuffix(bare, "]"), "[")
		if !isArgument(name) || i > 0 && !strings.Contains(name, "_") {
			continue
		}
		words[i] = "--" + Dashed(name) + word[len(bare):]
		if n, err := strconv.Atoi(item); err == nil {
			words[i] = fmt.Sprintf("Item %d of --%s", n+1, Dashed(name))
		}
	}
	return strings.Join(words, " ")
}

func isArgument(name string) bool {
	return slices.ContainsFunc(schemas.Catalogue(), func(op schemas.Operation) bool {
		return slices.Contains(op.InputSchema().PropertyOrder, name)
	})
}

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
			items := xslices.Map(value, func(item any) string { return fmt.Sprint(item) })
			b.WriteString(" --" + Dashed(name) + " " + phrase.ShellWord(strings.Join(items, ",")))
		case []string:
			b.WriteString(" --" + Dashed(name) + " " + phrase.ShellWord(strings.Join(value, ",")))
		default:
			text, _ := json.Marshal(value) // it came out of JSON
			b.WriteString(" --" + Dashed(name) + " " + string(text))
		}
	}
	return b.String()
}
