// Package naming checks and compares the names of tenants and secrets.
package naming

import (
	"encoding/hex"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas/problems"
)

const maxNameRunes = 64

// Fold maps a name or a domain to the form in which they are compared: case folded
// and NFKC, so that two names that a person reads as one are one. The ASCII form of
// an internationalised domain (xn--) folds as what it encodes.
func Fold(text string) string {
	if isASCII(text) {
		text = strings.ToLower(text)
	}
	if strings.Contains(text, ".") {
		text = decodeLabels(text)
	}
	if isASCII(text) {
		return text
	}
	// A Caser has state, so each call makes its own. It swaps the two cases of
	// Cherokee instead of folding them, so the lower case is taken after it.
	return norm.NFKC.String(strings.ToLower(cases.Fold().String(norm.NFKC.String(text))))
}

// acePrefix begins a label of a domain in its ASCII form.
const acePrefix = "xn--"

// decodeLabels undoes the ASCII form of a domain. A label that cannot be decoded
// stays as it is.
func decodeLabels(domain string) string {
	if !strings.Contains(strings.ToLower(domain), acePrefix) {
		return domain
	}
	decoded, err := idna.Punycode.ToUnicode(domain)
	if err != nil {
		return domain
	}
	return decoded
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// Check refuses what cannot be the name of a tenant or a credential. The
// folded form is checked too: some characters turn into a dot or a slash.
func Check(field, name string) error {
	if problem := nameMistake(name); problem != "" {
		return problems.InvalidArgument("%s %q %s.", field, untrusted.Sanitize(name), problem)
	}
	if isASCII(name) {
		return nil
	}
	if problem := nameMistake(Fold(name)); problem != "" {
		return problems.InvalidArgument("%s %q, in its compatible form, %s.", field, untrusted.Sanitize(name), problem)
	}
	return nil
}

func nameMistake(name string) string {
	switch {
	case name == "":
		return "is empty: give a short name such as \"contoso\""
	case !utf8.ValidString(name):
		return "is not valid UTF-8"
	case utf8.RuneCountInString(name) > maxNameRunes:
		return "is longer than 64 characters"
	case IsGUID(name):
		return "looks like a GUID: tenant IDs are GUIDs, so a name must not be one"
	case strings.Contains(name, "."):
		return "has a dot: that would look like a domain or a path"
	}
	return runeMistake(name)
}

// The blanks of the hieroglyphs are letters.
const fullBlank, halfBlank = '\U00013441', '\U00013442'

func runeMistake(name string) string {
	for i, r := range name {
		switch {
		case unicode.IsSpace(r):
			return "has a space: use - or _ instead"
		case r == '/' || r == '\\' || r == ':':
			return "has a path character: names consist of letters, digits, - and _"
		case !unicode.IsGraphic(r), unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector), r == fullBlank, r == halfBlank:
			return "has a control or invisible character"
		case unicode.IsLetter(r) || unicode.IsDigit(r):
		case i == 0:
			return "does not begin with a letter or digit"
		case r != '-' && r != '_' && !unicode.IsMark(r):
			return "has a character other than letters, digits, - and _"
		}
	}
	return ""
}

// Same reports whether two names are one.
func Same(a, b string) bool { return Fold(a) == Fold(b) }

// globSigns make a name a pattern. A backslash is not among them: no name holds
// a character that needs escaping.
const globSigns = "*?["

// IsGlob reports whether a pattern can match more than one name.
func IsGlob(pattern string) bool { return strings.ContainsAny(pattern, globSigns) }

// Match reports whether a name is the one that a pattern names, or fits it
// as a glob of path.Match. Both are folded, so ? stands for one character of the
// folded name.
func Match(pattern, name string) bool {
	if !IsGlob(pattern) {
		return Same(pattern, name)
	}
	ok, err := path.Match(unsplit(Fold(pattern)), unsplit(Fold(name)))
	return ok && err == nil
}

// unsplit takes the slashes out, at which * would end: callers are compared as
// well, and the name of one holds the URL of its issuer.
func unsplit(text string) string { return strings.ReplaceAll(text, "/", "\x1f") }

// CheckPattern says what is wrong with a pattern, or "". A glob sign that
// results from folding is refused: a reader would not see that it matches more.
func CheckPattern(pattern string) string {
	_, err := path.Match(Fold(pattern), "")
	switch {
	case strings.TrimSpace(pattern) == "":
		return "is empty"
	case strings.TrimSpace(pattern) != pattern:
		return "has spaces around it"
	case strings.Contains(pattern, `\`):
		return `has a \, which no name has`
	case err != nil:
		return "is not a name or a glob: * matches any characters, ? one, [ab] one of a set"
	case countGlobSigns(Fold(pattern)) != countGlobSigns(pattern):
		return "has a character that only looks like one of a glob"
	default:
		return ""
	}
}

func countGlobSigns(text string) (n int) {
	for _, sign := range globSigns + `]\` {
		n += strings.Count(text, string(sign))
	}
	return n
}

// IsGUID reports whether text has the form of a GUID, in either case.
func IsGUID(text string) bool {
	if len(text) != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return false
	}
	raw, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	return err == nil && len(raw) == 16
}

// lookalikes are letters, digits and signs of other scripts, folded, by the Latin
// letter that they look like in one of their cases.
var lookalikes = map[string]string{
	"a": "аαɑᴀⲁꓮꭺ", "b": "вβʙᴃⲃꓐᏼꮟ", "c": "сᴄⲥꓚꮯ", "d": "ԁᴅꓓꭰ", "e": "еёεᴇⲉꓰꭼ", "f": "ƒꜰꓝ", "g": "ցɡɢꓖꮐ", "h": "һнηհʜⲏꓧꮋ",
	"i": "іїιıɩɪⲓꓲꭵ", "j": "јᴊꓙꭻ", "k": "кκᴋⲕꓗꮶ", "l": "ӏʟꓡꮮⵏ", "m": "мμᴍⲙꓟꮇ", "n": "ոɴⲛꓠ",
	"o": "оοσօɵᴏⲟꓳⵔჿഠဝ०০੦૦୦௦౦೦൦๐໐၀០", "p": "рρᴘⲣꓑꮲ", "q": "ԛ", "r": "ʀꓣꭱꮢ", "s": "ѕꜱꓢꮪꮥ", "t": "тτᴛⲧꓔꭲꮤ", "u": "սᴜꓴ",
	"v": "νѵʋᴠꓦꮩ", "w": "ԝωᴡꓪꮃ", "x": "хχⲭꓫⵝ", "y": "υуүყʏⲩꓬꭹ", "z": "ζᴢⲍꓜꮓ",
}

// twins writes lookalikes as the letters that they look like.
var twins = func() *strings.Replacer {
	var pairs []string
	for latin, alike := range lookalikes {
		for _, letter := range alike {
			pairs = append(pairs, Fold(string(letter)), latin)
		}
	}
	return strings.NewReplacer(pairs...)
}()

// Look maps a name to what a person reads: two names of one look are twins.
func Look(name string) string {
	if isASCII(name) {
		return Fold(name)
	}
	return twins.Replace(Fold(strings.NewReplacer("ϲ", "c", "Ϲ", "c").Replace(name))) // which fold to σ
}
