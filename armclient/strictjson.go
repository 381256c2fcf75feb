package armclient

import (
	"bytes"
	"encoding/json"

	"mcp-partner/internal/strictjson"
)

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

// parseObject reads a body that is one JSON object.
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
		list := make([]any, len(items))
		for i, item := range items {
			list[i] = parseValue(item)
		}
		return list
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var value any
	_ = decoder.Decode(&value)
	return value
}

// withoutBOM takes off the byte order mark that some proxies add.
func withoutBOM(body []byte) []byte { return bytes.TrimSpace(strictjson.WithoutBOM(body)) }
