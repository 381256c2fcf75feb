package config

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"mcp-partner/access"
	"mcp-partner/schemas/answers"
)

func TestPolicySection(t *testing.T) {
	t.Parallel()
	file, err := load(t, `
log-level: info
policy:
  - name: nightly
    operations: [register_partner, destroy]
    tenants: [fab*, "label:emea"]
    partner_ids: [1234567, expected]
    callers: night-*
    when: not_linked
    rate: 10 per 1h30m
    answer: allow
  - answer: {ask: requester}
  - {name: two, answer: {ask: approver, with: passkey, approvers: 2}}
  - {name: last, answer: "ask: approver"}
`, "log-level")
	if err != nil {
		t.Fatal(err)
	}
	want := []access.Rule{
		{Name: "nightly", Operations: []string{"register_partner", "destroy"}, Tenants: []string{"fab*", "label:emea"}, PartnerIDs: []string{"1234567", "expected"},
			Callers: []string{"night-*"}, When: answers.LinkNotLinked, Rate: &access.Rate{Count: 10, Per: 90 * time.Minute}, Ruling: access.RulingAllow},
		{Name: "rule 2", Ruling: access.RulingRequester},
		{Name: "two", Ruling: access.RulingApprover, Demand: access.Demand{Passkey: true, Approvers: 2}},
		{Name: "last", Ruling: access.RulingApprover},
	}
	if diff := cmp.Diff(want, file.Policy); diff != "" {
		t.Error(diff)
	}
	for text, none := range map[string]bool{"": true, "log-level: info": true, "policy: []": false} {
		if file, err := load(t, text, "log-level"); err != nil || (file.Policy == nil) != none {
			t.Errorf("%q: %v, %v", text, file.Policy, err)
		}
	}
}

