package search

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"mcp-partner/internal/testkit"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/partnerid"
)

func TestLexiconsLoad(t *testing.T) {
	t.Parallel()
	lex, err := readLexicon(lexiconFile)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(lex.entries) / EntrySize; n < 30000 {
		t.Errorf("only %d entries", n)
	}
	if _, err := readLexicon(lexiconFile[:len(lexiconFile)-1]); err == nil {
		t.Error("a file that is cut off is read")
	}
}

// The worked examples are utterances too.
func TestExamplesFindTheirOperation(t *testing.T) {
	t.Parallel()
	ix := New(schemas.Catalogue(), nil)
	for _, o := range schemas.Catalogue() {
		if len(o.Examples) == 0 || o.Examples[0].Says == "" {
			continue
		}
		if found := toolsOf(ix.Find(o.Examples[0].Says, evalNames(), 3)); len(found) == 0 || found[0] != o.Name {
			t.Errorf("%q: got %v, want %s first", o.Examples[0].Says, found, o.Name)
		}
	}
}

func toolsOf(r Result) []string {
	var out []string
	for _, m := range r.Matches {
		out = append(out, m.Tool)
	}
	return out
}

func TestMatchFollowsCatalogue(t *testing.T) {
	t.Parallel()
	schemaOf := func(name string) map[string]any { return map[string]any{"title": name} }
	found := New(schemas.Catalogue(), schemaOf).Find("register 1234567 at contoso", evalNames(), 1)
	if len(found.Matches) != 1 || found.OutOfScope != nil {
		t.Fatalf("got %+v", found)
	}
	m := found.Matches[0]
	want, _ := schemas.Lookup(schemas.ToolRegisterPartner)
	if m.Tool != want.Name || m.Title != want.Title || m.Effect != want.Effect || m.InputSchema["title"] != want.Name {
		t.Errorf("got %+v", m)
	}
	if m.Example["says"] != want.Examples[0].Says || m.Why == "" || m.Confidence != answers.ConfidenceHigh {
		t.Errorf("got %+v", m)
	}
}

func TestArguments(t *testing.T) {
	t.Parallel()
	ix, names := New(schemas.Catalogue(), nil), evalNames()
	for says, want := range map[string]map[string]any{
		"register 1234567 at CONTOSO.COM":                                  {"tenant": "contoso", "partner_id": "1234567"},
		"register MPN ID: 1234567 for Fabrikam, Inc.":                      {"tenant": "fabrikam", "partner_id": "1234567"},
		"register 1234567 at 11111111-2222-3333-4444-555555555555":         {"tenant": "litware", "partner_id": "1234567"},
		"register 1234567 at contoso and fabrikam":                         {"partner_id": "1234567", "tenants": []string{"contoso", "fabrikam"}},
		"register 1234567 at a tenant that nobody knows":                   {"partner_id": "1234567"},
		"register partner 2020 at contoso":                                 {"tenant": "contoso", "partner_id": "2020"},
		"register our partner ID at contoso in 2024":                       {"tenant": "contoso"},
		"register our partner ID at contoso by 2024-05-31":                 {"tenant": "contoso"},
		"register our partner ID at contoso for 1200 customers":            {"tenant": "contoso"},
		"register our partner ID 123 at contoso":                           {"tenant": "contoso"},
		"register our partner ID 12345678901 at contoso":                   {"tenant": "contoso"},
		"register partner aaaaaaaa-bbbb-4ccc-8ddd-123456789012 at contoso": {"tenant": "contoso"},
		"update the partner ID at contoso, was 7654321, now use 1234567":   {"tenant": "contoso", "partner_id": "1234567", "expected_current_partner_id": "7654321"},
		"contosoのパートナーIDを７６５４３２１から１２３４５６７に変更":                              {"tenant": "contoso", "partner_id": "1234567", "expected_current_partner_id": "7654321"},
		"change the partner ID at contoso to 1234567 from 7654321":         {"tenant": "contoso", "partner_id": "1234567", "expected_current_partner_id": "7654321"},
		"ändere bei contoso die alte 1111111 auf die neue 2222222":         {"tenant": "contoso", "partner_id": "2222222", "expected_current_partner_id": "1111111"},
		"update contoso, it should have been 1234567 and not 7654321":      {"tenant": "contoso", "partner_id": "1234567", "expected_current_partner_id": "7654321"},
		"correct the ID at contoso, it is 1234567, not 7654321":            {"tenant": "contoso", "partner_id": "1234567", "expected_current_partner_id": "7654321"},
		"corrige l'ID chez contoso : c'est 1234567, pas 7654321":           {"tenant": "contoso", "partner_id": "1234567", "expected_current_partner_id": "7654321"},
		"cambia el ID de contoso: es 1234567, no 7654321":                  {"tenant": "contoso", "partner_id": "1234567", "expected_current_partner_id": "7654321"},
		"cambia l'ID di contoso: è 1234567, non 7654321":                   {"tenant": "contoso", "partner_id": "1234567", "expected_current_partner_id": "7654321"},
		"corrigeer het ID bij contoso: het is 1234567, niet 7654321":       {"tenant": "contoso", "partner_id": "1234567", "expected_current_partner_id": "7654321"},
		"altere o ID da contoso: é 1234567, não 7654321":                   {"tenant": "contoso", "partner_id": "1234567", "expected_current_partner_id": "7654321"},
		"popraw Contoso: ma być 1234567, a nie 7654321":                    {"tenant": "contoso", "partner_id": "1234567", "expected_current_partner_id": "7654321"},
		"Contoso的合作伙伴ID应该是1234567而不是7654321,请更正":                           {"tenant": "contoso", "partner_id": "1234567", "expected_current_partner_id": "7654321"},
		"请在Contoso用1234567代替7654321":                                       {"tenant": "contoso", "partner_id": "1234567", "expected_current_partner_id": "7654321"},
		"ContosoのパートナーIDを7654321ではなく1234567に修正してください":                      {"tenant": "contoso", "partner_id": "1234567", "expected_current_partner_id": "7654321"},
		"OPS-4711: register 1234567 at contoso":                            {"tenant": "contoso", "partner_id": "1234567"},
		"register MPN-1234567 at contoso, approved in CAB-2231":            {"tenant": "contoso", "partner_id": "1234567"},
		"register 1234567 at contoso. Regards, Tom, +44 20 7946 0958":      {"tenant": "contoso", "partner_id": "1234567"},
		"register 1234567 at contoso 77012":                                {"tenant": "contoso"},
		"which links at contoso are older than 4000 days":                  {"tenant": "contoso"},
		"remove the old link 7654321 at contoso":                           {"tenant": "contoso", "partner_id": "7654321"},
	} {
		found := ix.Find(says, names, 1)
		if len(found.Matches) == 0 || !reflect.DeepEqual(found.Matches[0].Arguments, want) {
			t.Errorf("%q: got %+v, want %v", says, found.Matches, want)
		}
	}
}

