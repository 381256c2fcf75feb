package server

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"

	"mcp-partner/internal/strictjson"
)

// checkParams looks at the parameters that mcp-go takes in any form, or whose
// refusal it would word as a dump of Go types.
func checkParams(m *message) *rpcError {
	f := checkMembers(m)
	if f == nil {
		f = checkValues(m)
	}
	if f != nil {
		f.id = m.id
	}
	return f
}

func checkValues(m *message) *rpcError {
	var f *rpcError
	switch mcp.MCPMethod(m.method) {
	case mcp.MethodToolsCall:
		f = checkToolCall(m.params)
	case mcp.MethodPromptsGet:
		f = checkPromptGet(m.params)
	case mcp.MethodResourcesRead:
		_, f = requireString(objectOf(m.params), "params.uri", "the URI of a resource from resources/list")
	case mcp.MethodCompletionComplete:
		f = checkCompletion(m.params)
	}
	return f
}

func objectOf(raw json.RawMessage) map[string]json.RawMessage {
	if !isObject(raw) {
		return nil
	}
	members := make(map[string]json.RawMessage, 4)
	for name, value := range strictjson.Members(raw) {
		members[name] = value
	}
	return members
}

// requireString reads the member that path ends in.
func requireString(members map[string]json.RawMessage, path, what string) (string, *rpcError) {
	name := path[strings.LastIndexByte(path, '.')+1:]
	var text *string
	if json.Unmarshal(members[name], &text) != nil || text == nil {
		return "", invalidParams(fmt.Sprintf("%s must be a string: %s.", path, what))
	}
	return *text, nil
}

func isObject(raw json.RawMessage) bool { return len(raw) > 0 && raw[0] == '{' }

// isObjectText reports whether a value is the text of an object, as some clients
// send all arguments; tools that read take it.
func isObjectText(raw json.RawMessage) bool {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return false
	}
	text = strings.TrimSpace(text)
	return text == "" || text[0] == '{'
}

// absent takes null for a member that is not there, as many clients mean it.
func absent(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

func checkToolCall(params json.RawMessage) *rpcError {
	members := objectOf(params)
	if _, f := requireString(members, "params.name", "the name of a tool from tools/list"); f != nil {
		return f
	}
	if arguments := members["arguments"]; !absent(arguments) && !isObject(arguments) && !isObjectText(arguments) {
		return invalidParams("params.arguments must be an object that holds the tool's arguments by name.")
	}
	return nil
}

func checkPromptGet(params json.RawMessage) *rpcError {
	members := objectOf(params)
	if _, f := requireString(members, "params.name", "the name of a prompt from prompts/list"); f != nil {
		return f
	}
	arguments := members["arguments"]
	if absent(arguments) {
		return nil
	}
	if !isObject(arguments) {
		return invalidParams("params.arguments must be an object that holds the prompt's arguments by name.")
	}
	values := objectOf(arguments)
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if _, f := requireString(values, "params.arguments."+name, "arguments of prompts are text"); f != nil {
			return invalidParams(fmt.Sprintf("params.arguments[%q] must be a string: arguments of prompts are text.", clip(name)))
		}
	}
	return nil
}

func checkCompletion(params json.RawMessage) *rpcError {
	members := objectOf(params)
	if f := checkReference(objectOf(members["ref"])); f != nil {
		return f
	}
	argument := objectOf(members["argument"])
	if _, f := requireString(argument, "params.argument.name", "the argument to complete"); f != nil {
		return f
	}
	_, f := requireString(argument, "params.argument.value", "what has been typed so far, which may be empty")
	return f
}

func checkReference(ref map[string]json.RawMessage) *rpcError {
	var refType string
	_ = json.Unmarshal(ref["type"], &refType) // anything but the two is refused below
	var f *rpcError
	switch refType {
	case "ref/prompt":
		_, f = requireString(ref, "params.ref.name", "the name of a prompt")
	case "ref/resource":
		_, f = requireString(ref, "params.ref.uri", "the URI or URI template of a resource")
	default:
		f = invalidParams(`params.ref.type must be "ref/prompt" or "ref/resource".`)
	}
	return f
}

// checkPromptArguments refuses a prompt whose required arguments are missing
// and arguments it does not have: a dropped one would ask something else.
func checkPromptArguments(next mcpserver.PromptHandlerFunc) mcpserver.PromptHandlerFunc {
	return func(ctx context.Context, r mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		prompt, ok := mcpserver.ServerFromContext(ctx).ListPrompts()[r.Params.Name]
		if ok {
			if f := matchArguments(prompt.Prompt, r.Params.Arguments); f != nil {
				return nil, f
			}
		}
		return next(ctx, r)
	}
}

func matchArguments(prompt mcp.Prompt, given map[string]string) *rpcError {
	names := make([]string, len(prompt.Arguments))
	for i, argument := range prompt.Arguments {
		names[i] = argument.Name
		if _, ok := given[argument.Name]; argument.Required && !ok {
			return invalidParams(fmt.Sprintf("The prompt %s needs the argument %q.", prompt.Name, argument.Name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !slices.Contains(names, name) {
			return invalidParams(fmt.Sprintf("The prompt %s has no argument %q; it takes: %s.",
				prompt.Name, clip(name), cmp.Or(strings.Join(names, ", "), "none")))
		}
	}
	return nil
}
