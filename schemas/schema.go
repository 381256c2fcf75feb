package schemas

import (
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"mcp-partner/internal/xslices"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/partnerid"
	"mcp-partner/schemas/problems"
)

// InputSchema returns the JSON Schema (2020-12) of the operation's arguments.
func (o Operation) InputSchema() *jsonschema.Schema {
	schema := &jsonschema.Schema{
		Type: "object", Properties: map[string]*jsonschema.Schema{},
		AdditionalProperties: &jsonschema.Schema{Not: &jsonschema.Schema{}},
	}
	for _, f := range o.arguments() {
		schema.Properties[f.name] = f.schema()
		schema.PropertyOrder = append(schema.PropertyOrder, f.name)
		if f.required {
			schema.Required = append(schema.Required, f.name)
		}
	}
	return schema
}

func (f field) schema() *jsonschema.Schema {
	if f.typ.Kind() == reflect.Slice {
		return f.listSchema()
	}
	s := &jsonschema.Schema{Description: f.doc}
	switch {
	case f.typ == partnerIDType:
		s.Type, s.Pattern = "string", partnerid.Pattern
	case f.typ.Kind() == reflect.Int:
		s.Type, s.Minimum, s.Maximum = "integer", new(float64(f.minimum)), new(float64(f.maximum))
	case f.typ.Kind() == reflect.Bool:
		s.Type = "boolean"
	default:
		s.Type, s.Enum = "string", f.values
		if f.minLength > 0 && f.required { // an empty optional text counts as left out
			s.MinLength = new(f.minLength)
		}
		if f.maxLength > 0 {
			s.MaxLength = new(f.maxLength)
		}
	}
	return s
}

// AnswerSchema returns the whole JSON Schema of the operation's envelope. It
// is what the tests validate against and what partner://schemas/{tool} shows.
func (o Operation) AnswerSchema() *jsonschema.Schema {
	whole, fields := structSchema(reflect.TypeFor[answers.Envelope]()), o.envelopeFields()
	schema := *whole
	schema.Properties = map[string]*jsonschema.Schema{}
	schema.PropertyOrder = nil
	for _, name := range whole.PropertyOrder {
		if slices.Contains(fields, name) {
			schema.Properties[name] = whole.Properties[name]
			schema.PropertyOrder = append(schema.PropertyOrder, name)
		}
	}
	return &schema
}

func (o Operation) envelopeFields() []string {
	fields := append([]string{"status", "summary", "problem", "plan"}, o.Answer...)
	if o.Azure() {
		fields = append(fields, "identity")
	}
	if !o.Effect.Writes() {
		fields = append(fields, "ignored")
	}
	return fields
}

// structSchema describes a Go struct from its json, doc and enum tags. Unlike
// an inferred schema it keeps no null alternatives but that of a Scope, which
// is said: other fields are left out.
func structSchema(t reflect.Type) *jsonschema.Schema {
	s := &jsonschema.Schema{
		Type: "object", Properties: map[string]*jsonschema.Schema{},
		AdditionalProperties: &jsonschema.Schema{Not: &jsonschema.Schema{}},
	}
	for _, f := range reflect.VisibleFields(t) {
		name, required := jsonName(f)
		property := typeSchema(f.Type)
		property.Description = f.Tag.Get("doc")
		property.Enum = enumOf(f.Tag.Get("enum"))
		s.Properties[name] = property
		s.PropertyOrder = append(s.PropertyOrder, name)
		if required {
			s.Required = append(s.Required, name)
		}
	}
	return s
}

func typeSchema(t reflect.Type) *jsonschema.Schema {
	if t == reflect.TypeFor[answers.Scope]() {
		s := structSchema(reflect.TypeFor[answers.OutOfScope]())
		s.Type, s.Types = "", []string{s.Type, "null"}
		return s
	}
	switch t.Kind() {
	case reflect.Pointer:
		return typeSchema(t.Elem())
	case reflect.Struct:
		return structSchema(t)
	case reflect.Slice:
		return &jsonschema.Schema{Type: "array", Items: typeSchema(t.Elem())}
	case reflect.Map:
		return &jsonschema.Schema{Type: "object", AdditionalProperties: typeSchema(t.Elem())}
	case reflect.Interface:
		return &jsonschema.Schema{}
	}
	names := map[reflect.Kind]string{reflect.Bool: "boolean", reflect.Int: "integer", reflect.Int64: "integer", reflect.Float64: "number"}
	return &jsonschema.Schema{Type: cmp.Or(names[t.Kind()], "string")}
}

