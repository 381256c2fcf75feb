package naming

import "strings"

// twins are letters of other scripts, folded, that look like a Latin letter in one
// of their cases.
var twins = strings.NewReplacer(
	// Cyrillic
	"а", "a", "в", "b", "с", "c", "ԁ", "d", "е", "e", "ё", "e", "һ", "h", "н", "h", "і", "i", "ї", "i", "ј", "j", "к", "k", "ӏ", "l", "м", "m", "о", "o",
	"р", "p", "ԛ", "q", "ѕ", "s", "т", "t", "ѵ", "v", "ԝ", "w", "х", "x", "у", "y", "ү", "y",
	// Greek
	"α", "a", "β", "b", "ε", "e", "η", "h", "ι", "i", "κ", "k", "μ", "m", "ν", "v", "ο", "o", "ρ", "p", "τ", "t", "υ", "y", "χ", "x", "ζ", "z", "ω", "w",
	// Armenian, and Latin letters that are drawn like others
	"հ", "h", "ո", "n", "օ", "o", "ս", "u", "ց", "g", "ı", "i", "ɑ", "a", "ɡ", "g", "ɩ", "i", "ʋ", "v",
)

// Look maps a name to what a person reads: two names of one look are twins.
func Look(name string) string {
	if isASCII(name) {
		return Fold(name)
	}
	return twins.Replace(Fold(name))
}
