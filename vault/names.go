package vault

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"mcp-partner/schemas"
)

const (
	maxNameRunes   = 64
	maxDomainBytes = 253
	maxSuggestions = 3
)

// FoldName maps a name or a domain to the form in which the directory compares
// them: two that a person reads as one are one.
func FoldName(name string) string { return fold(name) }

// fold maps a name to the form in which names are compared: case folded and
// NFKC, so that two names that a person reads as one are one.
func fold(text string) string {
	if isASCII(text) {
		return strings.ToLower(text)
	}
	// A Caser has state, so each call makes its own. It swaps the two cases of
	// Cherokee instead of folding them, so the lower case is taken after it.
	return norm.NFKC.String(strings.ToLower(cases.Fold().String(norm.NFKC.String(text))))
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// CheckTenantName returns a problem that says what is wrong with a name for a
// tenant, so that whoever types one can be asked again.
func CheckTenantName(name string) error { return checkName("tenant name", name) }

// checkName refuses what cannot be the name of a tenant or a credential. The
// folded form is checked too: some characters turn into a dot or a slash.
func checkName(field, name string) error {
	if problem := nameMistake(name); problem != "" {
		return invalid("%s %q %s.", field, clean(name), problem)
	}
	if isASCII(name) {
		return nil
	}
	if problem := nameMistake(fold(name)); problem != "" {
		return invalid("%s %q, in its compatible form, %s.", field, clean(name), problem)
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
	case schemas.IsGUID(name):
		return "looks like a GUID: tenant IDs are GUIDs, so a name must not be one"
	case strings.Contains(name, "."):
		return "has a dot: that would look like a domain or a path"
	}
	return runeMistake(name)
}

func runeMistake(name string) string {
	for i, r := range name {
		switch {
		case unicode.IsSpace(r):
			return "has a space: use - or _ instead"
		case r == '/' || r == '\\' || r == ':':
			return "has a path character: names consist of letters, digits, - and _"
		case !unicode.IsGraphic(r):
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

// maxSuggestedRunes leaves room for what makes a suggested name unique.
const maxSuggestedRunes = 48

// SuggestName makes a tenant's name out of what a company or a domain is called:
// folded, with a - for whatever a name cannot have. It is empty where nothing
// usable is left.
func SuggestName(text string) string {
	var name []rune
	gap := false
	for _, r := range fold(text) {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) && len(name) > 0 && !gap:
			if gap && len(name) > 0 {
				name = append(name, '-')
			}
			name, gap = append(name, r), false
		default:
			gap = true
		}
	}
	suggested := strings.TrimRight(string(name[:min(len(name), maxSuggestedRunes)]), "-")
	if checkName("name", suggested) != nil {
		return ""
	}
	return suggested
}

// checkDomain refuses what cannot be a DNS domain name of a tenant.
func checkDomain(domain string) error {
	labels := strings.Split(domain, ".")
	bad := len(domain) > maxDomainBytes || len(labels) < 2 || !utf8.ValidString(domain) ||
		slices.ContainsFunc(labels, func(label string) bool { return !isLabel(label) })
	if bad {
		return invalid("domain %q is not a domain name such as contoso.onmicrosoft.com.", clean(domain))
	}
	return nil
}

func isLabel(label string) bool {
	if label == "" || len(label) > 63 || strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") {
		return false
	}
	return !strings.ContainsFunc(label, func(r rune) bool {
		return r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r)
	})
}

// clean makes text of a caller fit for a message.
func clean(text string) string { return schemas.Foreign(text) }

// nearest returns the candidates that differ from text by a few typing errors
// only, best first.
func nearest(text string, candidates []string) []string {
	type match struct {
		name     string
		distance int
	}
	wanted := []rune(fold(text))
	limit := 1 + min(len(wanted), 9)/3
	var found []match
	for _, name := range candidates {
		if d := distance(wanted, []rune(fold(name)), limit); d <= limit {
			found = append(found, match{name, d})
		}
	}
	slices.SortFunc(found, func(a, b match) int {
		if a.distance != b.distance {
			return a.distance - b.distance
		}
		return strings.Compare(a.name, b.name)
	})
	var names []string
	for _, m := range found[:min(len(found), maxSuggestions)] {
		names = append(names, m.name)
	}
	return names
}

// distance is the Levenshtein distance of two texts, or limit+1 as soon as it
// is known to be more than limit.
func distance(a, b []rune, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit {
		return limit + 1
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i, r := range a {
		diagonal, best := row[0], i+1
		row[0] = i + 1
		for j, s := range b {
			cost := diagonal
			if r != s {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
			best = min(best, cost)
		}
		if best > limit {
			return limit + 1
		}
	}
	return row[len(b)]
}
