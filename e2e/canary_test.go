package e2e

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mcp-partner/internal/wiretest"
	"mcp-partner/schemas"
	"mcp-partner/simulator"
)

// madeUp is the secret of a credential that Entra ID refuses. It has the
// characters that get lost or doubled where text is quoted.
const madeUp = `Canary8Q~made.up/"\+&=%41<é>'$x`

// ageKeyMark is how the key of a vault begins.
const ageKeyMark = "AGE-SECRET-KEY-"

// canary collects all that the program says and looks for secrets in it.
type canary struct {
	*world
	said []string
}

// No answer, log line, error or file except the encrypted one holds a secret or
// a token, for any call and any failure, at the most verbose log level.
func TestSecretsAppearInNoOutput(t *testing.T) {
	t.Parallel()
	c := &canary{world: newWorld(t, simulator.Config{Tenants: 8, LinkedPercent: -1})}
	c.furnish()
	c.misbehave()
	c.commands()
	bearer := c.servers()
	secrets := append(c.tap.all(), c.sim.ClientSecret(), madeUp, bearer, c.ageKey())
	if len(secrets) < 10 {
		t.Fatalf("only %d secrets went through this test", len(secrets))
	}
	c.search(secrets)
	if said := strings.Join(c.said, "\n"); len(said) < 50_000 || !strings.Contains(said, "DEBUG") {
		t.Errorf("the program said only %d bytes, or nothing at the level debug", len(said))
	}
}

// furnish makes a directory of tenants that go well and wrong in every way.
func (c *canary) furnish() {
	c.hear(c.cli("vault", "init"))
	for _, name := range []string{"contoso", "fabrikam", "adventure-works", "northwind", "litware", "proseware", "wingtip"} {
		c.add(name, c.sim.ClientSecret())
	}
	c.add("tailspin", madeUp)
}

