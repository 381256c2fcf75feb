package schemas

import (
	"cmp"
	"encoding/json"
	"reflect"
	"slices"

	"github.com/google/jsonschema-go/jsonschema"

	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/partnerid"
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
