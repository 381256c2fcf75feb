package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/config"
	"mcp-partner/internal/exit"
)

const (
	examplePath = "../../docs/config.example.yaml"
	policyPage  = "../../docs/policy.md"
)

// TestExampleConfig loads the documented config.yaml and asks it what its
// comments promise.
func TestExampleConfig(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"--tool", "register_partner", "--tenant", "fabrikam-eu", "--partner-id", "1234567", "--caller", "http:ab", "--state", "not_linked"}, `"verdict":"allow","rule":"nightly onboarding"`},
		{[]string{"--tool", "register_partner", "--tenant", "fabrikam-eu", "--partner-id", "1234567", "--caller", "stdio", "--state", "not_linked"}, `"verdict":"ask: approver","rule":"own IDs"`},
		{[]string{"--tool", "remove_partner", "--tenant", "contoso", "--partner-id", "7654321", "--state", "linked"}, `"verdict":"ask: approver","rule":"own IDs"`},
		{[]string{"--tool", "update_partner", "--tenant", "contoso", "--partner-id", "5555555"}, `"verdict":"deny","rule":"bounds"`},
		{[]string{"--tool", "check_partner_link", "--tenant", "contoso"}, `"verdict":"allow","rule":"default"`},
	} {
		streams := testStreams(nil)
		Run(t.Context(), streams, append(append([]string{"policy", "test"}, c.args...), "--json", "--config", examplePath, "--state-dir", filepath.Join(t.TempDir(), "state")))
		if out := streams.Out.(*bytes.Buffer).String(); !strings.Contains(out, c.says) {
			t.Errorf("%v: %s, want %s", c.args, out, c.says)
		}
		if note := streams.Err.(*bytes.Buffer).String(); !strings.Contains(note, "the directory has no tenant "+c.args[3]) {
			t.Errorf("a tenant that nobody knows is judged without a word: %q", note)
		}
	}
}

// TestExampleConfigIsComplete looks for every setting that a config file takes.
func TestExampleConfigIsComplete(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(examplePath)
	if err != nil {
		t.Fatal(err)
	}
	keys := cmdutil.AllFlags(NewRoot(cmdutil.NewDeps(testStreams(nil))), func(flag *pflag.Flag) bool { return config.IsStanding(flag) })
	keys = append(keys, "policy", "approvals", "name", "operations", "tenants", "partner_ids", "callers", "when", "rate", "answer", "webhook", "url", "url_file", "key_file", "format", "allow-private", "oauth", "client_id", "credential", "domain_hint", "redirects", "registration", "alerts", "changes", "to", "heads", "file",
		"scopes", "roles", "scope_prefix", "roles_claim", "groups_claim", "shared_audiences", "grants", "tenant_id", "object_id", "issuer", "subject", "role", "tools")
	for _, key := range keys {
		if !regexp.MustCompile(`(?m)^[# -]*`+key+`:`).Match(text) && !regexp.MustCompile(`- `+key+`:`).Match(text) {
			t.Errorf("config.example.yaml does not show %s", key)
		}
	}
}

// TestPolicyPageExamplesAreAccepted hands each example of the page to the
// program, and the whole of the commented parts of config.example.yaml too.
func TestPolicyPageExamplesAreAccepted(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(policyPage)
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile(examplePath)
	if err != nil {
		t.Fatal(err)
	}
	_, hook, _ := strings.Cut(string(example), "# approvals:\n")
	texts := []string{"approvals:\n" + strings.NewReplacer("#   ", "  ", "# heads:", "heads:").Replace(hook)}
	for _, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		texts = append(texts, block[1])
	}
	if len(texts) < 3 {
		t.Fatal("the page has no examples")
	}
	for _, text := range texts {
		path := filepath.Join(t.TempDir(), "config.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		streams := testStreams(nil)
		if code := Run(t.Context(), streams, []string{"tools", "--config", path, "--state-dir", t.TempDir()}); code != exit.CodeDone {
			t.Errorf("the program does not take %s", text)
		}
	}
}