// misbehave makes some tenants answer oddly, each in its own way.
func (c *canary) misbehave() {
	for name, kind := range map[string]simulator.FaultKind{
		"fabrikam": simulator.FaultUnauthorized, "adventure-works": simulator.FaultClaimsChallenge, "northwind": simulator.FaultWrongTenantToken,
	} {
		c.sim.Inject(simulator.Rule{TenantID: name, Kind: kind})
	}
	c.tap.answer(c.tenant("litware").TenantID, func(w http.ResponseWriter, _ *http.Request) {
		token, err := c.sim.Token("litware", "")
		if err != nil {
			panic(err)
		}
		c.tap.keep(token)
		// Not JSON: a library that quotes what it could not read shows a token.
		fmt.Fprintf(w, `{"token_type":"Bearer","expires_in":"x","access_token":"%s"`, token)
	})
	c.tap.answer(c.tenant("proseware").TenantID, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, c.url+"/elsewhere", http.StatusTemporaryRedirect)
	})
	c.tap.answer(c.tenant("wingtip").TenantID, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"error":"invalid_request","error_description":"AADSTS900144: not understood: %s","error_codes":[900144]}`, r.FormValue("client_secret"))
	})
}

func (c *canary) tenants() []string {
	return []string{"contoso", "fabrikam", "adventure-works", "northwind", "litware", "proseware", "tailspin", "wingtip", "nobody"}
}

// hear runs a command as noisily as it can be, and keeps what it says.
func (c *canary) hear(i invocation) {
	i.args = append(slices.Clone(i.args), "--log-level", "debug")
	c.said = append(c.said, i.run(c.tb).both())
}

// commands runs every command, well and badly.
func (c *canary) commands() {
	for _, args := range [][]string{
		{"vault", "status"}, {"vault", "status", "--json"}, {"vault", "init"}, {"doctor"}, {"doctor", "--read", "--json"},
		{"tenants", "list"}, {"tenants", "list", "--json"}, {"tenants", "export"}, {"tenants", "remove", "northwind"},
		{"tenants", "set", "contoso", "--owner", "somebody"}, {"tools", "--json"}, {"find", "register 1234567 at contoso", "--json"}, {"version"},
		{"call", "list_tenants", "--discover", "--tenant", "contoso", "--json"}, {"call", "list_provider_operations", "--tenant", "contoso"},
		{"schedules", "add", "nightly", "--cron", "@daily"}, {"schedules", "list", "--json"}, {"audit", "acknowledge", "contoso", "--note", "ends", "--until", "2099-01-31"},
		{"audit", "acknowledge", "--json"}, {"ledger", "head", "--push"}, {"migrate", "--to-database"}, {"audit", "changes", "--json"}, {"call", "check_partner_link", "--nosuch"}, {"tenants", "add", "late", "--secret", madeUp},
		{"call", "register_partner", "--tenant", "contoso", "--partner-id", ourID, "--allow-writes", "--approval", "none", "--partner-ids", ourID},
	} {
		c.hear(c.cli(args...))
		c.hear(c.cli(append(args, "--log-format", "json")...))
	}
	for _, tenant := range c.tenants() {
		c.hear(c.cli("call", "check_partner_link", "--tenant", tenant, "--json"))
		c.hear(c.cli("call", "remove_partner", "--tenant", tenant, "--partner-id", ourID, "--plan", "--allow-writes"))
	}
	for _, format := range []string{"table", "csv", "jsonl", "markdown", "html"} {
		c.hear(c.cli("audit", "--expected", ourID, "--all", "--format", format))
		c.hear(c.cli("audit", "show", "latest", "--format", format, "--output", filepath.Join(c.state, "report."+format), "--force"))
	}
	c.hear(c.cli("audit", "changes", "latest", "latest"))
	c.secretCommands()
}

// secretCommands are those that read a secret, among them failing ones.
func (c *canary) secretCommands() {
	list := filepath.Join(c.dir, "bad.csv")
	c.write(list, "name,tenant_id,client_id,secret\nx,y,z,"+madeUp+"\n")
	for _, args := range [][]string{
		{"tenants", "set", "tailspin", "--secret-stdin"}, {"tenants", "add", "contoso", "--tenant-id", c.tenant("contoso").TenantID, "--client-id", "x", "--secret-stdin"},
		{"tenants", "add", "woodgrove", "--tenant-id", "not-a-guid", "--client-id", c.sim.ClientID(), "--secret-stdin"},
		{"tenants", "import", list, "--yes", "--secret-stdin"}, {"serve", "--secret-stdin"},
	} {
		i := c.cli(args...)
		i.stdin = madeUp
		c.hear(i)
	}
}

// servers calls every tool, well and badly, in both eras and over both
// transports. It returns the bearer, which is a secret too once it was shown.
func (c *canary) servers() string {
	serve := []string{"serve", "--log-level", "debug", "--allow-writes", "--approval", "none", "--partner-ids", ourID + "," + otherID}
	for _, era := range wiretest.Eras() {
		s := c.cli(append(serve, "--log-format", "json")...).start(c.tb)
		s.greet(era)
		for i, call := range c.calls() {
			s.send(era.Call(i, call.tool, call.arguments))
		}
		for _, reply := range s.rest() {
			c.said = append(c.said, string(reply.Raw))
		}
		c.said = append(c.said, s.errs.String())
	}
	return c.overHTTP(c.cli(append(serve, "--http", "127.0.0.1:0")...).start(c.tb))
}

func (c *canary) overHTTP(s *server) string {
	connection := s.connection()
	for i, call := range c.calls() {
		answer, err := connection.post(wiretest.Modern.Call(i, call.tool, call.arguments), call.tool)
		if err != nil {
			c.tb.Error(err)
		}
		c.said = append(c.said, answer)
	}
	wrong := connection
	wrong.Token += "x"
	answer, err := wrong.post(wiretest.Modern.Request(1, "tools/list", nil, nil), "")
	if err != nil {
		c.tb.Error(err)
	}
	s.signal()
	s.code()
	c.said = append(c.said, answer, s.errs.String())
	return connection.Token
}

type toolCall struct {
	tool      string
	arguments wiretest.Object
}

func (c *canary) calls() []toolCall {
	calls := []toolCall{
		{schemas.ToolListTenants, nil}, {schemas.ToolListTenants, wiretest.Object{"discover": true, "tenant": "contoso"}},
		{schemas.ToolFindPartnerTool, wiretest.Object{"query": "check contoso"}}, {"no_such_tool", nil},
		{schemas.ToolAuditPartnerLinks, nil}, {schemas.ToolAuditPartnerLinks, wiretest.Object{"run_id": "run_000000000000000000"}},
		{schemas.ToolCheckPartnerLink, wiretest.Object{"tenat": "contoso"}}, {schemas.ToolCheckPartnerLink, wiretest.Object{"tenant": 7}},
	}
	for _, tenant := range c.tenants() {
		of := func(more wiretest.Object) wiretest.Object {
			arguments := wiretest.Object{"tenant": tenant}
			for name, value := range more {
				arguments[name] = value
			}
			return arguments
		}
		calls = append(calls,
			toolCall{schemas.ToolCheckPartnerLink, of(nil)}, toolCall{schemas.ToolListProviderOperations, of(nil)},
			toolCall{schemas.ToolCheckPartnerLink, of(wiretest.Object{"partner_id": ourID})},
			toolCall{schemas.ToolRegisterPartner, of(wiretest.Object{"partner_id": ourID})},
			toolCall{schemas.ToolUpdatePartner, of(wiretest.Object{"partner_id": otherID})},
			toolCall{schemas.ToolRemovePartner, of(wiretest.Object{"partner_id": otherID})},
		)
	}
	return calls
}

// ageKey is the key that opens the vault; its own file alone may have it.
func (c *canary) ageKey() string {
	text, err := os.ReadFile(filepath.Join(c.state, "vault.key"))
	if err != nil {
		c.tb.Fatal(err)
	}
	_, key, found := strings.Cut(string(text), ageKeyMark)
	if !found {
		c.tb.Fatal("vault.key holds no key")
	}
	return ageKeyMark + strings.TrimSpace(key)
}

func (c *canary) search(secrets []string) {
	c.tb.Helper()
	said := strings.Join(c.said, "\n")
	for _, secret := range secrets {
		for form, text := range forms(secret) {
			if at := strings.Index(said, text); at >= 0 {
				c.tb.Errorf("a secret (%.12s..., %s) was said: %.300q", secret, form, said[max(0, at-150):])
			}
			c.searchFiles(strings.HasPrefix(secret, ageKeyMark), form, text)
		}
	}
}

// searchFiles looks into the state directory, where the file of the key alone
// may hold the key.
func (c *canary) searchFiles(key bool, form, text string) {
	c.tb.Helper()
	err := filepath.WalkDir(c.state, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		own := key && filepath.Base(path) == "vault.key"
		if !own && strings.Contains(string(content), text) {
			c.tb.Errorf("%s holds a secret (%s)", path, form)
		}
		return err
	})
	if err != nil {
		c.tb.Error(err)
	}
}

// forms are the ways in which a text gets written down. Half of a long one is
// as bad as all of it.
func forms(secret string) map[string]string {
	return map[string]string{
		"plain": secret, "half": secret[:max(16, len(secret)/2)], "end": secret[len(secret)-min(len(secret), 24):],
		"JSON": strings.Trim(fmt.Sprintf("%q", secret), `"`), "URL": url.QueryEscape(secret), "path": url.PathEscape(secret), "hex": hex.EncodeToString([]byte(secret)),
		"base64": base64.StdEncoding.EncodeToString([]byte(secret)), "base64url": base64.RawURLEncoding.EncodeToString([]byte(secret)),
		"bytes": strings.Trim(fmt.Sprint([]byte(secret)), "[]"),
	}
}

// The search finds a secret however it is written down, and where.
func TestCanaryIsDetected(t *testing.T) {
	t.Parallel()
	for form, text := range forms(madeUp) {
		probe := &failures{TB: t}
		w := &world{tb: probe, state: t.TempDir()}
		(&canary{world: w, said: []string{"before " + text + " after"}}).search([]string{madeUp})
		if probe.n == 0 {
			t.Errorf("a secret that was said as %s went unnoticed", form)
		}
		probe.n = 0
		w.write(filepath.Join(w.state, "log"), "before "+text)
		(&canary{world: w}).search([]string{madeUp})
		if probe.n == 0 {
			t.Errorf("a secret in a file as %s went unnoticed", form)
		}
	}
}

// failures counts errors where a test is tested.
type failures struct {
	testing.TB
	n int
}

// Errorf implements testing.TB.
func (f *failures) Errorf(string, ...any) { f.n++ }
