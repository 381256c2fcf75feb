package tenants

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"mcp-partner/internal/naming"
	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas/problems"
)

const (
	maxDomainBytes = 253
	// maxSuggestedRunes leaves room for what makes a suggested name unique.
	maxSuggestedRunes = 48
)

// CheckTenantName returns a problem that says what is wrong with a tenant's
// name, so that an interactive command can ask again.
func CheckTenantName(name string) error { return naming.Check("tenant name", name) }

// latin writes a text in letters that every keyboard has, as far as its script is
// Latin.
func latin(text string) string {
	text = strings.NewReplacer("ä", "ae", "ö", "oe", "ü", "ue", "ß", "ss", "æ", "ae", "ø", "oe", "œ", "oe", "ł", "l", "đ", "d", "ð", "d", "þ", "th", "ı", "i").
		Replace(norm.NFC.String(strings.ToLower(text)))
	onLatin := true
	return norm.NFC.String(strings.Map(func(r rune) rune {
		if unicode.IsMark(r) && onLatin {
			return -1
		}
		onLatin = unicode.Is(unicode.Latin, r)
		return r
	}, norm.NFD.String(text)))
}

// SuggestName makes a tenant's name out of what a company or a domain is called:
// folded, Latin letters in ASCII, with a - for whatever a name cannot have. It is
// empty where nothing usable is left.
func SuggestName(text string) string {
	var name []rune
	gap := false
	for _, r := range naming.Fold(latin(text)) {
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
	if naming.Check("name", suggested) != nil {
		return ""
	}
	return suggested
}

// CheckDomain refuses what cannot be a DNS domain name of a tenant.
func CheckDomain(domain string) error {
	labels := strings.Split(domain, ".")
	bad := len(domain) > maxDomainBytes || len(labels) < 2 || !utf8.ValidString(domain) ||
		slices.ContainsFunc(labels, func(label string) bool { return !isLabel(label) })
	if bad {
		return problems.InvalidArgument("domain %q is not a domain name such as contoso.onmicrosoft.com.", untrusted.Sanitize(domain))
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
