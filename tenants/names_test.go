package tenants

import (
	"strings"
	"testing"

	"mcp-partner/internal/naming"
	"mcp-partner/internal/roomtest"
	"mcp-partner/schemas/problems"
)

func TestSuggestName(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Contoso Ltd.":                   "contoso-ltd",
		"  O'Brien & Sons (UK)  ":        "o-brien-sons-uk",
		"Größe GmbH":                     "groesse-gmbh",
		"株式会社コントソ":                       "株式会社コントソ",
		"Żółć Café São A\u030angström":   "zolc-cafe-sao-angstroem",
		"Ελλάς":                          "ελλάσ",
		"=cmd|'/c calc'!A1":              "cmd-c-calc-a1",
		"../../etc":                      "etc",
		"\u202egnp.exe":                  "gnp-exe",
		"!!!":                            "",
		"":                               "",
		roomtest.TenantID(1):             "",
		strings.Repeat("long name ", 20): strings.TrimRight(strings.Repeat("long-name-", 20)[:48], "-"),
	} {
		got := SuggestName(text)
		if got != want || got != "" && naming.Check("name", got) != nil {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestConsentURL(t *testing.T) {
	t.Parallel()
	china, err := CloudNamed(CloudChina)
	if err != nil {
		t.Fatal(err)
	}
	if got := china.ConsentURL(roomtest.TenantID(1), roomtest.ClientID); got != "https://login.chinacloudapi.cn/"+roomtest.TenantID(1)+"/adminconsent?client_id="+roomtest.ClientID {
		t.Error(got)
	}
}

// A person reads both names as one, and would confirm the wrong tenant.
func TestConfusableNameIsRefused(t *testing.T) {
	t.Parallel()
	for _, names := range [][2]string{{"contoso", "соntoso"}, {"соntoso", "contoso"}, {"соntoso", "cοntoso"}} {
		_, d := newDirectoryAt(t)
		add(t, d, testEntry(1, names[0]))
		err := d.Add(t.Context(), testEntry(2, names[1]))
		roomtest.WantCode(t, err, problems.CodeInvalidArgument)
	}
}
