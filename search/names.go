package search

import (
	"slices"
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// TenantName is one tenant. DisplayName is untrusted text; it is never shown.
type TenantName struct {
	Name, TenantID string
	Domains        []string
	DisplayName    string
}

// Names is a directory made ready for matching, safe for concurrent use.
type Names struct {
	// tenants are those that a text means, by the hash of its tokens.
	tenants map[uint64][]string
	size    int
}

// NewNames indexes a directory by name, domain and its first label, GUID, display name.
func NewNames(directory []TenantName) *Names {
	n := &Names{tenants: map[uint64][]string{}, size: len(directory)}
	for _, t := range directory {
		for _, alias := range []string{t.Name, t.TenantID, t.DisplayName, withoutForm(t.DisplayName)} {
			n.add(alias, t.Name)
		}
		for _, domain := range t.Domains {
			n.addDomain(domain, t.Name)
		}
	}
	return n
}

// withoutForm drops a company's legal form, which people do not say.
func withoutForm(name string) string {
	fields := strings.Fields(name)
	for len(fields) > 1 && listed("legal form", strings.ToLower(strings.Trim(fields[len(fields)-1], ".,"))) {
		fields = fields[:len(fields)-1]
	}
	return strings.TrimRight(strings.Join(fields, " "), ",")
}

// addDomain takes in a domain and its first label, in letters and as xn--.
func (n *Names) addDomain(domain, name string) {
	forms := []string{domain}
	for _, convert := range []func(string) (string, error){idna.Punycode.ToASCII, idna.Punycode.ToUnicode} {
		if form, err := convert(norm.NFC.String(strings.ToLower(domain))); err == nil {
			forms = append(forms, form)
		}
	}
	for _, form := range forms {
		label, _, _ := strings.Cut(form, ".")
		n.add(form, name)
		n.add(label, name)
	}
}

// add takes in a name, unless it is empty, longer than 24 tokens, or like a partner ID.
func (n *Names) add(alias, name string) {
	tokens := tokenise(fold(alias))
	if len(tokens) == 0 || len(tokens) > 24 || len(tokens) == 1 && tokens[0].kind == number {
		return
	}
	at := uint64(0)
	for _, t := range tokens {
		at = step(at, hashText(hashBegin, t.text), false)
		n.tenants[at] = n.tenants[at][:len(n.tenants[at]):len(n.tenants[at])]
	}
	if !slices.Contains(n.tenants[at], name) {
		n.tenants[at] = append(n.tenants[at], name)
	}
}

// longest returns the tenants that the longest name at a token means, and its end.
func (n *Names) longest(tokens []token, i int) (tenants []string, end int) {
	at := uint64(0)
	for j := i; n != nil && j < len(tokens); j++ {
		at = step(at, hashText(hashBegin, tokens[j].text), false)
		found, ok := n.tenants[at]
		if !ok {
			break
		}
		if len(found) > 0 {
			tenants, end = found, j+1
		}
	}
	return tenants, end
}
