package server

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"

	"mcp-partner/internal/strictjson"
)

// shape is what the members of an object are called. encoding/json takes a
// name in any case and, of two, the last; a proxy, a log or a person that reads
// the same message may take the first, and so see another call than is run.
type shape struct {
	// members are those that the server reads, by their exact names. Where the
	// shape of one is nil, its inside is not looked at here.
	members map[string]*shape
	// each is the shape of every other member.
	each *shape
}

// leaves is the shape of an object whose known members are no objects.
func leaves(names ...string) *shape {
	s := &shape{members: make(map[string]*shape, len(names))}
	for _, name := range names {
		s.members[name] = nil
	}
	return s
}

func (s *shape) with(name string, inside *shape) *shape {
	s.members[name] = inside
	return s
}

// The shapes of the protocol's messages, of all revisions and methods together.
// Nobody writes them. The arguments of a tool are left to its own schema.
var (
	envelopeShape = leaves("jsonrpc", "id", "method", "params", "result", "error")

	// freeShape has names of the sender's own choice.
	freeShape = &shape{}

	// answerShape is a person's answer to elicitation/create.
	answerShape = leaves("action").with("content", freeShape).with("_meta", freeShape)

	implementationShape = leaves("name", "version", "title", "description", "websiteUrl", "icons")

	capabilitiesShape = leaves("extensions", "experimental").
				with("roots", leaves("listChanged")).
				with("sampling", leaves("context", "tools")).
				with("elicitation", leaves("form", "url")).
				with("tasks", leaves("list", "cancel", "requests"))

	metaShape = leaves("progressToken", mcp.MetaKeyProtocolVersion, mcp.MetaKeyLogLevel, mcp.MetaKeySubscriptionID).
			with(mcp.MetaKeyClientInfo, implementationShape).
			with(mcp.MetaKeyClientCapabilities, capabilitiesShape).
			with(mcp.RelatedTaskMetaKey, leaves("taskId"))

	subscriptionShape = leaves("toolsListChanged", "promptsListChanged", "resourcesListChanged", "resourceSubscriptions")

	toolParamsShape   = paramsShape(nil)
	otherParamsShape  = paramsShape(freeShape)
	completionContext = (&shape{members: map[string]*shape{}}).with("arguments", freeShape)
)

func paramsShape(arguments *shape) *shape {
	return leaves("name", "uri", "cursor", "level", "requestId", "reason", "protocolVersion", "requestState", "taskId").
		with("arguments", arguments).
		with("_meta", metaShape).
		with("inputResponses", &shape{each: answerShape}).
		with("ref", leaves("type", "name", "uri")).
		with("argument", leaves("name", "value")).
		with("context", completionContext).
		with("capabilities", capabilitiesShape).
		with("clientInfo", implementationShape).
		with("notifications", subscriptionShape).
		with("task", leaves("ttl"))
}

// checkMembers refuses parameters that could be read in two ways.
func checkMembers(m *message) *rpcError {
	s := otherParamsShape
	if m.method == string(mcp.MethodToolsCall) {
		s = toolParamsShape
	}
	return s.check("params", m.params)
}

// check refuses a member that appears twice, and a known one that is written
// in another case. What is no object is left to those who read it.
func (s *shape) check(path string, raw json.RawMessage) *rpcError {
	if s == nil || !isObject(raw) {
		return nil
	}
	seen := map[string]bool{}
	for name, value := range strictjson.Members(raw) {
		if known := s.canonical(name); known != "" && known != name {
			return invalidParams(fmt.Sprintf("%s has a member %q, which must be written %q.", path, name, known))
		}
		if seen[name] {
			return invalidParams(fmt.Sprintf("%s has the member %q twice. Send it once.", path, clip(name)))
		}
		seen[name] = true
		inside, known := s.members[name]
		at := path + "." + name
		if !known && s.each != nil {
			inside, at = s.each, fmt.Sprintf("%s[%q]", path, clip(name))
		}
		if f := inside.check(at, value); f != nil {
			return f
		}
	}
	return nil
}

// canonical returns the known name that encoding/json would take this one for,
// or "".
func (s *shape) canonical(name string) string {
	if _, exact := s.members[name]; exact {
		return name
	}
	for known := range s.members {
		if strings.EqualFold(name, known) {
			return known
		}
	}
	return ""
}
