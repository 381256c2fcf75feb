package armclient

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// armError is what an error body says. Both shapes are legal, also at once:
// {"error":{"code","message","details"}} and {"code","message"}.
type armError struct {
	code, message string
	// codes are all that the body holds, those of details included.
	codes []string
}

// parseARMError reads an error body; ok is false for anything that is no JSON
// object with a code in one of the two shapes.
func parseARMError(body []byte) (e armError, ok bool) {
	var outer errorNode
	if !unmarshalObject(body, &outer) {
		return armError{}, false
	}
	inner := outer.child()
	e.codes = append(inner.collect(nil, errorDepth), outer.collect(nil, errorDepth)...)
	e.code, e.message = text(inner.Code), text(inner.Message)
	if e.code == "" {
		e.code = text(outer.Code)
	}
	if e.message == "" {
		e.message = text(outer.Message)
	}
	return e, e.code != ""
}

// errorDepth is how deep details are looked into.
const errorDepth = 4

// errorNode keeps every field raw: one odd field must not hide the others.
type errorNode struct {
	Error   json.RawMessage `json:"error"`
	Code    json.RawMessage `json:"code"`
	Message json.RawMessage `json:"message"`
	Details json.RawMessage `json:"details"`
}

func (n errorNode) child() errorNode {
	var child errorNode
	if json.Unmarshal(n.Error, &child) != nil {
		return errorNode{}
	}
	return child
}

func (n errorNode) collect(codes []string, depth int) []string {
	if code := text(n.Code); code != "" {
		codes = append(codes, code)
	}
	var details []errorNode
	if depth == 0 || json.Unmarshal(n.Details, &details) != nil {
		return codes
	}
	for _, detail := range details {
		codes = detail.collect(codes, depth-1)
	}
	return codes
}

func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// notFoundCode is the one code that is known to mean "no such link".
const notFoundCode = "NotFound"

// saysNotFound reports whether every code of the body is NotFound, and the
// message does not blame the provider or the type instead.
func (e armError) saysNotFound() bool {
	return !e.blamesProvider() && len(e.codes) > 0 &&
		!slices.ContainsFunc(e.codes, func(code string) bool { return !strings.EqualFold(code, notFoundCode) })
}

// blamesProvider reports whether ARM says that the provider, or the type, is
// not there at all.
func (e armError) blamesProvider() bool {
	if slices.ContainsFunc(e.codes, namespaceCode) {
		return true
	}
	message := strings.ToLower(e.message)
	return slices.ContainsFunc([]string{"namespace", "resource type", "resource provider"},
		func(words string) bool { return strings.Contains(message, words) })
}

// namespaceCode knows ARM's codes for a provider or type that is not there.
func namespaceCode(code string) bool {
	switch strings.ToLower(code) {
	case "invalidresourcetype", "noregisteredproviderfound", "resourcenotfound",
		"invalidresourcenamespace", "missingregistrationfortype", "resourceprovidernotfound":
		return true
	default:
		return false
	}
}

// foreignPrincipalText begins the one message that is known word for word: a
// CSP's foreign principal, which has no account in the customer's tenant.
const foreignPrincipalText = "the user does not have an account in this tenant"

func (e armError) foreignPrincipal() bool {
	return strings.HasPrefix(strings.ToLower(strings.TrimSpace(e.message)), foreignPrincipalText)
}

// requestIDs returns what Microsoft's support asks for. The provider's own ID
// stands in for ARM's where that is missing.
func requestIDs(h http.Header) (request, correlation string) {
	request = h.Get("x-ms-request-id")
	if request == "" {
		request = h.Get("request-id")
	}
	return request, h.Get("x-ms-correlation-request-id")
}

// jsonContent is false for an answer that says it is something else than JSON.
// One that does not say is judged by its body.
func jsonContent(h http.Header) bool {
	kind := h.Get("Content-Type")
	return kind == "" || strings.Contains(strings.ToLower(kind), "json")
}
