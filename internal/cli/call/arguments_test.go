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
		{"none", "", nil, ""},
		{"flags", "", []string{"--tenant", "a\"b", "--limit", "7", "--discover"}, `{"tenant":"a\"b","limit":7,"discover":true}`},
		{"wrong types go on as text", "", []string{"--limit", "07", "--discover=maybe"}, `{"limit":"07","discover":"maybe"}`},
		{"base alone", ` {"tenant":"x"} `, nil, ` {"tenant":"x"} `},
		{"both", `{ "tenant":"x" }`, []string{"--limit", "1"}, `{"tenant":"x","limit":1}`},
		{"empty object", `{}`, []string{"--limit", "1"}, `{"limit":1}`},
		{"null", `null`, []string{"--limit", "1"}, `{"limit":1}`},
		{"twice", `{"limit":2}`, []string{"--limit", "1"}, `{"limit":2,"limit":1}`},
		{"no object", `[1]`, []string{"--limit", "1"}, `[1]`},
		{"broken", `{"a":`, []string{"--limit", "1"}, `{"a":`},
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