func TestTenantsWithOrdinaryNames(t *testing.T) {
	t.Parallel()
	ix := New(schemas.Catalogue(), nil)
	names := NewNames([]TenantName{{Name: "partner"}, {Name: "link"}, {Name: "1234567"}, {Name: "acme", DisplayName: "Billing Group"}})
	for says, want := range map[string]any{
		"check the partner link":                  nil,
		"check the PAL at link":                   "link",
		"is 1234567 our partner ID":               nil,
		"check the partner link at Billing Group": "acme",
	} {
		found := ix.Find(says, names, 1)
		if len(found.Matches) == 0 || found.Matches[0].Arguments["tenant"] != want {
			t.Errorf("%q: got %+v, want tenant %v", says, found.Matches, want)
		}
	}
}

func TestTenantIsFoundByEachFormOfItsDomain(t *testing.T) {
	t.Parallel()
	ix := New(schemas.Catalogue(), nil)
	for _, domain := range []string{"bücher.example", "bu\u0308cher.example", "xn--bcher-kva.example", "XN--BCHER-KVA.example"} {
		names := NewNames([]TenantName{{Name: "books", Domains: []string{domain}}, {Name: "contoso"}})
		for _, said := range []string{"bücher.example", "bu\u0308cher.example", "xn--bcher-kva.example", "BÜCHER.example"} {
			found := ix.Find("which partner is linked at "+said, names, 1)
			if len(found.Matches) == 0 || found.Matches[0].Arguments["tenant"] != "books" {
				t.Errorf("directory %q, said %q: got %+v", domain, said, found.Matches)
			}
		}
	}
}

func TestAmbiguousDisplayNameIsNotGuessed(t *testing.T) {
	t.Parallel()
	ix := New(schemas.Catalogue(), nil)
	names := NewNames([]TenantName{{Name: "one", DisplayName: "Acme"}, {Name: "two", DisplayName: "Acme"}})
	found := ix.Find("check the partner link at Acme", names, 1)
	if len(found.Matches) == 0 || found.Matches[0].Arguments["tenant"] != nil {
		t.Errorf("got %+v", found.Matches)
	}
}

