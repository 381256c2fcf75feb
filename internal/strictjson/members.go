// Package strictjson reads JSON objects by the exact names of their members.
// encoding/json takes the last of two members of the same name, and takes State
// for state; a proxy, a log or a person that reads the same text may take the
// other one.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"iter"
	"strings"
	"unicode/utf8"
)

var (
	// ErrObject means that a text is not one JSON object, in UTF-8 where that is asked.
	ErrObject = errors.New("not one JSON object")
	// ErrAmbiguous means that a member appears twice, or in another case.
	ErrAmbiguous = errors.New("a member of the object appears twice, or with another case")
	// ErrUnknown means that a member has a name that is not expected.
	ErrUnknown = errors.New("the object has an unexpected member")
)

// IsObject reports whether a text is one JSON object. Like encoding/json it lets
// pass strings that are not UTF-8.
func IsObject(raw []byte) bool {
	at := skipSpace(raw, 0)
	return at < len(raw) && raw[at] == '{' && json.Valid(raw)
}

// WithoutBOM takes off one byte order mark, which some programs write before a
// text.
func WithoutBOM(raw []byte) []byte { return bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf")) }

// Fold brings names together that encoding/json would take for each other, the
// Kelvin sign for k and the long s for s included.
func Fold(name string) string { return strings.ToLower(strings.ToUpper(name)) }

// Named returns those members of an object that are named. One of them that is
// there twice, or under a name that differs only in case, is ErrAmbiguous. Other
// members are left out.
func Named(raw []byte, names ...string) (map[string]json.RawMessage, error) {
	found, _, err := pick(raw, names)
	return found, err
}

// Only is Named for an object in UTF-8 that may have no other members.
func Only(raw []byte, names ...string) (map[string]json.RawMessage, error) {
	if !utf8.Valid(raw) {
		return nil, ErrObject
	}
	found, others, err := pick(raw, names)
	if err == nil && others {
		err = ErrUnknown
	}
	return found, err
}

func pick(raw []byte, names []string) (found map[string]json.RawMessage, others bool, err error) {
	if !IsObject(raw) {
		return nil, false, ErrObject
	}
	known := make(map[string]string, len(names))
	for _, name := range names {
		known[Fold(name)] = name
	}
	found = make(map[string]json.RawMessage, len(names))
	for name, value := range Members(raw) {
		exact, expected := known[Fold(name)]
		if !expected {
			others = true
			continue
		}
		if _, twice := found[exact]; twice || name != exact {
			return nil, false, ErrAmbiguous
		}
		found[exact] = value
	}
	return found, others, nil
}

// All returns every member of an object in UTF-8. One that appears twice is
// ErrAmbiguous.
func All(raw []byte) (map[string]json.RawMessage, error) {
	if !utf8.Valid(raw) || !IsObject(raw) {
		return nil, ErrObject
	}
	found := map[string]json.RawMessage{}
	for name, value := range Members(raw) {
		if _, twice := found[name]; twice {
			return nil, ErrAmbiguous
		}
		found[name] = value
	}
	return found, nil
}

// Members are the members of an object in their order, repeated ones too. The
// text is known to be one valid JSON object: it was checked as a whole, once, and
// a decoder here would check each part of it again.
func Members(raw []byte) iter.Seq2[string, json.RawMessage] {
	return func(yield func(string, json.RawMessage) bool) {
		at := skipSpace(raw, 0) + 1 // past the brace
		for {
			at = skipSpace(raw, at)
			if at >= len(raw) || raw[at] != '"' {
				return // the closing brace
			}
			end := valueEnd(raw, at)
			name := memberName(raw[at:end])
			at = min(skipSpace(raw, skipSpace(raw, end)+1), len(raw)) // past the colon
			end = valueEnd(raw, at)
			if !yield(name, raw[at:end]) {
				return
			}
			if at = skipSpace(raw, end); at < len(raw) && raw[at] == ',' {
				at++
			}
		}
	}
}

func skipSpace(raw []byte, at int) int {
	for at < len(raw) && (raw[at] == ' ' || raw[at] == '\t' || raw[at] == '\r' || raw[at] == '\n') {
		at++
	}
	return at
}

// memberName reads a name as encoding/json does. Most have no escape in them.
func memberName(quoted []byte) string {
	if bytes.IndexByte(quoted, '\\') >= 0 {
		var name string
		_ = json.Unmarshal(quoted, &name) // it is valid
		return name
	}
	if len(quoted) < 2 {
		return "" // no name, and no JSON
	}
	return string(quoted[1 : len(quoted)-1])
}

// valueEnd is where the value that begins at a place ends.
func valueEnd(raw []byte, at int) int {
	if at >= len(raw) {
		return len(raw)
	}
	switch raw[at] {
	case '"':
		return stringEnd(raw, at)
	case '{', '[':
		return nestedEnd(raw, at)
	}
	for at < len(raw) && strings.IndexByte(",}] \t\r\n", raw[at]) < 0 {
		at++
	}
	return at
}

func stringEnd(raw []byte, at int) int {
	for at++; at < len(raw) && raw[at] != '"'; at++ {
		if raw[at] == '\\' {
			at++ // what is escaped ends no string
		}
	}
	return min(at+1, len(raw))
}

func nestedEnd(raw []byte, at int) int {
	for depth := 0; at < len(raw); at++ {
		switch raw[at] {
		case '"':
			at = stringEnd(raw, at) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return at + 1
			}
		}
	}
	return len(raw)
}
