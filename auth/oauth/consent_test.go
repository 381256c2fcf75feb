package oauth

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"mcp-partner/access"
	"mcp-partner/schemas/partnerid"
)

// reads are the customers of a list that a bearer reaches.
func (s *site) reads(bearer string, names ...string) (found []string) {
	s.Helper()
	p := s.mustWork(bearer)
	for _, name := range names {
		if p.Grant.AllowsTenant(name) {
			found = append(found, name)
		}
	}
	return found
}

// What the mapping or the directory gives later needs another consent.
func TestConsentHoldsWhatWasShown(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.people.set(func(p *persons) {
		p.grants["entra:t:alice"] = access.Grant{Scopes: access.Scopes()[:2], Tenants: []string{"contoso-*"}, Tools: []string{"check_partner_link"}, PartnerIDs: []string{"1234567"}}
	})
	_, tokens := s.connect("entra:t:alice")
	s.people.set(func(p *persons) {
		p.grants["entra:t:alice"] = access.Grant{Scopes: access.Scopes(), Tenants: []string{"*"}, PartnerIDs: []string{"1234567", "7654321"}}
		p.names = append(p.names, "contoso-4")
	})
	wide := []string{"contoso-1", "contoso-2", "contoso-3", "contoso-4", "fabrikam", "unknown"}
	client, again := s.connect("entra:t:alice")
	for name, test := range map[string]struct {
		bearer    string
		customers []string
		partners  []partnerid.ID
	}{
		"before":              {tokens.text("access_token"), wide[:3], []partnerid.ID{"1234567"}},
		"asked for once more": {again.text("access_token"), wide, []partnerid.ID{"1234567", "7654321"}},
	} {
		p := s.mustWork(test.bearer)
		if got := s.reads(test.bearer, wide...); !slices.Equal(got, test.customers) || p.Grant.Everywhere() != (name != "before") || p.Grant.Has(access.ScopeChange) {
			t.Errorf("%s: reaches %v", name, got)
		}
		partners := slices.DeleteFunc([]partnerid.ID{"1234567", "7654321", "1111111"}, func(id partnerid.ID) bool { return !p.Grant.AllowsPartner(id) })
		if !slices.Equal(partners, test.partners) || (p.Grant.Tools == nil) != (name != "before") {
			t.Errorf("%s: partner IDs %v, tools %v", name, partners, p.Grant.Tools)
		}
	}
	if found := s.entries("; 3 customers: contoso-1, contoso-2, contoso-3; until"); len(found) != 1 {
		t.Error("the record does not say what was shown:", s.entries("given"))
	}
	s.people.set(func(p *persons) {
		p.grants["entra:t:alice"] = access.Grant{Scopes: access.Scopes(), PartnerIDs: []string{"7654321"}, Tenants: []string{"contoso-1"}}
	})
	p := s.mustWork(tokens.text("access_token"))
	if p.Grant.AllowsTenant("contoso-2") || p.Grant.AllowsPartner("1234567") || p.Grant.AllowsPartner("7654321") {
		t.Errorf("reaches what the person has lost: %+v", p.Grant)
	}
	s.people.set(func(p *persons) {
		p.grants["entra:t:alice"] = access.Grant{Scopes: access.Scopes(), Tenants: []string{"nowhere"}}
	})
	if out := s.refresh(client, again.text("refresh_token")); out.text("error") != errGrant {
		t.Error("a person who reaches no customer any more gets tokens:", out.body)
	}
}

// A name that another customer has later is not the customer that was shown.
func TestConsentIsForTenantIDs(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ids := map[string]string{"contoso-1": "a", "contoso-2": "b"}
	s.server.o.TenantID = func(name string) string { return ids[name] }
	s.server.o.Reach = func(access.Grant) ([]Customer, error) {
		return []Customer{{"contoso-1", "a"}, {"contoso-2", "b"}}, nil
	}
	_, tokens := s.connect("entra:t:alice")
	ids = map[string]string{"contoso-1": "c", "contoso-2": "b", "contoso-new": "a"}
	if got := s.reads(tokens.text("access_token"), "contoso-1", "contoso-2", "contoso-new"); !slices.Equal(got, []string{"contoso-2", "contoso-new"}) {
		t.Error("reaches", got)
	}
}

