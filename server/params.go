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
	switch mcp.MCPMethod(m.method) {
	case mcp.MethodToolsCall:
		return checkToolCall(m.given)
	case mcp.MethodPromptsGet:
		return checkPromptGet(m.given)
	case mcp.MethodResourcesRead:
		return requireString(m.given, "params.uri", "the URI of a resource from resources/list")
	case mcp.MethodCompletionComplete:
		return checkCompletion(m.given)
	}
	return nil
}

func objectOf(raw json.RawMessage) map[string]json.RawMessage {
	if !isObject(raw) {
		return nil
	}
	return maps.Collect(strictjson.Members(raw))
}

// textOf returns a member that is a string.
func textOf(members map[string]json.RawMessage, name string) (string, bool) {
	var text *string
	if json.Unmarshal(members[name], &text) != nil || text == nil {
		return "", false
	}
	return *text, true
}

// requireString refuses an object whose member that path ends in is no string.
func requireString(members map[string]json.RawMessage, path, what string) *rpcError {
	if _, ok := textOf(members, path[strings.LastIndexByte(path, '.')+1:]); !ok {
		return invalidParams(fmt.Sprintf("%s must be a string: %s.", path, what))
	}
	return nil
}

func isObject(raw json.RawMessage) bool { return len(raw) > 0 && raw[0] == '{' }

// isObjectText reports whether a value is the text of an object, as some clients
// send all arguments; tools that read take it.
func isObjectText(raw json.RawMessage) bool {
	var text string
	err := json.Unmarshal(raw, &text)
	text = strings.TrimSpace(text)
	return err == nil && (text == "" || text[0] == '{')
}

// absent takes null for a member that is not there, as many clients mean it.
func absent(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

func checkToolCall(members map[string]json.RawMessage) *rpcError {
	f := requireString(members, "params.name", "the name of a tool from tools/list")
	if arguments := members["arguments"]; f == nil && !absent(arguments) && !isObject(arguments) && !isObjectText(arguments) {
		return invalidParams("params.arguments must be an object that holds the tool's arguments by name.")
	}
	return f
}

func checkPromptGet(members map[string]json.RawMessage) *rpcError {
	arguments := members["arguments"]
	f := requireString(members, "params.name", "the name of a prompt from prompts/list")
	if f != nil || absent(arguments) {
		return f
	}
	if !isObject(arguments) {
		return invalidParams("params.arguments must be an object that holds the prompt's arguments by name.")
	}
	values := objectOf(arguments)
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if _, ok := textOf(values, name); !ok {
			return invalidParams(fmt.Sprintf("params.arguments[%q] must be a string: arguments of prompts are text.", clip(name)))
		}
	}
	return nil
}

func checkCompletion(members map[string]json.RawMessage) *rpcError {
	argument := objectOf(members["argument"])
	return cmp.Or(
		checkReference(objectOf(members["ref"])),
		requireString(argument, "params.argument.name", "the argument to complete"),
		requireString(argument, "params.argument.value", "what has been typed so far, which may be empty"),
	)
}

func checkReference(ref map[string]json.RawMessage) *rpcError {
	switch kind, _ := textOf(ref, "type"); kind {
	case "ref/prompt":
		return requireString(ref, "params.ref.name", "the name of a prompt")
	case "ref/resource":
		return requireString(ref, "params.ref.uri", "the URI or URI template of a resource")
	default:
		return invalidParams(`params.ref.type must be "ref/prompt" or "ref/resource".`)
	}
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

// members are the names that the protocol has in an object, by the name of the
// member that holds it; those of all revisions and methods together. encoding/json
// takes a name in any case and, of two, the last; a proxy, a log or a person that
// reads the same message may take the first, and so see another call than is run.
// An object that is not listed is not looked at.
var members = map[string][]string{
	"message": {"jsonrpc", "id", "method", "params", "result", "error"},
	"params": {
		"_meta", "argument", "arguments", "capabilities", "clientInfo", "context", "cursor", "inputResponses", "level", "name",
		"notifications", "protocolVersion", "reason", "ref", "requestId", "requestState", "task", "taskId", "uri",
	},
	"result": {"action", "content", "_meta"}, // a person's answer to elicitation/create
	"_meta": {
		"progressToken", mcp.MetaKeyProtocolVersion, mcp.MetaKeyLogLevel, mcp.MetaKeySubscriptionID,
		mcp.MetaKeyClientInfo, mcp.MetaKeyClientCapabilities, mcp.RelatedTaskMetaKey,
	},
	mcp.RelatedTaskMetaKey: {"taskId"},

	"clientInfo":                  implementation,
	mcp.MetaKeyClientInfo:         implementation,
	"capabilities":                capabilities,
	mcp.MetaKeyClientCapabilities: capabilities,
	"roots":                       {"listChanged"},
	"sampling":                    {"context", "tools"},
	"elicitation":                 {"form", "url"},
	"tasks":                       {"list", "cancel", "requests"},

	"notifications": {"toolsListChanged", "promptsListChanged", "resourcesListChanged", "resourceSubscriptions"},
	"ref":           {"type", "name", "uri"},
	"argument":      {"name", "value"},
	"context":       {"arguments"},
	"task":          {"ttl"},

	// These have names of the sender's own choice.
	"arguments": {}, "content": {}, inputResponses: {},
}

var (
	implementation = []string{"name", "version", "title", "description", "websiteUrl", "icons"}
	capabilities   = []string{"extensions", "experimental", "roots", "sampling", "elicitation", "tasks"}
)

// inputResponses holds a person's answers by the names of the questions.
const inputResponses = "inputResponses"

// checkMembers refuses parameters that could be read in two ways. The arguments of
// a tool are left to its own schema.
func checkMembers(m *message) *rpcError {
	return checkNames("params", "params", m.params, m.method == string(mcp.MethodToolsCall))
}

// checkNames refuses a member that appears twice, and a known one that is written
// in another case. What is no object is left to those who read it.
func checkNames(kind, path string, raw []byte, ofTool bool) *rpcError {
	names, listed := members[kind]
	if !listed || !isObject(raw) || ofTool && kind == "arguments" {
		return nil
	}
	seen := map[string]bool{}
	for name, value := range strictjson.Members(raw) {
		known := canonical(names, name)
		if known != "" && known != name {
			return invalidParams(fmt.Sprintf("%s has a member %q, which must be written %q.", path, name, known))
		}
		if seen[name] {
			return invalidParams(fmt.Sprintf("%s has the member %q twice. Send it once.", path, clip(name)))
		}
		seen[name] = true
		at := path + "." + name
		if kind == inputResponses {
			known, at = "result", fmt.Sprintf("%s[%q]", path, clip(name))
		}
		if f := checkNames(known, at, value, ofTool); f != nil {
			return f
		}
	}
	return nil
}

// canonical returns the known name that encoding/json would take this one for,
// or "".
func canonical(names []string, name string) string {
	if i := slices.IndexFunc(names, func(known string) bool { return strings.EqualFold(name, known) }); i >= 0 {
		return names[i]
	}
	return ""
}
