package clientfile

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/tailscale/hujson"
)

// Server is what a client connects to: a command that it starts, or a URL.
type Server struct {
	Command string
	Args    []string
	URL     string
	// ClientID is the client's ID at the issuer of the server at URL; "" if clients
	// register themselves.
	ClientID string
}

// member is a member of an entry with its path.
type member struct {
	path  []string
	value any
}

// members are the server's entry in the client's form.
func (c Client) members(s Server) ([]member, error) {
	var all []member
	add := func(value any, path ...string) { all = append(all, member{path, value}) }
	if s.URL != "" && c.noRemote != "" {
		return nil, errors.New(c.noRemote)
	}
	if s.ClientID != "" && c.clientID == nil {
		return nil, errors.New("the configuration of " + c.Title + " has no place for the ID of a registration")
	}
	kind := "http"
	if s.URL == "" {
		kind = cmp.Or(c.command, "stdio")
	}
	if c.typed {
		add(kind, "type")
	}
	if s.URL == "" {
		add(s.Command, "command")
		add(s.Args, "args")
	} else {
		add(s.URL, c.urlMember())
	}
	if s.ClientID != "" {
		add(s.ClientID, c.clientID...)
	}
	if c.allTools {
		add([]string{"*"}, "tools")
	}
	return all, nil
}

func (c Client) urlMember() string { return cmp.Or(c.urlKey, "url") }

// writes reports whether Set writes a member of an entry.
func (c Client) writes(member string) bool {
	return slices.Contains([]string{"type", "command", "args", c.urlMember()}, member) || c.allTools && member == "tools"
}

// Set returns the file's text with the server under that name. An existing entry
// keeps members that a person added, such as variables, if it uses the same
// transport. Empty text makes a new file. An error says why the text cannot be
// changed.
func (c Client) Set(text []byte, name string, s Server) ([]byte, error) {
	members, err := c.members(s)
	if err != nil {
		return nil, err
	}
	d, servers, i, err := c.locate(text, name)
	if err != nil {
		return nil, err
	}
	entry := []string{c.key, name}
	if servers != nil && c.sameWay(servers.Members[i].Value, s) {
		keep := c.extended(servers.Members[i].Value)
		err := d.setAll(entry, members)
		if merged := d.text(); err != nil || keep || bytes.Equal(merged, text) {
			return merged, err
		}
	}
	if err := d.set(entry, struct{}{}); err != nil {
		return nil, err
	}
	err = d.setAll(entry, members)
	return d.text(), err
}

func (d *document) setAll(entry []string, members []member) error {
	for _, m := range members {
		if err := d.set(slices.Concat(entry, m.path), m.value); err != nil {
			return err
		}
	}
	return nil
}

// sameWay reports whether an entry uses the transport of s.
func (c Client) sameWay(old hujson.Value, s Server) bool {
	object, ok := old.Value.(*hujson.Object)
	if !ok {
		return false
	}
	has := func(name string) bool {
		return slices.ContainsFunc(object.Members, func(m hujson.ObjectMember) bool { return nameOf(m) == name })
	}
	return has(c.urlMember()) == (s.URL != "") && has("command") == (s.URL == "")
}

// extended reports whether an entry has members that Set does not write.
func (c Client) extended(old hujson.Value) bool {
	object := old.Value.(*hujson.Object)
	written := func(m hujson.ObjectMember) bool {
		return c.writes(nameOf(m)) && m.Name.BeforeExtra.IsStandard()
	}
	return slices.ContainsFunc(object.Members, func(m hujson.ObjectMember) bool { return !written(m) }) || !object.AfterExtra.IsStandard()
}

func nameOf(m hujson.ObjectMember) string { return m.Name.Value.(hujson.Literal).String() }

// Find returns the server of that name; found is false if the text has no such
// entry.
func (c Client) Find(text []byte, name string) (server Server, found bool, err error) {
	value, err := c.entryOf(text, name)
	if err != nil || value == nil {
		return Server{}, false, err
	}
	plain := value.Clone()
	plain.Standardize()
	var e struct {
		Command string   `json:"command"`
		Args    []string `json:"args"`
		URL     string   `json:"url"`
		HTTPURL string   `json:"httpUrl"`
		AtURL   string   `json:"serverUrl"`
		OAuth   struct {
			ClientID string `json:"clientId"`
		} `json:"oauth"`
		Auth struct {
			ClientID string `json:"CLIENT_ID"`
		} `json:"auth"`
	}
	if json.Unmarshal(plain.Pack(), &e) != nil {
		return Server{}, true, errors.New("the entry is not that of a server")
	}
	return Server{Command: e.Command, Args: e.Args, URL: map[string]string{"url": e.URL, "httpUrl": e.HTTPURL, "serverUrl": e.AtURL}[c.urlMember()], ClientID: cmp.Or(e.OAuth.ClientID, e.Auth.ClientID)}, true, nil
}

