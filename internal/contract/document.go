package contract

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"mcp-partner/schemas"
)

// location is what the document calls itself inside the schema compiler.
const location = "https://mcp-partner.invalid/openapi.json"

// node is a part of the document.
type node = map[string]any

// Document is the wire contract, ready to be compared with. It is safe for
// concurrent use once it is made.
type Document struct {
	root     node
	compiled map[string]*jsonschema.Schema
}

// Load reads the embedded contract and compiles every schema of a parameter, a
// header or a body.
func Load() (*Document, error) {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(schemas.OpenAPI()))
	if err != nil {
		return nil, fmt.Errorf("contract: the embedded document: %w", err)
	}
	root, ok := value.(node)
	if !ok {
		return nil, errors.New("contract: the embedded document is no object")
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	if err := compiler.AddResource(location, root); err != nil {
		return nil, fmt.Errorf("contract: the embedded document: %w", err)
	}
	d := &Document{root: root, compiled: map[string]*jsonschema.Schema{}}
	return d, d.compile(compiler, root, "#")
}

// compile goes through the document and compiles what stands under "schema".
func (d *Document) compile(compiler *jsonschema.Compiler, value any, at string) error {
	switch v := value.(type) {
	case node:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			where := at + "/" + escapePointer(name)
			if name == "schema" {
				compiled, err := compiler.Compile(location + where)
				if err != nil {
					return fmt.Errorf("contract: %s: %w", where, err)
				}
				d.compiled[where] = compiled
			} else if err := d.compile(compiler, v[name], where); err != nil {
				return err
			}
		}
	case []any:
		for i, element := range v {
			if err := d.compile(compiler, element, at+"/"+strconv.Itoa(i)); err != nil {
				return err
			}
		}
	}
	return nil
}

func escapePointer(name string) string {
	return url.PathEscape(strings.NewReplacer("~", "~0", "/", "~1").Replace(name))
}

// place is a part of the document and where it stands.
type place struct {
	node node
	at   string
}

// child steps down and follows a reference.
func (d *Document) child(p place, name string) (place, bool) {
	value, ok := p.node[name].(node)
	if !ok {
		return place{}, false
	}
	return d.resolved(place{value, p.at + "/" + escapePointer(name)}), true
}

// resolved follows references, all of which are local.
func (d *Document) resolved(p place) place {
	for {
		reference, ok := p.node["$ref"].(string)
		if !ok {
			return p
		}
		next := place{d.root, "#"}
		for _, name := range strings.Split(strings.TrimPrefix(reference, "#/"), "/") {
			inner, _ := next.node[name].(node) // a test resolves every reference
			next = place{inner, next.at + "/" + escapePointer(name)}
		}
		p = next
	}
}

// Operation is one operation of the document.
type Operation struct {
	// ID is its operationId.
	ID string
	// Path is the template, Method in capitals.
	Method, Path string
	place        place
}

// Operations lists all operations, ordered by path and method.
func (d *Document) Operations() []Operation {
	var all []Operation
	paths, _ := d.child(place{d.root, "#"}, "paths")
	for _, path := range slices.Sorted(maps.Keys(paths.node)) {
		item, _ := d.child(paths, path)
		for _, method := range []string{"get", "put", "patch", "delete"} {
			if at, ok := d.child(item, method); ok {
				id, _ := at.node["operationId"].(string)
				all = append(all, Operation{id, strings.ToUpper(method), path, at})
			}
		}
	}
	return all
}

// Find returns the operation of a request. A path that fits no template, or a
// method that the path does not have, gives false.
func (d *Document) Find(method, path string) (Operation, bool) {
	for _, op := range d.Operations() {
		if _, fits := op.variables(path); fits && op.Method == method {
			return op, true
		}
	}
	return Operation{}, false
}

// variables returns the values of the template's variables by name.
func (o Operation) variables(path string) (values map[string]string, fits bool) {
	template, given := strings.Split(o.Path, "/"), strings.Split(strings.TrimSuffix(path, "/"), "/")
	if len(template) != len(given) {
		return nil, false
	}
	values = map[string]string{}
	for i, segment := range template {
		name, variable := strings.CutPrefix(segment, "{")
		switch {
		case variable && given[i] != "":
			values[strings.TrimSuffix(name, "}")] = given[i]
		case segment != given[i]:
			return nil, false
		}
	}
	return values, true
}

// response finds what the document says of a status: the status itself, or its
// class.
func (d *Document) response(o Operation, status int) (place, bool) {
	responses, _ := d.child(o.place, "responses")
	for _, key := range []string{strconv.Itoa(status), fmt.Sprintf("%dXX", status/100)} {
		if found, ok := d.child(responses, key); ok {
			return found, true
		}
	}
	return place{}, false
}

// Evidence returns what the document says of how well an answer is known.
func (d *Document) Evidence(o Operation, status int) string {
	found, ok := d.response(o, status)
	if !ok {
		return ""
	}
	text, _ := found.node["x-evidence"].(string)
	return text
}
