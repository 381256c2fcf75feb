package search

import (
	"strings"
)

// TenantName is one tenant that the caller may see, as an utterance may name
// it. DisplayName is untrusted text; it is matched and never shown.
type TenantName struct {
	Name, TenantID string
	Domains        []string
	DisplayName    string
}

// Names is a directory made ready for matching: build it once a directory, not
// once a query. It is safe for concurrent use. A nil *Names knows no tenant.
type Names struct {
	root nameNode
}

type nameNode struct {
	next map[string]*nameNode
	// tenants are the names of those meant by the way to this node.
	tenants []string
}

// maxNameTokens is the longest name that is matched, in tokens.
const maxNameTokens = 24

// NewNames indexes a directory by name, domain, first label of a domain, GUID
// and display name.
func NewNames(directory []TenantName) *Names {
	n := &Names{}
	for _, tenant := range directory {
		for _, alias := range aliases(tenant) {
			n.add(alias, tenant.Name)
		}
	}
	return n
}

func aliases(t TenantName) []string {
	out := []string{t.Name, t.TenantID, t.DisplayName}
	for _, domain := range t.Domains {
		label, _, _ := strings.Cut(domain, ".")
		out = append(out, domain, label)
	}
	return append(out, withoutForm(t.DisplayName))
}

// withoutForm drops a company's legal form, which people do not say.
func withoutForm(name string) string {
	fields := strings.Fields(name)
	for len(fields) > 1 && legalForm(fields[len(fields)-1]) {
		fields = fields[:len(fields)-1]
	}
	return strings.TrimRight(strings.Join(fields, " "), ",")
}

func legalForm(w string) bool {
	switch strings.ToLower(strings.Trim(w, ".,")) {
	case "ltd", "limited", "inc", "llc", "corp", "corporation", "gmbh", "ag", "sa", "sas", "sarl", "srl", "spa", "bv", "nv", "plc", "kk", "s.a", "s.p.a", "s.r.l", "b.v", "co", "kg", "株式会社":
		return true
	}
	return false
}

func (n *Names) add(alias, name string) {
	tokens := tokenise(fold(alias))
	if len(tokens) == 0 || len(tokens) > maxNameTokens || onlyDigits(tokens) {
		return
	}
	at := &n.root
	for _, t := range tokens {
		if at.next == nil {
			at.next = map[string]*nameNode{}
		}
		if at.next[t.text] == nil {
			at.next[t.text] = &nameNode{}
		}
		at = at.next[t.text]
	}
	for _, known := range at.tenants {
		if known == name {
			return
		}
	}
	at.tenants = append(at.tenants, name)
}

// onlyDigits tells names that would swallow partner IDs and counts.
func onlyDigits(tokens []token) bool {
	return len(tokens) == 1 && tokens[0].kind == number
}

// mention is a tenant named in a text by the tokens from first up to last.
type mention struct {
	first, last int
	tenants     []string
}

// mentions finds the longest names from left to right. A name that is an
// ordinary word counts only where plain says that it stands for a tenant.
func (n *Names) mentions(tokens []token, plain func(i int) bool) []mention {
	if n == nil {
		return nil
	}
	var out []mention
	for i := 0; i < len(tokens); i++ {
		m, ok := n.longest(tokens, i)
		if !ok || m.last == m.first+1 && !plain(i) {
			continue
		}
		out = append(out, m)
		i = m.last - 1
	}
	return out
}

func (n *Names) longest(tokens []token, i int) (mention, bool) {
	found, ok := mention{first: i}, false
	at := &n.root
	for j := i; j < len(tokens); j++ {
		if at = at.next[tokens[j].text]; at == nil {
			break
		}
		if len(at.tenants) > 0 {
			found.last, found.tenants, ok = j+1, at.tenants, true
		}
	}
	return found, ok
}
