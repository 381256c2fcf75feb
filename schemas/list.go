package schemas

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/google/jsonschema-go/jsonschema"
)

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
		return invalid("%s is %s: it must be an array, such as [\"a\", \"b\"].", f.name, jsonKind(raw))
	}
	switch {
	case len(items) == 0: // in a tool that reads it counts as left out
		return invalid("%s is an empty list: add an item or leave it out.", f.name)
	case len(items) > f.most():
		return invalid("%s has %d items: at most %d are allowed.", f.name, len(items), f.most())
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
		return invalid("%s is null: it must be a string.", f.name)
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
