package schemas

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"mcp-partner/internal/strictjson"
	"mcp-partner/internal/untrusted"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas/partnerid"
	"mcp-partner/schemas/problems"
)

// Decoded are the arguments of a call.
type Decoded struct {
	// Input is a pointer to the operation's input type.
	Input any
	// Ignored names the members that were passed over, in their order.
	Ignored []string
}

// Decode reads a tool's arguments into a new value of the operation's input
// type. Absent arguments and null mean the empty object; a null or an empty text
// for an optional argument means that it is absent.
//
// Tools that read take what has one meaning only in another form as well, and
// pass over the members that clients are known to add: see lenient.go. Beyond
// that unknown, repeated and wrongly cased names are refused, because a dropped
// argument would answer another question than was asked. Every error is a
// Problem that names the argument, what is wrong with it and what is accepted.
func (o Operation) Decode(arguments json.RawMessage) (Decoded, error) {
	d := decoder{operation: o, fields: o.arguments(), lenient: !o.Effect.Writes(), given: map[string]bool{}}
	if d.lenient {
		arguments = unwrapped(arguments)
	}
	pairs, err := members(arguments)
	if err != nil {
		return Decoded{}, err
	}
	into := reflect.New(reflect.TypeOf(o.Input).Elem())
	for _, pair := range pairs {
		if err := d.member(into.Elem(), pair); err != nil {
			return Decoded{}, err
		}
	}
	for _, field := range d.fields {
		if field.required && !d.given[field.name] {
			return Decoded{}, problems.InvalidArgument("%s is missing: %s", field.name, field.doc)
		}
	}
	return Decoded{Input: into.Interface(), Ignored: d.ignored}, nil
}

type decoder struct {
	operation Operation
	fields    []field
	lenient   bool
	given     map[string]bool
	ignored   []string
}

func (d *decoder) member(into reflect.Value, pair member) error {
	field, err := match(d.operation.Name, d.fields, pair.name)
	switch {
	case err != nil && d.lenient && clientMembers()[pair.name]:
		if !slices.Contains(d.ignored, pair.name) {
			d.ignored = append(d.ignored, pair.name)
		}
		return nil
	case err != nil:
		return err
	case d.given[pair.name]:
		return problems.InvalidArgument("%s is given twice: give it once.", pair.name)
	}
	d.given[pair.name] = true
	return field.read(into, pair.value)
}

type member struct {
	name  string
	value json.RawMessage
}

// members splits one JSON object into its members in order, duplicates
// included, which encoding/json on its own would merge.
func members(raw json.RawMessage) ([]member, error) {
	trimmed := bytes.TrimSpace(raw)
	if len(trimmed) == 0 || bytes.Equal(trimmed, []byte("null")) {
		return nil, nil
	}
	if !utf8.Valid(trimmed) {
		return nil, problems.InvalidArgument("The arguments are not valid UTF-8.")
	}
	if trimmed[0] != '{' {
		return nil, problems.InvalidArgument("The arguments are not one JSON object: write {\"name\": \"value\"}.")
	}
	if !json.Valid(trimmed) {
		return nil, problems.InvalidArgument("The arguments are not well-formed JSON.")
	}
	var pairs []member
	for name, value := range strictjson.Members(trimmed) {
		pairs = append(pairs, member{name, value})
	}
	return pairs, nil
}

func match(tool string, fields []field, name string) (field, error) {
	var names []string
	for _, f := range fields {
		if f.name == name {
			return f, nil
		}
		if strings.EqualFold(f.name, strings.ReplaceAll(name, "-", "_")) {
			return field{}, unknownArgument(tool, name, "write it as "+f.name+".")
		}
		names = append(names, f.name)
	}
	if near := Nearest(name, names); near != "" {
		return field{}, unknownArgument(tool, name, "did you mean "+near+"?")
	}
	return field{}, unknownArgument(tool, name, "it takes "+strings.Join(names, ", ")+".")
}

func unknownArgument(tool, name, next string) error {
	return problems.New(problems.CodeUnknownArgument, fmt.Sprintf("%s has no argument %s: %s", tool, untrusted.Shown(name), next))
}

var partnerIDType = reflect.TypeFor[partnerid.ID]()

