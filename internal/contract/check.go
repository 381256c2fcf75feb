package contract

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"mcp-partner/armclient"
)

// Findings is how traffic compares with the document. No text in it repeats
// what the server said, but for names of members and headers.
type Findings struct {
	// Differs is what the document rules out.
	Differs []string
	// Notes is what the document leaves open and a reader may want to know.
	Notes []string
}

func (f *Findings) differs(format string, args ...any) {
	f.Differs = append(f.Differs, fmt.Sprintf(format, args...))
}

func (f *Findings) note(format string, args ...any) {
	f.Notes = append(f.Notes, fmt.Sprintf(format, args...))
}

// Answer compares the answer to an operation with the document.
func (d *Document) Answer(op Operation, x armclient.Exchange) Findings {
	var f Findings
	response, ok := d.response(op, x.Status)
	if !ok {
		f.differs("status %d is not documented for %s", x.Status, op.ID)
		return f
	}
	d.headers(&f, response, x.Header)
	d.body(&f, response, x)
	return f
}

func (d *Document) headers(f *Findings, response place, header http.Header) {
	documented, _ := d.child(response, "headers")
	for _, name := range slices.Sorted(maps.Keys(documented.node)) {
		at, _ := d.child(documented, name)
		value := header.Get(name)
		switch {
		case value != "" && d.invalid(at, value) != "":
			f.differs("the header %s is not what the document says", name)
		case value == "" && name != "WWW-Authenticate": // which is not kept
			f.note("no header %s", name)
		}
	}
	for _, name := range []string{"Location", "Azure-Asyncoperation"} {
		if header.Get(name) != "" {
			f.differs("a header %s, as long-running operations have it", name)
		}
	}
}

func (d *Document) body(f *Findings, response place, x armclient.Exchange) {
	content, has := d.child(response, "content")
	kind := x.Header.Get("Content-Type")
	switch {
	case x.Echoed:
		f.differs("the answer repeats the token, which was taken out")
	case x.Body == nil:
		f.differs("the body could not be read to its end")
	case !has && (len(x.Body) > 0 || kind != ""):
		f.differs("a body or a Content-Type where the document has none")
	case !has:
	case len(x.Body) == 0 && kind == "" && x.Status >= http.StatusBadRequest:
		f.note("an error without a body")
	default:
		d.media(f, content, kind, x.Body)
	}
}

func (d *Document) media(f *Findings, content place, kind string, body []byte) {
	base, _, err := mime.ParseMediaType(kind)
	media, ok := d.child(content, base)
	if err != nil || !ok {
		f.differs("the Content-Type is not one that the document has")
		return
	}
	if base == "text/html" {
		f.note("a page of a gateway, not an answer of the provider")
		return
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		f.differs("the body is not JSON")
		return
	}
	if wrong := d.invalid(media, value); wrong != "" {
		f.differs("the body is not what the document says: %s", wrong)
	}
	schema, _ := d.child(media, "schema")
	for _, name := range d.strangers(schema, value, "") {
		f.note("a member that the document does not list: %s", plainName(name))
	}
}

// invalid says where a value differs from the schema of a place, and in what,
// without the value; "" if it does not.
func (d *Document) invalid(p place, value any) string {
	schema, err := d.schema(p)
	if err != nil {
		return "there is no schema at " + p.at
	}
	err = schema.Validate(value)
	var invalid *jsonschema.ValidationError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &invalid):
		return strings.Join(slices.Compact(slices.Sorted(slices.Values(causes(invalid)))), "; ")
	default:
		return "it cannot be validated"
	}
}

// causes lists the innermost errors: the place, and which rule of the schema.
func causes(e *jsonschema.ValidationError) []string {
	if len(e.Causes) == 0 {
		where := strings.Join(e.InstanceLocation, ".")
		if where == "" {
			where = "the whole"
		}
		return []string{where + " (" + rule(e.ErrorKind) + ")"}
	}
	var all []string
	for _, cause := range e.Causes {
		all = append(all, causes(cause)...)
	}
	return all
}

// rule words which rule was broken; of missing members it names which, because
// the document itself names them.
func rule(broken jsonschema.ErrorKind) string {
	if missing, ok := broken.(*kind.Required); ok {
		return missing.LocalizedString(message.NewPrinter(language.English))
	}
	path := broken.KeywordPath()
	if len(path) == 0 {
		return "not allowed"
	}
	return path[len(path)-1]
}

// plainName shows a member's name as received, with its path, only if it looks
// like a name and is shorter than the pieces of a token that armclient detects,
// which it looks for in values only.
func plainName(name string) string {
	steps := strings.Split(name, ".")
	for i, step := range steps {
		if !nameForm().MatchString(step) {
			steps[i] = "(its name is not shown)"
		}
	}
	return strings.Join(steps, ".")
}

var nameForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[A-Za-z$@_][A-Za-z0-9$@_-]{0,14}$`)
})

// strangers lists the members of a value that its schema does not name.
func (d *Document) strangers(schema place, value any, at string) []string {
	var found []string
	switch v := value.(type) {
	case node:
		properties, ok := d.child(schema, "properties")
		if !ok {
			return nil
		}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			inner, known := d.child(properties, name)
			if _, boolean := properties.node[name].(bool); !known && !boolean {
				found = append(found, at+name)
				continue
			}
			found = append(found, d.strangers(inner, v[name], at+name+".")...)
		}
	case []any:
		items, ok := d.child(schema, "items")
		for i := range v {
			if ok {
				found = append(found, d.strangers(items, v[i], at)...)
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}
