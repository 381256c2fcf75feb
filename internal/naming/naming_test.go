package naming

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"mcp-partner/internal/testkit"
)

// Names that are taken are found again in whatever case they are written, and
// hold nothing that a terminal or a path would read in its own way.
func FuzzNames(f *testing.F) {
	for _, name := range []string{"contoso", "Straße", "a.b", "\u202e", "½", "ǅ", "İ", "Ꮪ", "a\x00"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if Check("name", name) != nil {
			return
		}
		if Fold(Fold(name)) != Fold(name) {
			t.Errorf("folding %q is not stable", name)
		}
		if Fold(strings.ToUpper(name)) != Fold(name) && isASCII(name) {
			t.Errorf("%q is not found in upper case", name)
		}
		if strings.ContainsAny(name+Fold(name), "/\\.:\x1b \t\r\n\u202e\u200b") {
			t.Errorf("%q was taken", name)
		}
	})
}

// Every letter that a name may have folds to one form, once and for all, from
// either of its cases. The Turkish letters are the two that Unicode excepts:
// their other case is another letter's.
func TestEachLetterFolds(t *testing.T) {
	testkit.SkipShort(t, testkit.Properties)
	for r := rune(utf8.RuneSelf); r <= unicode.MaxRune; r++ {
		name := string(r)
		if Check("name", name) != nil || r == 'İ' || r == 'ı' {
			continue
		}
		folded := Fold(name)
		for _, written := range []string{folded, strings.ToUpper(name), strings.ToLower(name)} {
			if Fold(written) != folded {
				t.Errorf("%q (%U) folds to %q, written as %q to %q", name, r, folded, written, Fold(written))
			}
		}
	}
}
