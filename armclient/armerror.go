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
	"mcp-partner/internal/xslices"
)

// armError is what an error body says. Both shapes are legal, also at once:
// {"error":{"code","message","details"}} and {"code","message"}.
type armError struct {
	code, message string
	// codes and messages are all that the body holds, at whatever depth.
	codes, messages []string
	// known: the body has one of the two shapes, nothing in it appears twice,
	// and it has no other members than those of knownShape.
	known bool
}

// parseARMError reads an error body. What is no JSON object says nothing.
func parseARMError(body []byte) (e armError) {
	outer, ok := parseObject(body)
	if !ok {
		return armError{}
	}
	inner, _ := outer.get("error").(object)
	e.code = firstText(inner.get("code"), outer.get("code"))
	e.message = firstText(inner.get("message"), outer.get("message"))
	e.known = e.code != "" && knownShape(outer)
	e.collect(outer)
	return e
}

// collect gathers what calls itself a code or a message, in whatever case.
func (e *armError) collect(value any) {
	switch v := value.(type) {
	case []any:
		for _, element := range v {
			e.collect(element)
		}
	case object:
		for _, m := range v {
			text, isText := m.value.(string)
			switch name := strictjson.Fold(m.name); {
			case isText && name == "code":
				e.codes = append(e.codes, text)
			case isText && name == "message":
				e.messages = append(e.messages, text)
			default:
				e.collect(m.value)
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
	return outer.only(map[string]check{"code": isText, "message": textOrNull, "error": func(value any) bool {
		node, ok := value.(object)
		return ok && node.get("code") != nil && knownNode(node)
	}})
}

// knownNode allows what ARM's common types define for an error and, the same
// again, for its details and its inner error.
func knownNode(node object) bool {
	return node.only(map[string]check{
		"code": isText, "message": textOrNull, "target": textOrNull, "details": listOf(knownNode), "additionalInfo": listOf(knownInfo),
		"innererror": func(value any) bool {
			inner, ok := value.(object)
			return value == nil || ok && knownNode(inner)
		},
	})
}

// knownInfo is free in what it says under info, but not to speak of a link.
func knownInfo(info object) bool {
	return info.only(map[string]check{"type": isText, "info": speaksOfNoLink})
}

func speaksOfNoLink(value any) bool {
	switch v := value.(type) {
	case []any:
		return !slices.ContainsFunc(v, func(element any) bool { return !speaksOfNoLink(element) })
	case object:
		return v.every(func(name string, value any) bool {
			switch strictjson.Fold(name) {
			case "properties", "partnerid":
				return false
			case "code":
				return name == "code" && isText(value)
			default:
				return speaksOfNoLink(value)
			}
		})
	default:
		return true
	}
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

// object is a JSON object with all its members in their order, repeated ones
// too. A value is an object, a []any, a string, a json.Number, a bool or nil.
type object []member

type member struct {
	name  string
	value any
}

// get returns the first member of that exact name, or nil.
func (o object) get(name string) any {
	for _, m := range o {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

// every reports whether no member repeats another, in whatever case, and all of
// them satisfy the condition.
func (o object) every(condition func(name string, value any) bool) bool {
	seen := map[string]bool{}
	for _, m := range o {
		folded := strictjson.Fold(m.name)
		if seen[folded] || !condition(m.name, m.value) {
			return false
		}
		seen[folded] = true
	}
	return true
}

// only is every for an object that may have these members alone.
func (o object) only(allowed map[string]check) bool {
	return o.every(func(name string, value any) bool { return allowed[name] != nil && allowed[name](value) })
}

func parseObject(body []byte) (object, bool) {
	body = withoutBOM(body)
	if !strictjson.IsObject(body) { // bounds the depth, too
		return nil, false
	}
	return parseMembers(body), true
}

func parseMembers(raw json.RawMessage) object {
	o := object{}
	for name, value := range strictjson.Members(raw) {
		o = append(o, member{name, parseValue(value)})
	}
	return o
}

// parseValue reads one value of JSON that is known to be valid.
func parseValue(raw json.RawMessage) any {
	switch raw[0] {
	case '{':
		return parseMembers(raw)
	case '[':
		var items []json.RawMessage
		_ = json.Unmarshal(raw, &items)
		return xslices.Map(items, parseValue)
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var value any
	_ = decoder.Decode(&value)
	return value
}

// withoutBOM takes off the byte order mark that some proxies add.
func withoutBOM(body []byte) []byte { return bytes.TrimSpace(strictjson.WithoutBOM(body)) }
