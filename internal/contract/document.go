package contract

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"mcp-partner/schemas"
)

// location is what the document calls itself inside the schema compiler.
const location = "https://mcp-partner.invalid/openapi.json"

type node = map[string]any

// Document is the wire contract, ready to be compared with. It is safe for
// concurrent use.
type Document struct {
	root node
	// routes finds the operations, by their patterns.
	routes     *http.ServeMux
	operations map[string]Operation

	mu       sync.Mutex
	compiler *jsonschema.Compiler
}

// Load reads the embedded contract.
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
	d := &Document{root: root, compiler: compiler, routes: http.NewServeMux(), operations: map[string]Operation{}}
	for _, op := range d.Operations() {
		pattern := op.Method + " " + op.Path
		d.routes.Handle(pattern, http.NotFoundHandler())
		d.operations[pattern] = op
	}
	return d, nil
}

// schema compiles the schema at a place; the compiler keeps what it has compiled.
func (d *Document) schema(p place) (*jsonschema.Schema, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.compiler.Compile(location + p.at + "/schema")
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
	_, pattern := d.routes.Handler(&http.Request{Method: method, URL: &url.URL{Path: strings.TrimSuffix(path, "/")}})
	op, ok := d.operations[pattern]
	return op, ok
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
