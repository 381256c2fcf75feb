package term

import (
	"bytes"
	"testing"
)

func TestStreamedListMatchesWholeList(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		items []any
	}{
		{"none", []any{}}, {"one", []any{"a"}}, {"several", []any{map[string]int{"a": 1}, "b\u202e", 3}},
	} {
		for _, terminal := range []bool{false, true} {
			var whole, list bytes.Buffer
			if err := (&Streams{Out: &whole, OutTTY: terminal}).PrintJSON(map[string]any{"items": test.items}); err != nil {
				t.Fatal(err)
			}
			err := (&Streams{Out: &list, OutTTY: terminal}).PrintJSONList("items", func(print func(any)) error {
				for _, item := range test.items {
					print(item)
				}
				return nil
			})
			if err != nil || list.String() != whole.String() {
				t.Errorf("%s, terminal %t: %q, %v; want %q", test.name, terminal, list.String(), err, whole.String())
			}
		}
	}
	if err := (&Streams{Out: new(bytes.Buffer)}).PrintJSONList("items", func(print func(any)) error { print(func() {}); return nil }); err == nil {
		t.Error("what is no JSON was printed")
	}
}