// Kept lists the names of members of an entry that Set does not write, and of
// variables as "env NAME". It returns no values.
func (c Client) Kept(text []byte, name string) (kept []string) {
	value, err := c.entryOf(text, name)
	if err != nil || value == nil {
		return nil
	}
	object, ok := value.Value.(*hujson.Object)
	if !ok {
		return nil
	}
	for _, m := range object.Members {
		member := nameOf(m)
		variables, ok := m.Value.Value.(*hujson.Object)
		switch {
		case c.writes(member) || len(c.clientID) > 0 && member == c.clientID[0]:
		case member == "env" && ok:
			for _, variable := range variables.Members {
				kept = append(kept, "env "+nameOf(variable))
			}
		default:
			kept = append(kept, member)
		}
	}
	return kept
}

// defaultUnit is the indentation of files without any.
const defaultUnit = "  "

// byteOrderMark begins files that some editors on Windows write.
var byteOrderMark = []byte("\xef\xbb\xbf")

// document is a JSON file with comments and trailing commas. Changes keep the text of
// everything else.
type document struct {
	// mark is the byte order mark, if there is one; root is what follows it.
	mark    []byte
	root    hujson.Value
	newline string
	unit    string
}

func (d *document) text() []byte { return slices.Concat(d.mark, d.root.Pack()) }

// set gives the member at a path a value, and creates missing objects. An equal value
// stays as it was written.
func (d *document) set(path []string, value any) error {
	in, outer := &d.root, ""
	for depth, name := range path {
		object, ok := in.Value.(*hujson.Object)
		if !ok {
			return notObject(path[depth-1])
		}
		i, err := find(object, name)
		if err != nil {
			return err
		}
		if i < 0 {
			d.insert(object, outer, name, nested(path[depth+1:], value))
			return nil
		}
		member := &object.Members[i]
		in, outer = &member.Value, indentOf(member.Name.BeforeExtra, outer+d.unit)
	}
	if !says(*in, value) {
		in.Value = d.encode(value, outer)
	}
	return nil
}

func notObject(name string) error { return fmt.Errorf("its member %q is not an object", name) }

// nested wraps a value in objects of one member.
func nested(names []string, value any) any {
	for _, name := range slices.Backward(names) {
		value = map[string]any{name: value}
	}
	return value
}

// says reports whether two values mean the same.
func says(have hujson.Value, value any) bool {
	plain := have.Clone()
	plain.Standardize()
	text, err := json.Marshal(value)
	var a, b any
	return err == nil && json.Unmarshal(plain.Pack(), &a) == nil && json.Unmarshal(text, &b) == nil && reflect.DeepEqual(a, b)
}

// Remove returns the file's text without the server of that name, and without an
// empty list of servers. If found is false, the text is unchanged.
func (c Client) Remove(text []byte, name string) (without []byte, found bool, err error) {
	d, servers, i, err := c.locate(text, name)
	if servers == nil {
		return text, false, err
	}
	if bare(servers) {
		servers = d.root.Value.(*hujson.Object)
		i, err = find(servers, c.key)
	}
	remove(servers, i)
	return d.text(), true, err
}

// entryOf is the value of the server of that name, or nil.
func (c Client) entryOf(text []byte, name string) (*hujson.Value, error) {
	_, servers, i, err := c.locate(text, name)
	if servers == nil {
		return nil, err
	}
	return &servers.Members[i].Value, nil
}

// locate finds the object of servers and the place of one in it; servers is nil if
// the file has no server of that name.
func (c Client) locate(text []byte, name string) (d *document, servers *hujson.Object, i int, err error) {
	if d, err = parse(text); err != nil {
		return nil, nil, 0, err
	}
	root := d.root.Value.(*hujson.Object)
	if i, err = find(root, c.key); err != nil || i < 0 {
		return d, nil, 0, err
	}
	servers, ok := root.Members[i].Value.Value.(*hujson.Object)
	if !ok {
		return d, nil, 0, notObject(c.key)
	}
	if i, err = find(servers, name); err != nil || i < 0 {
		return d, nil, 0, err
	}
	return d, servers, i, nil
}

