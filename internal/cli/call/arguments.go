package call

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/render"
	"mcp-partner/internal/config"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas"
)

// maxArguments bounds what --args - reads, in bytes.
const maxArguments = 4 << 20

// toolArguments collects the arguments of a call. What is wrong with them is
// for the tool to say, in its own answer, so they are passed on as they came:
// an argument that was given twice appears twice.
type toolArguments struct {
	base  string
	given []toolArgument
}

type toolArgument struct {
	name  string
	value json.RawMessage
}

// add makes a flag of every argument of a tool.
func (a *toolArguments) add(command *cobra.Command, op schemas.Operation) {
	schema := op.InputSchema()
	for _, name := range schema.PropertyOrder {
		property := schema.Properties[name]
		text := property.Description
		for _, required := range schema.Required {
			if required == name {
				text += " (required)"
			}
		}
		flag := command.Flags().VarPF(&ArgumentFlag{into: a, name: name, kind: property.Type}, render.Dashed(name), "", text)
		if len(property.Enum) > 0 {
			config.Choices(command.Flags(), flag.Name, xslices.Map(property.Enum, func(value any) string { return fmt.Sprint(value) })...)
		}
		if property.Type == "boolean" {
			flag.NoOptDefVal = "true"
		}
		if name == "tenants" {
			// It hides the bound of that name, whose variable and key are not for it.
			config.Typed(command.Flags(), flag.Name)
		}
	}
}

// ArgumentFlag is one argument of a tool as a flag.
type ArgumentFlag struct {
	into       *toolArguments
	name, kind string
}

var _ pflag.Value = (*ArgumentFlag)(nil)

// Set implements pflag.Value. A value of the wrong type is passed on as text.
func (f *ArgumentFlag) Set(text string) error {
	if f.kind == "array" {
		return f.add(text)
	}
	value, err := json.Marshal(text)
	if err != nil {
		return err
	}
	if f.fits(text) {
		value = []byte(text)
	}
	f.into.given = append(f.into.given, toolArgument{f.name, value})
	return nil
}

// add adds items separated by commas to a list; a flag that is given twice adds
// up.
func (f *ArgumentFlag) add(text string) error {
	var items cmdutil.List
	for _, a := range f.into.given {
		if a.name == f.name {
			if err := json.Unmarshal(a.value, &items); err != nil {
				return err
			}
		}
	}
	if err := items.Set(text); err != nil {
		return err
	}
	value, err := json.Marshal([]string(items))
	if err != nil {
		return err
	}
	f.into.given = append(slices.DeleteFunc(f.into.given, func(a toolArgument) bool { return a.name == f.name }), toolArgument{f.name, value})
	return nil
}

// fits reports whether the text itself is the JSON value.
func (f *ArgumentFlag) fits(text string) bool {
	switch f.kind {
	case "integer":
		n, err := strconv.Atoi(text)
		return err == nil && strconv.Itoa(n) == text
	case "boolean":
		return text == "true" || text == "false"
	}
	return false
}

// String implements pflag.Value: an argument has no default here.
func (f *ArgumentFlag) String() string { return "" }

// Type implements pflag.Value.
func (f *ArgumentFlag) Type() string {
	return cmp.Or(map[string]string{"integer": "N", "boolean": "bool", "array": config.ListType}[f.kind], "TEXT")
}

// json returns the arguments as one JSON object: those of --args, then those
// of the flags. What only a variable says yields to --args.
func (a *toolArguments) json(in io.Reader, flags *pflag.FlagSet) (json.RawMessage, error) {
	base, err := a.read(in)
	if err != nil || len(a.given) == 0 {
		return base, err
	}
	inner, names, ok := membersOf(base)
	if !ok {
		return base, nil // no object: the tool says what is wrong with it
	}
	var b bytes.Buffer
	b.WriteByte('{')
	b.Write(inner)
	for _, argument := range a.given {
		if names[argument.name] != nil && !config.WasTyped(flags, render.Dashed(argument.name)) {
			continue
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Quote(argument.name) + ":")
		b.Write(argument.value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func (a *toolArguments) read(in io.Reader) (json.RawMessage, error) {
	if a.base != "-" {
		return json.RawMessage(a.base), nil
	}
	text, err := io.ReadAll(io.LimitReader(in, maxArguments+1))
	switch {
	case err != nil:
		return nil, exit.Usage("give the arguments with --args JSON", "standard input cannot be read")
	case len(bytes.TrimSpace(text)) == 0:
		return nil, exit.Usage("pipe them in as one JSON object, {} for none", "--args - was given, and standard input is empty")
	case len(text) > maxArguments:
		return nil, exit.Usage("a tool's arguments have a few hundred bytes", "standard input holds more than %d bytes", maxArguments)
	}
	return text, nil
}

// membersOf returns what stands between the braces of a JSON object, and the
// names in it; nothing and null count as the empty object, as they do for the
// tool.
func membersOf(base json.RawMessage) (inner []byte, names map[string]json.RawMessage, ok bool) {
	text := bytes.TrimSpace(base)
	if len(text) == 0 || bytes.Equal(text, []byte("null")) {
		return nil, nil, true
	}
	if text[0] != '{' || json.Unmarshal(text, &names) != nil {
		return nil, nil, false
	}
	return bytes.TrimSpace(text[1 : len(text)-1]), names, true
}