func TestAllCustomersAreNamedSoOrLimitedToToday(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.people.set(func(p *persons) {
		p.grants["entra:t:alice"] = access.Grant{Scopes: access.Scopes()[:1], Tenants: []string{"*"}}
	})
	client := s.clientID()
	var bearers []string
	for _, pairs := range [][]string{nil, {"today", "yes"}} {
		b := s.browser()
		page := b.start("entra:t:alice", s.request(client))
		if !strings.Contains(page.body, "all customers, also those added later; today 4 customers: contoso-1, contoso-2, contoso-3, fabrikam<") {
			t.Fatal(page.body)
		}
		code := b.press(page, with(page.form("allow"), pairs...)).location().Query().Get("code")
		bearers = append(bearers, s.exchange(client, code).text("access_token"))
	}
	s.people.set(func(p *persons) { p.names = append(p.names, "later") })
	if all, today := s.reads(bearers[0], "fabrikam", "later"), s.reads(bearers[1], "fabrikam", "later"); len(all) != 2 || !slices.Equal(today, []string{"fabrikam"}) {
		t.Error(all, today)
	}
}

// What is not on the page that the person saw is not allowed by its button.
func TestPageThatIsNotTrueAnyMoreAllowsNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client := s.clientID()
	for name, test := range map[string]struct {
		change func(*persons)
		want   int
	}{
		"nothing":          {func(*persons) {}, http.StatusSeeOther},
		"another customer": {func(p *persons) { p.names = append(p.names, "contoso-9") }, http.StatusBadRequest},
		"another scope": {func(p *persons) {
			p.grants["entra:t:alice"] = access.Grant{Scopes: access.Scopes()[:1], Tenants: []string{"contoso-*"}}
		}, http.StatusBadRequest},
	} {
		b := s.browser()
		page := b.start("entra:t:alice", s.request(client))
		s.people.set(test.change)
		answer := b.press(page, page.form("allow"))
		if answer.status != test.want {
			t.Errorf("%s: %d %s", name, answer.status, answer.body)
		}
	}
}

// Names come from the operator's directory; a page that trusted them would let whoever
// names a customer write on it.
func TestNamesOfCustomersAreTextOnThePage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	long := strings.Repeat("x", 10<<10)
	names := []string{`<script>alert(1)</script>`, `"><button name="decision" value="allow">`, "\u202ederever\u2066", "a\x00b\nc", long}
	s.people.set(func(p *persons) {
		p.names = names
		p.grants["entra:t:alice"] = access.Grant{Scopes: access.Scopes()[:1], Tenants: []string{"*"}}
	})
	page := s.browser().start("entra:t:alice", s.request(s.clientID()))
	if strings.Contains(page.body, "<script>alert") || strings.Count(page.body, `value="allow"`) != 1 || strings.Contains(page.body, "\u202e") || strings.Contains(page.body, "\u2066") {
		t.Error(page.body)
	}
	if !strings.Contains(page.body, "&lt;script&gt;alert(1)") || len(page.body) > 8<<10 {
		t.Errorf("%d bytes: %s", len(page.body), page.body)
	}
}

// A browser keeps the cookies of requests that nobody answered no longer than the
// requests.
func TestCookieOfAWaitingRequestEndsWithIt(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	page := b.get("/oauth/authorize?" + s.request(s.clientID()).Encode())
	answer := b.post("/oauth/continue", page.form("continue"))
	if got := answer.header.Get("Set-Cookie"); !strings.HasPrefix(got, "__Host-oauth-") || !strings.Contains(got, "Max-Age=600;") {
		t.Error(got)
	}
}

// A name in letters of another alphabet may be meant to look like a known one.
func TestNameOfAClientThatMayLookLikeAnotherIsNoted(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for name, noted := range map[string]bool{"Claude": false, "Cl\u0430ude": true, "\u0421\u043b\u0430\u0443\u0434": true} {
		id := s.register(map[string]any{"client_name": name}).text("client_id")
		if page := s.browser().get("/oauth/authorize?" + s.request(id).Encode()); strings.Contains(page.body, "(with characters outside of ASCII)") != noted {
			t.Errorf("%q: %s", name, page.body)
		}
	}
}
