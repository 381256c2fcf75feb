package schemas_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode"

	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas"
	"mcp-partner/schemas/problems"
)

func TestEveryOperationIsComplete(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, op := range schemas.Catalogue() {
		if seen[op.Name] {
			t.Errorf("%s stands in the catalogue twice", op.Name)
		}
		seen[op.Name] = true
		if op.Title == "" || op.Summary == "" || op.Use == "" || op.Input == nil || len(op.Answer) == 0 || len(op.Examples) == 0 {
			t.Errorf("%s lacks a title, summary, use, input, answer or example", op.Name)
		}
		if op.Azure != (len(op.Routes) > 0) {
			t.Errorf("%s: talks to Azure is %v, and it has %d routes", op.Name, op.Azure, len(op.Routes))
		}
		writes := slices.ContainsFunc(op.Routes, func(r schemas.Route) bool { return r.Method != "GET" })
		if writes != op.Effect.Writes() {
			t.Errorf("%s: effect %s does not fit its routes", op.Name, op.Effect)
		}
		for _, example := range op.Examples {
			if _, err := op.Decode(example.Arguments); err != nil {
				t.Errorf("%s: example %q: %v", op.Name, example.Says, err)
			}
		}
	}
}

// The texts that every conversation pays for stay small.
func TestBudget(t *testing.T) {
	t.Parallel()
	bytes := 0
	for _, op := range schemas.Catalogue() {
		bytes += len(op.Description())
	}
	if average := bytes / len(schemas.Catalogue()); average > 350 {
		t.Errorf("descriptions have %d bytes on average, more than 350", average)
	}
}

func TestSchemasAreClosedAndDescribed(t *testing.T) {
	t.Parallel()
	for _, op := range schemas.Catalogue() {
		input := op.InputSchema()
		if raw, _ := json.Marshal(input.AdditionalProperties); string(raw) != "false" {
			t.Errorf("%s: additionalProperties is %s", op.Name, raw)
		}
		for name, property := range input.Properties {
			if property.Description == "" || property.Type == "" {
				t.Errorf("%s.%s has no description or type", op.Name, name)
			}
		}
		for _, name := range op.Answer {
			if op.AnswerSchema().Properties[name] == nil {
				t.Errorf("%s: the answer field %s is not in the envelope", op.Name, name)
			}
		}
	}
}

func TestCodesAreClosedAndHaveMessages(t *testing.T) {
	t.Parallel()
	seen := map[problems.Code]bool{}
	for _, info := range problems.Codes() {
		if seen[info.Code] {
			t.Errorf("%s stands twice", info.Code)
		}
		seen[info.Code] = true
		if info.Meaning == "" || info.Hint == "" {
			t.Errorf("%s has no meaning or hint", info.Code)
		}
		if strings.ToLower(string(info.Code)) != string(info.Code) {
			t.Errorf("%s is not in lower case", info.Code)
		}
	}
	if problem := problems.As(json.Unmarshal([]byte("{"), new(int))); problem.Code != problems.CodeInternal {
		t.Errorf("a foreign error became %s", problem.Code)
	}
	if problems.As(nil) != nil {
		t.Error("no error became a problem")
	}
}

func TestSanitize(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ in, want string }{
		"plain":            {"Contoso Cloud", "Contoso Cloud"},
		"escape sequence":  {"\x1b[31mred\x1b[0m", "[31mred[0m"},
		"lines":            {"a\r\n\tb\u2028c", "a b c"},
		"right to left":    {"abc\u202egnp.exe", "abcgnp.exe"},
		"isolates":         {"\u2066x\u2069", "x"},
		"zero width":       {"a\u200bb\ufeffc", "abc"},
		"tags":             {"a\U000e0041b", "ab"},
		"invalid UTF-8":    {"a\xff\xfeb", "ab"},
		"spaces around":    {"  a  ", "a"},
		"other scripts":    {"株式会社コントソ", "株式会社コントソ"},
		"private use":      {"a\ue000b", "ab"},
		"nothing":          {"", ""},
		"variation":        {"a\ufe0fb", "ab"},
		"unassigned plane": {"a\U0003ffffb", "ab"},
	} {
		if got := untrusted.Sanitize(test.in); got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

func TestShownNamesWhatCannotBeSeen(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"contoso":              `"contoso"`,
		"Contoso Ltd":          `"Contoso Ltd"`,
		" contoso":             `"contoso" preceded by a space`,
		"contoso ":             `"contoso" followed by a space`,
		"contoso\u200b":        `"contoso" followed by U+200B`,
		"\u00a0contoso":        `"contoso" preceded by U+00A0`,
		"con\u200btoso":        `"contoso" with U+200B in it`,
		" con\u00adtoso\ufeff": `"contoso" preceded by a space with U+00AD in it followed by U+FEFF`,
		"\u200b":               `"" with U+200B in it`,
		"":                     `""`,
	} {
		if got := untrusted.Shown(text); got != want {
			t.Errorf("%q is shown as %s, want %s", text, got, want)
		}
	}
}

func FuzzSanitize(f *testing.F) {
	f.Add("a\x1b[0m\u202e")
	f.Fuzz(func(t *testing.T, in string) {
		out := untrusted.Sanitize(in)
		if n := len([]rune(out)); n > untrusted.Limit {
			t.Fatalf("%d runes", n)
		}
		for _, r := range out {
			if r != ' ' && (unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
				t.Fatalf("%q holds %U", out, r)
			}
		}
		if again := untrusted.Sanitize(out); again != out {
			t.Fatalf("not stable: %q, then %q", out, again)
		}
	})
}
