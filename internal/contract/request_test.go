package contract

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mcp-partner/armclient"
)

// request compares a request with the document.
func (d *Document) request(x armclient.Exchange) Findings {
	var f Findings
	target, err := url.Parse(x.URL)
	if err != nil {
		f.differs("the URL cannot be read")
		return f
	}
	op, ok := d.Find(x.Method, target.Path)
	if !ok {
		f.differs("no operation has this method and path")
		return f
	}
	if x.Sent != 0 || x.RequestHeader.Get("Content-Type") != "" {
		f.differs("the request has a body, and no operation takes one")
	}
	if x.RequestHeader.Get("If-Match")+x.RequestHeader.Get("If-None-Match") != "" {
		f.differs("the request is conditional, and no operation is")
	}
	d.parameters(&f, op, target, x.RequestHeader)
	return f
}

func (d *Document) parameters(f *Findings, op Operation, target *url.URL, header http.Header) {
	known := map[string]bool{}
	list, _ := op.place.node["parameters"].([]any)
	for i := range list {
		element, _ := list[i].(node)
		parameter := d.resolved(place{element, fmt.Sprintf("%s/parameters/%d", op.place.at, i)})
		name, _ := parameter.node["name"].(string)
		known[name] = parameter.node["in"] == "query" || known[name]
		value, given := given(op, target, header, name, parameter.node["in"])
		switch required := parameter.node["required"] == true; {
		case !given && required:
			f.differs("%s is missing", name)
		case given && d.invalid(parameter, value) != "":
			f.differs("%s is not what the document wants", name)
		}
	}
	for name := range target.Query() {
		if !known[name] {
			f.differs("the query has %s, which the document does not know", name)
		}
	}
}

func given(op Operation, target *url.URL, header http.Header, name string, in any) (string, bool) {
	switch in {
	case "path":
		values, _ := op.variables(target.Path)
		value, ok := values[name]
		return value, ok
	case "query":
		return target.Query().Get(name), target.Query().Has(name)
	default:
		return header.Get(name), header.Get(name) != ""
	}
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

// documented lists the statuses of an operation as the document writes them.
func (d *Document) documented(o Operation) []string {
	responses, _ := d.child(o.place, "responses")
	return slices.Sorted(maps.Keys(responses.node))
}

// writes reports whether a method is one that takes a permit.
func writes(method string) bool { return method != http.MethodGet }
