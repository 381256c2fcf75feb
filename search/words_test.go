package search

import (
	"encoding/json"
	"slices"
	"strings"
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

func TestMisspelledWordsAreCorrected(t *testing.T) {
	t.Parallel()
	lex, err := readLexicon(lexiconFile)
	if err != nil {
		t.Fatal(err)
	}
	for said, want := range map[string]string{
		"remvoe": "remove", "remote": "remote", "parnter": "partner", "regsiter": "register", "layout": "layout", "xyzzy": "xyzzy",
	} {
		tokens := tokenise(said)
		lex.mend(tokens)
		if tokens[0].text != want {
			t.Errorf("mend(%q) = %q, want %q", said, tokens[0].text, want)
		}
	}
}

func TestOneEditAllowsSingleTypo(t *testing.T) {
	t.Parallel()
	for pair, want := range map[[2]string]bool{
		{"remove", "remvoe"}: true, {"remove", "remve"}: true, {"remove", "remoove"}: true, {"remove", "remote"}: true, {"remove", "remove"}: true,
		{"kitten", "sitting"}: false, {"ab", "ba"}: true, {"abc", "cba"}: false, {"remove", "removing"}: false,
	} {
		if got := oneEdit(pair[0], pair[1]); got != want || oneEdit(pair[1], pair[0]) != want {
			t.Errorf("oneEdit(%q, %q) = %v", pair[0], pair[1], got)
		}
	}
}

func TestOutOfScopeAnswerNamesAlternative(t *testing.T) {
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

// The topics that lexicons name are those of topics.json.
func TestLexiconTopicsExist(t *testing.T) {
	t.Parallel()
	lex, err := readLexicon(lexiconFile)
	if err != nil {
		t.Fatal(err)
	}
	var topics []topic
	if err := json.Unmarshal(topicsFile, &topics); err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, topic := range topics {
		if topic.Reason == "" || known[topic.Name] {
			t.Errorf("topic %q: %+v", topic.Name, topic)
		}
		known[topic.Name] = true
	}
	for _, list := range lex.meanings {
		for _, m := range list {
			if name := strings.TrimLeft(m.concept, "!"); name != m.concept && !known[name] {
				t.Errorf("%s: topics.json has no %s", m.language, name)
			}
		}
	}
}