func TestNegatedAndAskedVerbsDoNotWrite(t *testing.T) {
	t.Parallel()
	ix := New(schemas.Catalogue(), nil)
	for _, says := range []string{
		"don't remove the partner link", "do not change or delete our PAL", "check our PAL without registering it",
		"has anyone removed our partner link?", "what happens if we delete the PAL?", "was our partner ID changed?",
		"entferne den Partnerlink nicht", "bitte den PAL nicht löschen", "ne supprime pas le lien partenaire",
		"no elimines el vínculo de partner", "não remova o vínculo de parceiro", "non rimuovere il collegamento partner",
		"verwijder de partnerkoppeling niet", "nie usuwaj powiązania partnera", "パートナーリンクを削除しないで",
		"不要删除合作伙伴链接", "파트너 링크를 삭제하지 마세요",
	} {
		found := ix.Find(says, nil, 3)
		if len(found.Matches) > 0 && found.Matches[0].Effect.Writes() {
			t.Errorf("%q is answered first with %s", says, found.Matches[0].Tool)
		}
	}
}

// A destroying tool needs a destroying word, whatever else is said.
func TestRemovalNeedsExplicitVerb(t *testing.T) {
	t.Parallel()
	ix := New(schemas.Catalogue(), nil)
	for _, says := range []string{"1234567 contoso", "partner", "PAL contoso 1234567 7654321", "register 1234567", "our partner link at contoso is a mess"} {
		found := ix.Find(says, evalNames(), 3)
		if len(found.Matches) > 0 && found.Matches[0].Effect == answers.EffectDestroy {
			t.Errorf("%q is answered first with %s", says, found.Matches[0].Tool)
		}
	}
}

// An operation that the model does not know yet is a candidate all the same, and
// never first.
func TestUntrainedOperationIsCandidate(t *testing.T) {
	t.Parallel()
	operations := append(schemas.Catalogue(), schemas.Operation{Name: "export_report", Title: "Export a report", Effect: answers.EffectRead, Input: &struct{}{}})
	found := New(operations, nil).Find("is our partner link in place at contoso", evalNames(), len(operations))
	if got := toolsOf(found); got[0] != schemas.ToolCheckPartnerLink || !slices.Contains(got, "export_report") {
		t.Errorf("got %v", got)
	}
}

// Without a tenant, the tools for one tenant are meant where there is only one.
func TestSingleTenantDirectoryPrefersSingleTenantTools(t *testing.T) {
	t.Parallel()
	ix, one := New(schemas.Catalogue(), nil), NewNames([]TenantName{{Name: "contoso"}})
	for says, want := range map[string]string{
		"close the gaps": schemas.ToolRegisterPartner, "coverage report": schemas.ToolCheckPartnerLink,
		"check every tenant": schemas.ToolAuditPartnerLinks,
	} {
		if found := toolsOf(ix.Find(says, one, 1)); found[0] != want {
			t.Errorf("%q: got %v, want %s", says, found, want)
		}
	}
}

// What was refused or misread by rules.
func TestMisreadSentencesFindTheirTool(t *testing.T) {
	t.Parallel()
	ix := New(schemas.Catalogue(), nil)
	for says, want := range map[string]string{
		"Check which Microsoft partner is currently linked to my subscription":             schemas.ToolCheckPartnerLink,
		"Register a Microsoft Partner Network identifier against the current Azure tenant": schemas.ToolRegisterPartner,
		"give me a CSV of tenants and the MPN linked in each":                              schemas.ToolAuditPartnerLinks,
		"fix wrong MPN":                   schemas.ToolUpdatePartner,
		"link everything that is missing": schemas.ToolEnsurePartnerLinks,
		"check one tenant":                schemas.ToolCheckPartnerLink,
		"check every tenant":              schemas.ToolAuditPartnerLinks,
	} {
		found := ix.Find(says, evalNames(), 3)
		if got := toolsOf(found); got[0] != want || found.OutOfScope != nil {
			t.Errorf("%q: got %v %+v, want %s", says, got, found.OutOfScope, want)
		}
	}
}

func TestLimit(t *testing.T) {
	t.Parallel()
	ix := New(schemas.Catalogue(), nil)
	for limit, most := range map[int]int{0: 3, 1: 1, 2: 2, 12: 12, -5: 3} {
		if n := len(ix.Find("check, register, change and remove the partner link", nil, limit).Matches); n == 0 || n > most {
			t.Errorf("limit %d: %d matches", limit, n)
		}
	}
}

func TestQuotedWordsAreCleaned(t *testing.T) {
	t.Parallel()
	ix := New(schemas.Catalogue(), nil)
	for _, m := range ix.Find("check \x1b[31mour\u202e partner link\x00 now", nil, 3).Matches {
		if strings.ContainsAny(m.Why, "\x1b\x00\u202e") {
			t.Errorf("why carries control characters: %q", m.Why)
		}
	}
}

