package server

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"

	"mcp-partner/internal/strictjson"
)

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
