package search

import (
	"slices"
	"testing"

	"mcp-partner/schemas"
)

func TestFold(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Verknüpfung": "verknupfung", "１２３": "123", "Straße": "strasse", "łącze": "lacze",
		"ﬁn": "fin", "ガ": "ガ", "a\u200bb": "ab", "\xff": " ", "İ": "i",
	} {
		if got := fold(text); got != want {
			t.Errorf("fold(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestTokenise(t *testing.T) {
	t.Parallel()
	var got []string
	for _, token := range tokenise(fold("Get-AzManagementPartner 12→34, 登録して don't")) {
		got = append(got, token.text)
	}
	want := []string{"get", "azmanagementpartner", "12", "->", "34", "登", "録", "し", "て", "don", "t"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSpelling(t *testing.T) {
	t.Parallel()
	s := newSpeller(map[string]bool{"remove": true, "remote": true, "partner": true, "link": true, "verknupf*": true, "loschen": true})
	for said, want := range map[string]string{
		"remvoe": "remove", "remote": "remote", "parnter": "partner", "lnik": "link", "lint": "lint",
		"verknpfung": "verknupfung", "loeschen": "loschen", "xyz": "xyz", "": "",
	} {
		if got := s.fix(said); got != want {
			t.Errorf("fix(%q) = %q, want %q", said, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"ab", "ba", 1}, {"remove", "remvoe", 1}, {"kitten", "sitting", 3}, {"löschen", "loschen", 1}} {
		if got := distance(c.a, c.b); got != c.want || distance(c.b, c.a) != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestOutOfScopeSaysWhereElse(t *testing.T) {
	t.Parallel()
	ix := New(schemas.Catalogue(), nil)
	for says, want := range map[string]string{
		"show the invoices for June":                  "Microsoft Cost Management",
		"assign the Contributor role to Anna":         "Azure Resource Manager",
		"reset the password of a user":                "Microsoft Entra ID",
		"set up a GDAP relationship":                  "Partner Center",
		"set up a private link to our storage":        "Azure Private Link",
		"add the customer usage attribution GUID":     "Azure Resource Manager",
		"register the Microsoft.Compute provider":     "Azure Resource Manager",
		"create an Azure Policy":                      "Azure Policy",
		"add a new tenant to the directory":           "mcp-partner tenants",
		"register the ManagementPartner provider":     "Azure Resource Manager",
		"what are the Advisor recommendations for us": "Azure Advisor",
	} {
		out := ix.Find(says, nil, 3).OutOfScope
		if out == nil || len(out.UseInstead) == 0 || out.UseInstead[0].Name != want || out.UseInstead[0].WhatFor == "" {
			t.Errorf("%q: got %+v, want %s", says, out, want)
		}
	}
}

func TestTopicsAreWhole(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, topic := range topics() {
		if topic.reason == "" || topic.use == nil || seen[topic.name] {
			t.Errorf("topic %q: %+v", topic.name, topic)
		}
		seen[topic.name] = true
	}
}
