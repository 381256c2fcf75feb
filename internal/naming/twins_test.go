package naming_test

import (
	"testing"

	"mcp-partner/internal/naming"
)

func TestConfusableNamesHaveOneSkeleton(t *testing.T) {
	t.Parallel()
	for _, twin := range []string{"соntoso", "CОNTOSO", "cοntosο", "ｃontoso", "ꓚꓳꓠꓔꓳꓢꓳ", "cᴏɴtᴏꜱo", "Ꮯontoso", "contσso", "ϲontoso", "c০ntoso", "cont୦so", "c\u0d20ntoso", "conⲧoso", "cⵔntoso", "cɵntoso", "contჿso"} {
		if naming.Look(twin) != "contoso" {
			t.Errorf("%+q looks like %q", twin, naming.Look(twin))
		}
	}
	if naming.Look("café") == naming.Look("cafe") {
		t.Error("an accent that is shown makes a twin")
	}
}

func TestInvisibleNamesAreRefused(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"\u3164", "\u115f", "\u1160contoso", "con\uffa0toso", "con\u034ftoso", "contoso\ufe0f", "a\u17b4", "\U00013441", "\U000e0100a"} {
		if naming.Check("tenant name", name) == nil {
			t.Errorf("%+q can be a name", name)
		}
	}
}

func TestGlobsAreComparedWithFoldedNames(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		pattern, name string
		matches       bool
	}{
		{pattern: "café", name: "cafe\u0301", matches: true}, {pattern: "caf?", name: "CAFE\u0301", matches: true},
		{pattern: "o*ce", name: "oﬃce", matches: true}, {pattern: "ＣＯＮ*", name: "contoso", matches: true},
		{pattern: "contoso", name: "contoso-eu"}, {pattern: "＊", name: "contoso"},
		{pattern: "oidc:*", name: "oidc:https://issuer.example/a:b", matches: true},
	} {
		if got := naming.Match(test.pattern, test.name); got != test.matches {
			t.Errorf("%+q, %+q: %t", test.pattern, test.name, got)
		}
	}
	for _, pattern := range []string{"", " ", "[a", "＊", "a＊*", `a\*`, " contoso"} {
		if naming.CheckPattern(pattern) == "" {
			t.Errorf("%+q is a pattern", pattern)
		}
	}
}
