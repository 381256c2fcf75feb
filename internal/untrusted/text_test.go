package untrusted_test

import (
	"testing"
	"unicode"

	"mcp-partner/internal/untrusted"
)

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

func TestShownNamesInvisibleCharacters(t *testing.T) {
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
