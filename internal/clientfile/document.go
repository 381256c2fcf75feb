package clientfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/tailscale/hujson"
)

// defaultUnit is the indentation of files without any.
const defaultUnit = "  "

// byteOrderMark begins files that some editors on Windows write.
var byteOrderMark = []byte("\xef\xbb\xbf")

// document is the text of a JSON file with comments and trailing commas. Changes
// edit the text at the offsets that the parser found.
type document struct {
	// mark is the byte order mark, if there is one; text is what follows it.
	mark, text []byte
	root       hujson.Value
	newline    string
	unit       string
}

// setAt returns the text with a value at a path of members, and creates missing
// objects. An equal value stays as it was written.
func setAt(text []byte, path []string, value any) ([]byte, error) {
	d, err := parse(text)
	if err != nil {
		return nil, err
	}
	in, outer := d.root, ""
	for depth, name := range path {
		i, err := find(in, name)
		if err != nil {
			return nil, err
		}
		if i < 0 {
			return d.insert(in, outer, name, nested(path[depth+1:], value)), nil
		}
		member := in.Value.(*hujson.Object).Members[i]
		in, outer = member.Value, indentOf(member.Name.BeforeExtra, outer+d.unit)
		switch last := depth == len(path)-1; {
		case last && says(in, value):
			return text, nil
		case last:
			return d.splice(in.StartOffset, in.EndOffset, d.encode(value, outer)), nil
		case in.Value.Kind() != '{':
			return nil, fmt.Errorf("its member %q is not an object", name)
		}
	}
	return text, nil
}

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
	if !bare(*servers) {
		return d.remove(*servers, i), true, nil
	}
	i, err = find(d.root, c.key)
	return d.remove(d.root, i), true, err
}

// entryOf is the value of the server of that name, or nil.
func (c Client) entryOf(text []byte, name string) (*hujson.Value, error) {
	_, servers, i, err := c.locate(text, name)
	if servers == nil {
		return nil, err
	}
	return &servers.Value.(*hujson.Object).Members[i].Value, nil
}

// locate finds the object of servers and the place of one in it; servers is nil if
// the file has no server of that name.
func (c Client) locate(text []byte, name string) (d *document, servers *hujson.Value, i int, err error) {
	if blank(text) {
		return nil, nil, 0, nil
	}
	if d, err = parse(text); err != nil {
		return nil, nil, 0, err
	}
	if i, err = find(d.root, c.key); err != nil || i < 0 {
		return nil, nil, 0, err
	}
	servers = &d.root.Value.(*hujson.Object).Members[i].Value
	if servers.Value.Kind() != '{' {
		return nil, nil, 0, fmt.Errorf("its member %q is not an object", c.key)
	}
	if i, err = find(*servers, name); err != nil || i < 0 {
		return nil, nil, 0, err
	}
	return d, servers, i, nil
}

func blank(text []byte) bool { return len(bytes.TrimSpace(bytes.TrimPrefix(text, byteOrderMark))) == 0 }

func parse(text []byte) (*document, error) {
	body := bytes.TrimPrefix(text, byteOrderMark)
	root, err := hujson.Parse(body)
	if err != nil {
		return nil, errors.New("it is not JSON" + lineOf(err))
	}
	if root.Value.Kind() != '{' {
		return nil, errors.New("it does not hold one JSON object")
	}
	d := &document{mark: text[:len(text)-len(body)], text: body, root: root, newline: "\n", unit: defaultUnit}
	if bytes.Contains(text, []byte("\r\n")) {
		d.newline = "\r\n"
	}
	if members := root.Value.(*hujson.Object).Members; len(members) > 0 {
		if unit := indentOf(members[0].Name.BeforeExtra, defaultUnit); unit != "" {
			d.unit = unit
		}
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
func find(in hujson.Value, name string) (int, error) {
	at := -1
	for i, member := range in.Value.(*hujson.Object).Members {
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
func (d *document) insert(into hujson.Value, outer, name string, value any) []byte {
	object := into.Value.(*hujson.Object)
	end := into.EndOffset - 1
	from, comma, indent := into.StartOffset+1, "", outer+d.unit
	if n := len(object.Members); n > 0 {
		last := object.Members[n-1]
		from, indent = last.Value.EndOffset, indentOf(last.Name.BeforeExtra, indent)
		if last.Value.AfterExtra == nil {
			comma = ","
		}
	}
	kept := strings.TrimRight(string(d.text[from:end]), " \t\r\n")
	member := string(hujson.String(name)) + ": " + d.encode(value, indent)
	return d.splice(from, end, comma+kept+d.newline+indent+member+d.newline+indentOf(d.text[from:end], outer))
}

// remove deletes a member of an object with its comma.
func (d *document) remove(from hujson.Value, i int) []byte {
	members := from.Value.(*hujson.Object).Members
	m := members[i]
	kept := strings.TrimRight(string(m.Name.BeforeExtra), " \t\r\n")
	begin, end := m.Name.StartOffset-len(m.Name.BeforeExtra), m.Value.EndOffset
	switch {
	case m.Value.AfterExtra != nil || i < len(members)-1:
		end += len(m.Value.AfterExtra) + 1 // the comma behind it
	case i > 0:
		begin-- // the comma before it
	}
	if bare(from) {
		kept, end = "", from.EndOffset-1 // nothing is left: {}
	}
	return d.splice(begin, end, kept)
}

func (d *document) splice(from, to int, with string) []byte {
	var out bytes.Buffer
	out.Write(d.mark)
	out.Write(d.text[:from])
	out.WriteString(with)
	out.Write(d.text[to:])
	return out.Bytes()
}

// encode writes a value with the file's indentation and line ends.
func (d *document) encode(value any, indent string) string {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent(indent, d.unit)
	if err := encoder.Encode(value); err != nil {
		panic("clientfile: " + err.Error()) // strings and objects of them cannot fail
	}
	return strings.ReplaceAll(strings.TrimSuffix(out.String(), "\n"), "\n", d.newline)
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
func bare(object hujson.Value) bool {
	members := object.Value.(*hujson.Object).Members
	if len(members) != 1 {
		return false
	}
	m := members[0]
	for _, extra := range []hujson.Extra{
		m.Name.BeforeExtra, m.Name.AfterExtra, m.Value.BeforeExtra, m.Value.AfterExtra, object.Value.(*hujson.Object).AfterExtra,
	} {
		if !extra.IsStandard() {
			return false
		}
	}
	return true
}