// parse reads a file; one without text is an empty object.
func parse(text []byte) (*document, error) {
	body := bytes.TrimPrefix(text, byteOrderMark)
	mark := text[:len(text)-len(body)]
	if len(bytes.TrimSpace(body)) == 0 {
		body = []byte("{}\n")
	}
	root, err := hujson.Parse(body)
	if err != nil {
		return nil, errors.New("it is not JSON" + lineOf(err))
	}
	object, ok := root.Value.(*hujson.Object)
	if !ok {
		return nil, errors.New("it does not hold one JSON object")
	}
	d := &document{mark: mark, root: root, newline: "\n", unit: defaultUnit}
	if bytes.Contains(text, []byte("\r\n")) {
		d.newline = "\r\n"
	}
	if len(object.Members) > 0 {
		d.unit = cmp.Or(indentOf(object.Members[0].Name.BeforeExtra, defaultUnit), defaultUnit)
	}
	return d, nil
}

// lineOf extracts the position from a parser's error, whose text may repeat
// contents of the file.
func lineOf(err error) string {
	var line, column int
	if _, scanErr := fmt.Sscanf(err.Error(), "hujson: line %d, column %d", &line, &column); scanErr != nil {
		return ""
	}
	return fmt.Sprintf(" (line %d, column %d)", line, column)
}

// find returns the index of a member, or -1. A repeated member is refused: it is
// unknown which one a client reads.
func find(in *hujson.Object, name string) (int, error) {
	at := -1
	for i, member := range in.Members {
		if nameOf(member) != name {
			continue
		}
		if at >= 0 {
			return -1, fmt.Errorf("its member %q appears twice", name)
		}
		at = i
	}
	return at, nil
}

// insert appends a member to an object, which is indented by outer, and keeps
// comments in place.
func (d *document) insert(into *hujson.Object, outer, name string, value any) {
	indent := outer + d.unit
	if n := len(into.Members); n > 0 {
		indent = indentOf(into.Members[n-1].Name.BeforeExtra, indent)
	}
	into.Members = append(into.Members, hujson.ObjectMember{
		Name:  hujson.Value{BeforeExtra: hujson.Extra(comments(into.AfterExtra) + d.newline + indent), Value: hujson.String(name)},
		Value: hujson.Value{BeforeExtra: hujson.Extra(" "), Value: d.encode(value, indent)},
	})
	into.AfterExtra = hujson.Extra(d.newline + indentOf(into.AfterExtra, outer))
}

// comments are what stands before a member or an end, without the white space that
// follows them.
func comments(extra hujson.Extra) string { return strings.TrimRight(string(extra), " \t\r\n") }

// remove deletes a member of an object with its comma, and keeps the comments above
// it.
func remove(from *hujson.Object, i int) {
	if bare(from) {
		*from = hujson.Object{}
		return
	}
	removed := from.Members[i]
	kept := comments(removed.Name.BeforeExtra)
	from.Members = slices.Delete(from.Members, i, i+1)
	if i < len(from.Members) {
		next := &from.Members[i].Name
		next.BeforeExtra = hujson.Extra(kept + string(next.BeforeExtra))
		return
	}
	from.AfterExtra = hujson.Extra(kept + string(from.AfterExtra))
	if i > 0 {
		last := &from.Members[i-1].Value
		from.AfterExtra = slices.Concat(last.AfterExtra, from.AfterExtra)
		last.AfterExtra = removed.Value.AfterExtra // the comma at the end, if there is one
	}
}

// encode is a value with the file's indentation and line ends.
func (d *document) encode(value any, indent string) hujson.ValueTrimmed {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent(indent, d.unit)
	err := encoder.Encode(value)
	parsed, parseErr := hujson.Parse(bytes.ReplaceAll(bytes.TrimSpace(out.Bytes()), []byte("\n"), []byte(d.newline)))
	if err := cmp.Or(err, parseErr); err != nil {
		panic("clientfile: " + err.Error()) // strings and objects of them cannot fail
	}
	return parsed.Value
}

// indentOf is the white space after the last line end before a member, or other
// without a line end.
func indentOf(before []byte, otherwise string) string {
	i := bytes.LastIndexByte(before, '\n')
	if i < 0 {
		return otherwise
	}
	indent := string(before[i+1:])
	if strings.Trim(indent, " \t") != "" {
		return otherwise // a comment stands before it on the line
	}
	return indent
}

// bare reports whether an object has a single member and no comment, so that
// nothing remains without it.
func bare(object *hujson.Object) bool {
	if len(object.Members) != 1 {
		return false
	}
	m := object.Members[0]
	extras := []hujson.Extra{m.Name.BeforeExtra, m.Name.AfterExtra, m.Value.BeforeExtra, m.Value.AfterExtra, object.AfterExtra}
	return !slices.ContainsFunc(extras, func(extra hujson.Extra) bool { return !extra.IsStandard() })
}
