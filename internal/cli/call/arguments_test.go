package call

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"mcp-partner/internal/exit"
	"mcp-partner/schemas"
)

func TestArguments(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, base string
		flags      []string
		want       string
	}{
		{name: "none"},
		{name: "flags", flags: []string{"--tenant", "a\"b", "--limit", "7", "--discover"}, want: `{"tenant":"a\"b","limit":7,"discover":true}`},
		{name: "wrong types go on as text", flags: []string{"--limit", "07", "--discover=maybe"}, want: `{"limit":"07","discover":"maybe"}`},
		{name: "base alone", base: ` {"tenant":"x"} `, want: ` {"tenant":"x"} `},
		{name: "both", base: `{ "tenant":"x" }`, flags: []string{"--limit", "1"}, want: `{"tenant":"x","limit":1}`},
		{name: "empty object", base: `{}`, flags: []string{"--limit", "1"}, want: `{"limit":1}`},
		{name: "null", base: `null`, flags: []string{"--limit", "1"}, want: `{"limit":1}`},
		{name: "twice", base: `{"limit":2}`, flags: []string{"--limit", "1"}, want: `{"limit":2,"limit":1}`},
		{name: "no object", base: `[1]`, flags: []string{"--limit", "1"}, want: `[1]`},
		{name: "broken", base: `{"a":`, flags: []string{"--limit", "1"}, want: `{"a":`},
	}
	op, _ := schemas.Lookup(schemas.ToolListTenants)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			arguments := &toolArguments{base: c.base}
			command := &cobra.Command{}
			arguments.add(command, op)
			if err := command.ParseFlags(c.flags); err != nil {
				t.Fatal(err)
			}
			got, err := arguments.json(strings.NewReader(""), command.Flags())
			if err != nil || string(got) != c.want {
				t.Errorf("got %s, %v; want %s", got, err, c.want)
			}
		})
	}
}

func TestUnreadableStandardInputIsAnError(t *testing.T) {
	t.Parallel()
	arguments := &toolArguments{base: "-"}
	if _, err := arguments.json(strings.NewReader(strings.Repeat("x", maxArguments+1)), nil); exit.Of(err).Code != exit.CodeUsage {
		t.Errorf("error %v, want one of usage", err)
	}
}
