package naming

import (
	"path"
	"strings"
)

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
