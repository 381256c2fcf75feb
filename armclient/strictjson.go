package armclient

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
)

// encoding/json takes the last of two members of the same name, and takes State
// for state. Where an answer decides what is said of a link, both would hide
// half of what was said; the functions here refuse such objects instead.

// errAmbiguous is what an object with a repeated or case-variant member gives.
var errAmbiguous = errors.New("a member of the object is there twice, or in another case")

// exactMembers returns those members of a JSON object that are named, raw. It
// is an error if one of them is there twice, or under a name that differs from
// it only in case. Other members are left out, whatever they are.
func exactMembers(data []byte, names ...string) (map[string]json.RawMessage, error) {
	known := map[string]string{}
	for _, name := range names {
		known[foldName(name)] = name
	}
	found := map[string]json.RawMessage{}
	err := eachMember(data, func(name string, value json.RawMessage) error {
		exact, read := known[foldName(name)]
		if !read {
			return nil
		}
		if _, twice := found[exact]; twice || name != exact {
			return errAmbiguous
		}
		found[exact] = value
		return nil
	})
	return found, err
}

// eachMember hands over the members of a JSON object in their order. A null has
// none.
func eachMember(data []byte, use func(name string, value json.RawMessage) error) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	open, err := decoder.Token()
	if err != nil || open == nil {
		return err
	}
	if open != json.Delim('{') {
		return errors.New("no object")
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return err
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return err
		}
		if err := use(name.(string), value); err != nil {
			return err
		}
	}
	return nil
}

// foldName brings names together that encoding/json would take for each other,
// the Kelvin sign for k and the long s for s included.
func foldName(name string) string { return strings.ToLower(strings.ToUpper(name)) }

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
		folded := foldName(m.name)
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
	if !json.Valid(body) { // bounds the depth, too
		return nil, false
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	o, ok := parseValue(decoder).(object)
	return o, ok
}

// parseValue reads one value of JSON that is known to be valid.
func parseValue(decoder *json.Decoder) any {
	token, _ := decoder.Token()
	switch token {
	case json.Delim('{'):
		return parseMembers(decoder)
	case json.Delim('['):
		list := []any{}
		for decoder.More() {
			list = append(list, parseValue(decoder))
		}
		_, _ = decoder.Token() // the bracket
		return list
	default:
		return token
	}
}

func parseMembers(decoder *json.Decoder) object {
	o := object{}
	for decoder.More() {
		name, _ := decoder.Token()
		text, _ := name.(string)
		o = append(o, member{text, parseValue(decoder)})
	}
	_, _ = decoder.Token() // the brace
	return o
}

// withoutBOM takes off the one byte order mark that some proxies add.
func withoutBOM(body []byte) []byte {
	return bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")))
}
