package tenantimport

import "testing"

func TestSuggestedNamesCanBeTypedWhereADomainAllowsIt(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, company, domain, want string
	}{
		{name: "Latin letters", company: "Weiß & Söhne", domain: "weiss.example", want: "weiss-soehne"},
		{name: "Japanese with a domain", company: "株式会社コントソ", domain: "contoso.example", want: "contoso"},
		{name: "Greek with a domain in punycode", company: "Ελλάδα", domain: "xn--mller-kva.example", want: "mueller"},
		{name: "Cyrillic with a Cyrillic domain", company: "Компания", domain: "фирма.example", want: "фирма"},
		{name: "Cyrillic alone", company: "Компания", want: "компания"},
		{name: "no letters", company: "***", domain: "stars.example", want: "stars"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var domains []string
			if test.domain != "" {
				domains = []string{test.domain}
			}
			names := &Names{map[string]bool{}, map[string]bool{}, map[string]int{}}
			if got := names.Suggest(test.company, domains, ""); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
