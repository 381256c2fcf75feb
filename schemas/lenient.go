package schemas

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"math"
	"reflect"
	"strconv"
	"strings"
	"sync"
)

// clientMembersText is the list of members that clients add of their own.
//
//go:embed clientmembers.txt
var clientMembersText string

var clientMembers = sync.OnceValue(func() map[string]bool {
	names := map[string]bool{}
	for line := range strings.Lines(clientMembersText) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			names[line] = true
		}
	}
	return names
})

// unwrapped returns arguments that came as the JSON text of an object, or as an
// empty text, as the object.
func unwrapped(raw json.RawMessage) json.RawMessage {
	trimmed := bytes.TrimSpace(raw)
	if text, ok := textOf(trimmed); ok {
		if text = strings.TrimSpace(text); text == "" || text[0] == '{' {
			return json.RawMessage(text)
		}
	}
	return raw
}

func textOf(raw json.RawMessage) (string, bool) {
	if len(raw) == 0 || raw[0] != '"' {
		return "", false
	}
	var text string
	err := json.Unmarshal(raw, &text)
	return text, err == nil
}

// absent reports whether a value of an optional argument means that it is left
// out: null, and "" for a text, in every tool; in tools that read also spaces alone,
// [], and "" for anything. A write with an empty list of tenants is not one for all.
func (f field) absent(raw json.RawMessage, lenient bool) bool {
	if string(raw) == "null" {
		return true
	}
	if !lenient {
		return string(raw) == `""` && f.typ.Kind() == reflect.String
	}
	text, isText := textOf(raw)
	if f.typ.Kind() == reflect.Slice && (isEmptyList(raw) || isText && isEmptyList(json.RawMessage(text))) {
		return true
	}
	return isText && strings.TrimSpace(text) == ""
}

func isEmptyList(raw json.RawMessage) bool {
	var items []json.RawMessage
	return json.Unmarshal(raw, &items) == nil && items != nil && len(items) == 0
}

// lossless returns what a value means where it has one meaning only: the number
// or true and false in a text, the list in a text, a name without the spaces
// around it. What has another meaning, or none, is returned as it is, for the
// strict reader to refuse.
func (f field) lossless(raw json.RawMessage) json.RawMessage {
	text, ok := textOf(raw)
	if !ok {
		return raw
	}
	trimmed := strings.TrimSpace(text)
	switch f.typ.Kind() {
	case reflect.Slice:
		if strings.HasPrefix(trimmed, "[") && json.Valid([]byte(trimmed)) {
			return json.RawMessage(trimmed)
		}
	case reflect.Int:
		if _, ok := wholeNumber(json.RawMessage(trimmed)); ok {
			return json.RawMessage(trimmed)
		}
	case reflect.Bool:
		if lower := strings.ToLower(trimmed); lower == "true" || lower == "false" {
			return json.RawMessage(lower)
		}
	case reflect.String:
		if !f.prose && trimmed != "" {
			raw, _ = json.Marshal(trimmed) // a string has a JSON form
		}
	}
	return raw
}

// wholeNumber reads a JSON number whose value is whole, as JSON Schema's integer
// is: 2.0 and 1e1 are.
func wholeNumber(raw json.RawMessage) (int, bool) {
	if len(raw) == 0 || !json.Valid(raw) || raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') {
		return 0, false
	}
	n, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || n != math.Trunc(n) || math.Abs(n) > 1<<53 {
		return 0, false
	}
	return int(n), true
}