// The error names the line and never repeats a value that may be a secret.
func TestInvalidSectionsAreRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"polcy: []":      "did you mean policy",
		"policy: deny":   "not a list of rules",
		"policy:":        "not a list of rules",
		"policy: [deny]": "policy: rule 1: line 1: it is not a mapping",
		"policy: [{answer: deny, answer: allow}]":                               "key answer appears twice",
		"policy: [{name: a, answer: deny}, {name: a, answer: deny}]":            "its name appears twice",
		"policy: [{name: mine, anwser: deny}]":                                  "policy: mine: line 1: key anwser is not known: did you mean answer?",
		"policy: [{name: mine}]":                                                "is not deny, allow",
		"policy: [{name: mine, answer: {aks: person}}]":                         "key aks is not known: did you mean ask?",
		"policy: [{name: mine, answer: {ask: mallory}}]":                        "is not deny, allow",
		"policy: [{name: mine, answer: {ask: approver, with: passphrase}}]":     `has with: "passphrase"; passkey is the only value`,
		"policy: [{name: mine, answer: {ask: approver, approvers: 3}}]":         `has approvers: "3"; use 2`,
		"policy: [{name: mine, answer: {ask: approver, approvers: two}}]":       `has approvers: "two"; use 2`,
		"policy: [{name: mine, answer: {ask: requester, with: passkey}}]":       "go with ask: approver",
		"policy: [{name: mine, answer: {ask: requester, approvers: 2}}]":        "go with ask: approver",
		"policy: [{name: mine, answer: {with: passkey}}]":                       "is not deny, allow",
		"policy: [{name: mine, answer: [deny]}]":                                "key answer has no value",
		"policy: [{name: mine, tenants: [[a]], answer: deny}]":                  "neither a value nor a list of values",
		"policy: [{name: mine, callers: [], answer: deny}]":                     "key callers is an empty list",
		"policy: [{name: mine, rate: 0 per 1h, answer: deny}]":                  "not a rate",
		"policy: [{name: mine, rate: 1 per -1h, answer: deny}]":                 "not a rate",
		"policy: [{name: mine, when: maybe, answer: deny}]":                     "linked or not_linked",
		"policy: [{name: mine, operations: [wirte], answer: deny}]":             "no operation or effect",
		"policy: [{name: mine, partner_ids: [12], answer: deny}]":               "partner ID",
		"policy: [{name: mine, password: hunter2, answer: deny}]":               "secrets are read only from standard input",
		"policy:\n- {name: mine, answer: deny}\n- {name: yours, answer: allow}": "line 3: Policy, yours: allow for a write must name operations",
		"policy: []\npolicy: []":                                                "key policy appears twice",
		"approvals: [a]":                                                        "approvals: line 1: it is not a mapping",
		"heads: {}":                                                             "heads: cannot be used: key_file is missing",
		"heads: {file: a, url: 'https://b'}":                                    "key url is not known",
		"heads: {file: a, key_file: k}":                                         "key key_file is not known",
		"heads: {url: 'http://10.0.0.1/a', key_file: k}":                        "must begin with https://",
		"heads: {url_file: u, key_file: k, format: slack}":                      "format is for announcements",
		"heads: {path: a}":                                                      "key path is not known",
		"approvals: {webhok: {}}":                                               "did you mean webhook?",
		"approvals: {webhook: {}}":                                              "key_file is missing",
		"approvals: {webhook: {url: ftp://a, key_file: k}}":                     "must begin with https://",
		"approvals: {webhook: {url: http://10.0.0.1/a, key_file: k}}":           "must begin with https://",
		"approvals: {webhook: {url: 'https://u:hunter2@a', key_file: k}}":       "is not one such as",
		"approvals: {webhook: {key_file: k}}":                                   "one of url and url_file",
		"approvals: {webhook: {url: 'https://a', url_file: u, key_file: k}}":    "one of url and url_file",
		"approvals: {webhook: {url: 'https://a', key_file: k, format: xml}}":    "format is not one of json, slack, teams",
		"approvals: {webhook: {url: 'https://a', format: slack}}":               "give url_file in place of url",
	} {
		_, err := load(t, text, "log-level")
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestHeadsSection(t *testing.T) {
	t.Parallel()
	file, err := load(t, "heads: {file: heads.jsonl}")
	if err != nil || !filepath.IsAbs(file.Heads.File) || filepath.Base(file.Heads.File) != "heads.jsonl" {
		t.Errorf("%+v, %v", file.Heads, err)
	}
	file, err = load(t, "heads: {url: 'https://audit.example/heads', key_file: /k}")
	if err != nil || !cmp.Equal(*file.Heads.To, Webhook{URL: "https://audit.example/heads", KeyFile: "/k", Format: "json"}) {
		t.Errorf("%+v, %v", file.Heads, err)
	}
}

func TestWebhookSection(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "config.yaml")
	for url, private := range map[string][]string{
		"https://hooks.example/a?b=c": nil, "http://127.0.0.1:8080/a": {"127.0.0.0/8"}, "http://[::1]/a": {"10.0.0.0/8", "::1/128"},
		"http://localhost/a": {"127.0.0.1/32"}, "https://10.0.0.1/a": {"10.0.0.0/24"},
	} {
		text := fmt.Sprintf("approvals: {webhook: {url: '%s', key_file: hook.key}}\n", url)
		want := Webhook{Format: "json", URL: url, KeyFile: filepath.Join(dir, "hook.key")}
		if private != nil {
			text += "allow-private: ['" + strings.Join(private, "', '") + "']\n"
		}
		for _, network := range private {
			want.AllowPrivate = append(want.AllowPrivate, netip.MustParsePrefix(network))
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := Load(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&want, file.Webhook, cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
			t.Error(diff)
		}
	}
	if file, err := load(t, "approvals: {}"); err != nil || file.Webhook != nil {
		t.Errorf("%v, %v", file.Webhook, err)
	}
}

func TestOAuthSection(t *testing.T) {
	t.Parallel()
	file, err := load(t, "oauth: {client_id: app, credential: signin, domain_hint: contoso.com, redirects: [loopback, 'https://a/b'], registration: false}")
	off := false
	want := OAuth{ClientID: "app", Credential: "signin", DomainHint: "contoso.com", Redirects: []string{"loopback", "https://a/b"}, Registration: &off}
	if diff := cmp.Diff(want, file.OAuth); err != nil || diff != "" || file.Value("oauth") != "true" {
		t.Error(err, diff, file.Value("oauth"))
	}
	if file, err := load(t, "oauth: false"); err != nil || file.Value("oauth") != "false" {
		t.Error(err, file.Value("oauth"))
	}
}

func TestAlertsSection(t *testing.T) {
	t.Parallel()
	file, err := load(t, "alerts:\n- {name: finops, changes: [link_vanished, gone], to: {url: 'https://a', key_file: /k}}\n- {name: chat, to: {url_file: /u, format: slack}}")
	if err != nil {
		t.Fatal(err)
	}
	want := []Alert{
		{Name: "finops", Changes: []answers.ChangeKind{answers.KindLinkVanished, answers.KindGone}, To: Webhook{Format: "json", URL: "https://a", KeyFile: "/k"}},
		{Name: "chat", Changes: answers.AlertKinds(), To: Webhook{Format: "slack", URLFile: "/u"}},
	}
	if diff := cmp.Diff(want, file.Alerts); diff != "" {
		t.Error(diff)
	}
}

func TestInvalidChannelsAreRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"approvals: {webhook: {url: 'https://192.168.0.1/a', key_file: k}}":                          "add its network to allow-private",
		"approvals: {webhook: {url: 'http://localhost/a', key_file: k}}":                             "add its network to allow-private",
		"heads: {url: 'https://[::1]/a', key_file: k}":                                               "add its network to allow-private",
		"approvals: {webhook: {url: 'https://10.1.0.1/a', key_file: k}}\nallow-private: 10.2.0.0/16": "add its network to allow-private",
		"allow-private: [10.2.0.1/16]":                                                               "line 1: key allow-private is no list of networks",
		"allow-private: [internal]":                                                                  "is no list of networks",
		"allow-private: {a: b}":                                                                      "is neither a value nor a list",
		"oauth: {client_secret: x}":                                                                  "secrets are read only from",
		"oauth: {registration: maybe}":                                                               "is not true or false",
		"oauth: {redirect: [loopback]}":                                                              "did you mean redirects",
		"alerts: {name: a}":                                                                          "alerts: line 1: it is not a list",
		"alerts: [{name: a}]":                                                                        "to is missing",
		"alerts: [{to: {url: 'https://a', key_file: k}}]":                                            "name is not 1 to 32",
		"alerts: [{name: a/b, to: {url: 'https://a', key_file: k}}]":                                 "name is not 1 to 32",
		"alerts: [{name: a, to: {url: 'https://a'}}]":                                                "key_file is missing",
		"alerts: [{name: a, changes: [link_gone], to: {url: 'https://a', key_file: k}}]":             "give link_vanished, partner_changed",
		"alerts: [{name: a, changes: [], to: {url: 'https://a', key_file: k}}]":                      "key changes is an empty list",
		"alerts: [{name: a, to: {url: 'https://a', key_file: k}}, {name: a, to: {url: 'https://b', key_file: k}}]": "the name a appears twice",
	} {
		if _, err := load(t, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