func TestFindIsDeterministic(t *testing.T) {
	t.Parallel()
	testkit.SkipShort(t, testkit.Properties)
	first, second := New(schemas.Catalogue(), nil), New(schemas.Catalogue(), nil)
	for _, u := range readUtterances(t, "../evals/intents/*.yaml") {
		if a, b := first.Find(u.Says, evalNames(), 12), second.Find(u.Says, evalNames(), 12); !reflect.DeepEqual(a, b) {
			t.Errorf("%q: %+v and %+v", u.Says, a, b)
		}
	}
}

// checkResult holds what is true of every answer.
func checkResult(t *testing.T, says string, r Result) {
	t.Helper()
	if len(r.Matches) == 0 {
		t.Errorf("%q: no candidate", says)
	}
	if r.OutOfScope != nil && (r.OutOfScope.Reason == "" || r.OutOfScope.UseInstead == nil) {
		t.Errorf("%q: %+v", says, r.OutOfScope)
	}
	for i, m := range r.Matches {
		if r.OutOfScope != nil && (m.Confidence != answers.ConfidenceLow || i == 0 && m.Effect.Writes()) {
			t.Errorf("%q is out of scope: %+v", says, m)
		}
		checkArguments(t, says, m)
	}
}

func checkArguments(t *testing.T, says string, m answers.Match) {
	t.Helper()
	o, _ := schemas.Lookup(m.Tool)
	for name, value := range m.Arguments {
		if !slices.Contains(o.ArgumentNames(), name) {
			t.Errorf("%q: %s has no argument %s", says, m.Tool, name)
		}
		if strings.HasSuffix(name, "partner_id") {
			if _, err := partnerid.Parse(name, fmt.Sprint(value)); err != nil {
				t.Errorf("%q: %v", says, err)
			}
		}
	}
	if !utf8.ValidString(m.Why) {
		t.Errorf("%q: why is not UTF-8", says)
	}
}

func FuzzFind(f *testing.F) {
	for _, says := range []string{"", " ", "register 1234567 at contoso", "1234567->7654321", "\xff\xfe", "リンク１２３４", "ﷺﷺﷺ", "take take take off", strings.Repeat("unlnik ", 200), "11111111-2222-3333-4444-555555555555", "don't 不要 nicht ?"} {
		f.Add(says)
	}
	ix, names := New(schemas.Catalogue(), nil), evalNames()
	f.Fuzz(func(t *testing.T, says string) { checkResult(t, says, ix.Find(says, names, 12)) })
}

func FuzzNames(f *testing.F) {
	f.Add("contoso", "contoso.com", "Contoso Ltd", "check contoso")
	ix := New(schemas.Catalogue(), nil)
	f.Fuzz(func(t *testing.T, name, domain, display, says string) {
		names := NewNames([]TenantName{{Name: name, Domains: []string{domain}, DisplayName: display}})
		checkResult(t, says, ix.Find(says, names, 3))
	})
}

func manyNames(n int) *Names {
	directory := make([]TenantName, n)
	for i := range directory {
		directory[i] = TenantName{
			Name: fmt.Sprintf("customer-%d", i), TenantID: fmt.Sprintf("aaaaaaaa-0000-4000-8000-%012d", i),
			Domains: []string{fmt.Sprintf("customer%d.example.com", i)}, DisplayName: fmt.Sprintf("Customer Number %d Ltd", i),
		}
	}
	return NewNames(directory)
}

func BenchmarkFind(b *testing.B) {
	ix, names := New(schemas.Catalogue(), nil), manyNames(5000)
	for name, says := range map[string]string{
		"plain":    "change the partner ID at customer-4711 from 7654321 to 1234567",
		"misspelt": "chnage the parnter idd at customer-4711 form 7654321 to 1234567",
		"japanese": "customer-4711のパートナーIDを7654321から1234567に変更して",
		"negated":  strings.Repeat("不要删除", 250),
		"asked":    strings.Repeat("who don't remove ", 58),
		"longest":  strings.Repeat("qwxyz unlnik parnter ", 48)[:1000],
	} {
		ix.Find(says, names, 3)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				ix.Find(says, names, 3)
			}
		})
	}
}

func BenchmarkBuild(b *testing.B) {
	for b.Loop() {
		New(schemas.Catalogue(), nil).Find("partner", nil, 1)
	}
}

func BenchmarkNewNames(b *testing.B) {
	for b.Loop() {
		manyNames(5000)
	}
}