func (f field) read(into reflect.Value, raw json.RawMessage) error {
	if bytes.Equal(raw, []byte("null")) && f.required {
		return problems.InvalidArgument("%s is null: %s", f.name, f.doc)
	}
	if !f.required && f.absent(raw, f.lenient) {
		return nil
	}
	if f.lenient {
		raw = f.lossless(raw)
	}
	target := into.FieldByIndex(f.index)
	if target.Kind() == reflect.Pointer {
		target.Set(reflect.New(f.typ))
		target = target.Elem()
	}
	switch {
	case f.typ == partnerIDType:
		return f.readPartnerID(target, raw)
	case f.typ.Kind() == reflect.String:
		return f.readString(target, raw)
	case f.typ.Kind() == reflect.Int:
		return f.readInt(target, raw)
	case f.typ.Kind() == reflect.Bool:
		return f.readBool(target, raw)
	case f.typ.Kind() == reflect.Slice:
		return f.readList(target, raw)
	default:
		panic("schemas: no way to decode " + f.typ.String())
	}
}

func (f field) readPartnerID(target reflect.Value, raw json.RawMessage) error {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return problems.New(problems.CodeInvalidPartnerID, fmt.Sprintf(
			"%s is %s: a partner ID is a string of 4 to 10 digits; write it in quotes, such as \"1234567\".", f.name, jsonKind(raw)))
	}
	id, err := partnerid.Parse(f.name, text)
	target.SetString(string(id))
	return err
}

func (f field) readString(target reflect.Value, raw json.RawMessage) error {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return problems.InvalidArgument("%s is %s: it must be a string.", f.name, jsonKind(raw))
	}
	runes := utf8.RuneCountInString(text)
	switch {
	case f.minLength > runes:
		return problems.InvalidArgument("%s is empty: give a value.", f.name)
	case f.maxLength > 0 && runes > f.maxLength:
		return problems.InvalidArgument("%s has %d characters: at most %d are allowed.", f.name, runes, f.maxLength)
	case len(f.values) > 0 && !slices.Contains(f.values, any(text)):
		return problems.InvalidArgument("%s is %s: use %s.", f.name, untrusted.Shown(text), oneOf(f.values))
	}
	target.SetString(text)
	return nil
}

func oneOf(values []any) string {
	return strings.Join(xslices.Map(values, func(value any) string { return fmt.Sprint(value) }), " or ")
}

func (f field) readInt(target reflect.Value, raw json.RawMessage) error {
	n, ok := wholeNumber(raw)
	if !ok {
		return problems.InvalidArgument("%s is %s: it must be a whole number from %d to %d.", f.name, jsonKind(raw), f.minimum, f.maximum)
	}
	if n < f.minimum || n > f.maximum {
		return problems.InvalidArgument("%s is %d: it must be from %d to %d.", f.name, n, f.minimum, f.maximum)
	}
	target.SetInt(int64(n))
	return nil
}

func (f field) readBool(target reflect.Value, raw json.RawMessage) error {
	var b bool
	if json.Unmarshal(raw, &b) != nil {
		return problems.InvalidArgument("%s is %s: it must be true or false, without quotes.", f.name, jsonKind(raw))
	}
	target.SetBool(b)
	return nil
}

func jsonKind(raw json.RawMessage) string {
	return cmp.Or(map[byte]string{
		'"': "a string", '{': "an object", '[': "an array", 't': "true or false", 'f': "true or false", 'n': "null",
	}[raw[0]], "a JSON number")
}

// Nearest returns the name that is close enough to what was written to ask
// "did you mean", or "".
func Nearest(written string, names []string) string {
	best, distance := "", len(written)/3+1
	for _, name := range names {
		if len(written) >= 4 && strings.HasPrefix(strings.ToLower(name), strings.ToLower(written)) {
			return name
		}
		if d := editDistance(strings.ToLower(written), strings.ToLower(name)); d <= distance && (best == "" || d < distance) {
			best, distance = name, d
		}
	}
	return best
}

// editDistance is the Levenshtein distance of short names; for long ones it is 64.
func editDistance(one, other string) int {
	if len(one) > 64 || len(other) > 64 {
		return 64
	}
	a, b := []rune(one), []rune(other)
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		previous := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := previous
			if a[i] != b[j] {
				cost++
			}
			previous = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

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
