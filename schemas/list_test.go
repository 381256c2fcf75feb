package schemas

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"mcp-partner/schemas/partnerid"
	"mcp-partner/schemas/problems"
)

type listInput struct {
	Names []string       `json:"names,omitempty" doc:"Some names." minLength:"1" maxLength:"5" maxItems:"3"`
	IDs   []partnerid.ID `json:"ids,omitempty" doc:"Some IDs."`
}

func TestListsAreDecodedStrictly(t *testing.T) {
	t.Parallel()
	op := Operation{Name: "lists", Input: &listInput{}}
	for _, c := range []struct {
		arguments string
		code      problems.Code
		says      string
	}{
		{`{"names":["a","b"],"ids":["1234567"]}`, "", ""},
		{`{"names":null}`, "", ""},
		{`{"names":[]}`, problems.CodeInvalidArgument, "names is an empty list"},
		{`{"names":"a"}`, problems.CodeInvalidArgument, "names is a string: it must be an array"},
		{`{"names":["a",1]}`, problems.CodeInvalidArgument, "names[1] is a JSON number"},
		{`{"names":["a",null]}`, problems.CodeInvalidArgument, "names[1] is null"},
		{`{"names":["a","toolong"]}`, problems.CodeInvalidArgument, "names[1] has 7 characters"},
		{`{"names":["a",""]}`, problems.CodeInvalidArgument, "names[1] is empty"},
		{`{"names":["a","b","c","d"]}`, problems.CodeInvalidArgument, "names has 4 items"},
		{`{"ids":["1234567",1234567]}`, problems.CodeInvalidPartnerID, "ids[1] is a JSON number"},
		{`{"ids":["12"]}`, problems.CodeInvalidPartnerID, "ids[0] has 2 digits"},
	} {
		in, err := op.Decode(json.RawMessage(c.arguments))
		if c.code == "" {
			if err != nil {
				t.Errorf("%s: %v", c.arguments, err)
			} else if got := in.Input.(*listInput); c.says == "" && strings.Contains(c.arguments, `"b"`) && (!slices.Equal(got.Names, []string{"a", "b"}) || !slices.Equal(got.IDs, []partnerid.ID{"1234567"})) {
				t.Errorf("%s: %+v", c.arguments, got)
			}
			continue
		}
		if p := problems.As(err); err == nil || p.Code != c.code || !strings.Contains(p.Message, c.says) {
			t.Errorf("%s: %v, want %s with %q", c.arguments, err, c.code, c.says)
		}
	}
}

func TestListsHaveASchema(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(Operation{Input: &listInput{}}.InputSchema())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"names":{"type":"array","items":{"type":"string","minLength":1,"maxLength":5},"description":"Some names.","minItems":1,"maxItems":3}`,
		`"items":{"type":"string","pattern":"^[1-9]\\d{3,9}$"}`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s has no %s", text, want)
		}
	}
}
