package tenants

import (
	"strings"
	"testing"

	"mcp-partner/internal/naming"
	"mcp-partner/internal/roomtest"
)

func TestSuggestName(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Contoso Ltd.":                   "contoso-ltd",
		"  O'Brien & Sons (UK)  ":        "o-brien-sons-uk",
		"Größe GmbH":                     "grösse-gmbh",
		"株式会社コントソ":                       "株式会社コントソ",
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
