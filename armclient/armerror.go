package armclient

import (
	"bytes"
	"cmp"
	"encoding/json"
	"mime"
	"net/http"
	"slices"
	"strings"
	"unicode"

	"mcp-partner/internal/strictjson"
)

// armError is what an error body says. Both shapes are legal, also at once:
// {"error":{"code","message","details"}} and {"code","message"}.
type armError struct {
	code, message string
	// codes and messages are all that the body holds, at whatever depth.
	codes, messages []string
	// twice: a name appears twice in an object.
	twice bool
	// known: the body has one of the two shapes, nothing in it appears twice,
	// and it has no other members than those of knownShape.
	known bool
}

// parseARMError reads an error body. What is no JSON object says nothing.
func parseARMError(body []byte) (e armError) {
	body = withoutBOM(body)
	if !strictjson.IsObject(body) { // bounds the depth, too
		return armError{}
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var outer object
	_ = decoder.Decode(&outer) // it is valid
	inner, _ := outer["error"].(object)
	e.code = firstText(inner["code"], outer["code"])
	e.message = firstText(inner["message"], outer["message"])
	e.collect(body)
	e.known = e.code != "" && !e.twice && knownShape(outer)
	return e
}

// collect gathers what calls itself a code or a message, in whatever case, and
// whether a name appears twice in an object.
func (e *armError) collect(raw json.RawMessage) {
	switch raw[0] {
	case '[':
		var items []json.RawMessage
		_ = json.Unmarshal(raw, &items) // it is valid
		for _, item := range items {
			e.collect(item)
		}
	case '{':
		seen := map[string]bool{}
		for name, value := range strictjson.Members(raw) {
			name = strictjson.Fold(name)
			e.twice = e.twice || seen[name]
			seen[name] = true
			var text string
			switch isText := value[0] == '"' && json.Unmarshal(value, &text) == nil; {
			case isText && name == "code":
				e.codes = append(e.codes, text)
			case isText && name == "message":
				e.messages = append(e.messages, text)
			default:
				e.collect(value)
			}
		}
	}
}

func firstText(values ...any) string {
	for _, value := range values {
		if text, ok := value.(string); ok && text != "" {
			return text
		}
	}
	return ""
}

// check says whether a value may stand where it stands.
type check func(value any) bool

// knownShape allows error, code and message, and nothing beside them: a status
// code, a path or a timestamp is a gateway's, and properties are a link's.
func knownShape(outer object) bool {
	return only(outer, map[string]check{"code": isText, "message": textOrNull, "error": func(value any) bool {
		node, ok := value.(object)
		return ok && node["code"] != nil && knownNode(node)
	}})
}

// knownNode allows what ARM's common types define for an error and, the same
// again, for its details and its inner error.
func knownNode(node object) bool {
	return only(node, map[string]check{
		"code": isText, "message": textOrNull, "target": textOrNull, "details": listOf(knownNode), "additionalInfo": listOf(knownInfo),
		"innererror": func(value any) bool {
			inner, ok := value.(object)
			return value == nil || ok && knownNode(inner)
		},
	})
}

// knownInfo is free in what it says under info, but not to speak of a link.
func knownInfo(info object) bool {
	return only(info, map[string]check{"type": isText, "info": speaksOfNoLink})
}

func speaksOfNoLink(value any) bool {
	switch v := value.(type) {
	case []any:
		return !slices.ContainsFunc(v, func(element any) bool { return !speaksOfNoLink(element) })
	case object:
		for name, member := range v {
			switch folded := strictjson.Fold(name); {
			case folded == "properties" || folded == "partnerid" || !speaksOfNoLink(member):
				return false
			case folded == "code" && (name != "code" || !isText(member)):
				return false
			}
		}
	}
	return true
}

func listOf(known func(object) bool) check {
	return func(value any) bool {
		list, ok := value.([]any)
		return value == nil || ok && !slices.ContainsFunc(list, func(element any) bool {
			node, ok := element.(object)
			return !ok || !known(node)
		})
	}
}

func textOrNull(value any) bool { return value == nil || isText(value) }

func isText(value any) bool {
	_, ok := value.(string)
	return ok
}

// notFoundCode is the one code that is known to mean "no such link".
const notFoundCode = "NotFound"

// saysNotFound reports whether the body has a known shape, every code in it is
// NotFound, and no message says that something else than a link is not there.
func (e armError) saysNotFound() bool {
	return e.known && !e.blamesProvider() && !e.blamesAddress() &&
		!slices.ContainsFunc(e.codes, func(code string) bool { return !strings.EqualFold(code, notFoundCode) })
}

// blamesProvider reports whether ARM says that the provider, or the type, is
// not there at all.
func (e armError) blamesProvider() bool {
	return slices.ContainsFunc(e.codes, namespaceCode) || slices.ContainsFunc(e.messages, func(message string) bool {
		message = strings.ToLower(message)
		return slices.ContainsFunc([]string{"namespace", "resource type", "resource provider"},
			func(words string) bool { return strings.Contains(message, words) })
	})
}

// blamesAddress reports whether a message is about where the request went, as a
// gateway's or a web framework's is, or about the tenant.
func (e armError) blamesAddress() bool {
	return slices.ContainsFunc(e.messages, func(message string) bool {
		words := strings.FieldsFunc(strings.ToLower(message), func(r rune) bool { return !unicode.IsLetter(r) })
		return slices.ContainsFunc(words, addressWord)
	})
}

func addressWord(word string) bool {
	for _, end := range []string{"uri", "uris", "url", "urls"} {
		if strings.HasSuffix(word, end) {
			return true
		}
	}
	return slices.ContainsFunc([]string{"http", "route", "host", "tenant", "endpoint", "path", "page", "site", "website", "gateway", "controller", "backend"},
		func(begin string) bool { return strings.HasPrefix(word, begin) })
}

// namespaceCode knows ARM's codes for a provider or type that is not there.
func namespaceCode(code string) bool {
	return slices.Contains([]string{"invalidresourcetype", "noregisteredproviderfound", "resourcenotfound",
		"invalidresourcenamespace", "missingregistrationfortype", "resourceprovidernotfound"}, strings.ToLower(code))
}

// foreignPrincipalText begins the one message that is known verbatim: a CSP's
// foreign principal, which has no account in the customer's tenant.
const foreignPrincipalText = "the user does not have an account in this tenant"

func (e armError) foreignPrincipal() bool {
	return strings.HasPrefix(strings.ToLower(strings.TrimSpace(e.message)), foreignPrincipalText)
}

// requestIDs returns the IDs that Microsoft's support asks for. The provider's
// own ID replaces a missing one of ARM.
func requestIDs(h http.Header) (request, correlation string) {
	return cmp.Or(h.Get("x-ms-request-id"), h.Get("request-id")), h.Get("x-ms-correlation-request-id")
}

// fromARM reports whether an answer has an ID that ARM, or the provider behind
// it, sets on every answer. An intermediary also has pages for "not found",
// without these IDs.
func fromARM(h http.Header) bool {
	request, correlation := requestIDs(h)
	return request+correlation != ""
}

// jsonContent is false for an answer whose header names another type than JSON,
// cannot be parsed, or names a coding that was not decoded. Without a header
// the body decides, whose shape is checked closely enough.
func jsonContent(h http.Header) bool {
	if slices.ContainsFunc(h.Values("Content-Encoding"), func(coding string) bool { return !strings.EqualFold(strings.TrimSpace(coding), "identity") }) {
		return false
	}
	kinds := h.Values("Content-Type")
	if len(kinds) == 0 || len(kinds) == 1 && kinds[0] == "" {
		return true
	}
	kind, _, err := mime.ParseMediaType(kinds[0])
	return err == nil && len(kinds) == 1 &&
		(kind == "application/json" || kind == "text/json" || strings.HasSuffix(kind, "+json"))
}

// object is a JSON object.
type object = map[string]any

// only reports whether an object has these members alone, in this case.
func only(o object, allowed map[string]check) bool {
	for name, value := range o {
		if allowed[name] == nil || !allowed[name](value) {
			return false
		}
	}
	return true
}

// withoutBOM takes off the byte order mark that some proxies add.
func withoutBOM(body []byte) []byte { return bytes.TrimSpace(strictjson.WithoutBOM(body)) }
