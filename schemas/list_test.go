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
		{arguments: `{"names":["a","b"],"ids":["1234567"]}`},
		{arguments: `{"names":null}`},
		{arguments: `{"names":[]}`, code: problems.CodeInvalidArgument, says: "names is an empty list"},
		{arguments: `{"names":"a"}`, code: problems.CodeInvalidArgument, says: "names is a string: it must be an array"},
		{arguments: `{"names":["a",1]}`, code: problems.CodeInvalidArgument, says: "names[1] is a JSON number"},
		{arguments: `{"names":["a",null]}`, code: problems.CodeInvalidArgument, says: "names[1] is null"},
		{arguments: `{"names":["a","toolong"]}`, code: problems.CodeInvalidArgument, says: "names[1] has 7 characters"},
		{arguments: `{"names":["a",""]}`, code: problems.CodeInvalidArgument, says: "names[1] is empty"},
		{arguments: `{"names":["a","b","c","d"]}`, code: problems.CodeInvalidArgument, says: "names has 4 items"},
		{arguments: `{"ids":["1234567",1234567]}`, code: problems.CodeInvalidPartnerID, says: "ids[1] is a JSON number"},
		{arguments: `{"ids":["12"]}`, code: problems.CodeInvalidPartnerID, says: "ids[0] has 2 digits"},
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