// Object returns a schema as a plain JSON object, for answers that carry one.
func Object(schema *jsonschema.Schema) map[string]any {
	raw, err := json.Marshal(schema)
	if err != nil {
		panic("schemas: " + err.Error())
	}
	var object map[string]any
	if err := json.Unmarshal(raw, &object); err != nil {
		panic("schemas: " + err.Error())
	}
	return object
}

// field is what the tags of an input type say of one argument. The decoder and
// the input schema are both made from it, so that they cannot disagree.
type field struct {
	name     string
	doc      string
	index    []int
	typ      reflect.Type
	required bool
	// Bounds in characters for strings and in value for whole numbers.
	minLength, maxLength int
	minimum, maximum     int
	// maxItems bounds a list; 0 means the usual bound.
	maxItems int
	// prose is a text of a person, whose spaces count.
	prose bool
	// lenient says that the tool reads, and takes what has one meaning only.
	lenient bool
	// values are all that a string may be, where they are few.
	values []any
}

func (o Operation) arguments() []field {
	if o.fields != nil {
		return o.fields()
	}
	return o.listFields()
}

// ArgumentNames lists the names of what an operation takes.
func (o Operation) ArgumentNames() []string {
	return xslices.Map(o.arguments(), func(f field) string { return f.name })
}

// listFields returns the arguments in the order of the fields of the input type,
// embedded structs in their place.
func (o Operation) listFields() []field {
	var fields []field
	for _, f := range reflect.VisibleFields(reflect.TypeOf(o.Input).Elem()) {
		if f.Anonymous {
			continue
		}
		name, required := jsonName(f)
		typ := f.Type
		if typ.Kind() == reflect.Pointer { // nil where it was left out
			typ = typ.Elem()
		}
		fields = append(fields, field{
			name: name, doc: f.Tag.Get("doc"), index: f.Index, typ: typ,
			required: required, lenient: !o.Effect.Writes(),
			minLength: number(f, "minLength"), maxLength: number(f, "maxLength"),
			minimum: number(f, "minimum"), maximum: number(f, "maximum"), maxItems: number(f, "maxItems"),
			values: enumOf(f.Tag.Get("enum")), prose: f.Tag.Get("text") == "prose",
		})
	}
	return fields
}

func number(f reflect.StructField, tag string) int {
	text, ok := f.Tag.Lookup(tag)
	if !ok {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		panic("schemas: tag " + tag + " of " + f.Name + " is not a number")
	}
	return n
}

func jsonName(f reflect.StructField) (name string, required bool) {
	name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name, options != "omitempty" && options != "omitzero"
}

func enumOf(tag string) []any {
	if tag == "" {
		return nil
	}
	var values []any
	for value := range strings.SplitSeq(tag, ",") {
		values = append(values, value)
	}
	return values
}

// maxItems bounds a list whose field names no bound of its own.
const maxItems = 1000

// item is the field of one element of a list, for its errors and its schema.
func (f field) item(name string) field {
	one := f
	one.name, one.typ, one.required = name, f.typ.Elem(), true
	return one
}

func (f field) most() int {
	if f.maxItems > 0 {
		return f.maxItems
	}
	return maxItems
}

// readList decodes a list of strings or partner IDs. An empty one is refused in
// a tool that writes: it could mean nothing, and everything where it is left out.
func (f field) readList(target reflect.Value, raw json.RawMessage) error {
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) != nil {
		return problems.InvalidArgument("%s is %s: it must be an array, such as [\"a\", \"b\"].", f.name, jsonKind(raw))
	}
	switch {
	case len(items) == 0: // in a tool that reads it counts as left out
		return problems.InvalidArgument("%s is an empty list: add an item or leave it out.", f.name)
	case len(items) > f.most():
		return problems.InvalidArgument("%s has %d items: at most %d are allowed.", f.name, len(items), f.most())
	}
	list := reflect.MakeSlice(f.typ, len(items), len(items))
	for i, value := range items {
		if err := f.item(fmt.Sprintf("%s[%d]", f.name, i)).readItem(list.Index(i), value); err != nil {
			return err
		}
	}
	target.Set(list)
	return nil
}

func (f field) readItem(target reflect.Value, raw json.RawMessage) error {
	if string(raw) == "null" {
		return problems.InvalidArgument("%s is null: it must be a string.", f.name)
	}
	if f.lenient {
		raw = f.lossless(raw)
	}
	if f.typ == partnerIDType {
		return f.readPartnerID(target, raw)
	}
	return f.readString(target, raw)
}

func (f field) listSchema() *jsonschema.Schema {
	item := f.item(f.name)
	item.doc = ""
	s := &jsonschema.Schema{Description: f.doc, Type: "array", Items: item.schema(), MaxItems: new(f.most())}
	if !f.lenient {
		s.MinItems = new(1)
	}
	return s
}
