package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"mcp-partner/internal/vaulttest"
	"mcp-partner/simulator"
)

// passphraseFile makes a file with a passphrase.
func (w *world) passphraseFile(name, text string) string {
	w.tb.Helper()
	path := filepath.Join(w.dir, name)
	w.write(path, text)
	return path
}

// TestVaultSecretsAppearInNoOutput runs every vault command, with good and bad
// input, and finds no secret in its output or in any file but vault.key.
func TestVaultSecretsAppearInNoOutput(t *testing.T) {
	t.Parallel()
	c := &canary{world: newWorld(t, oneTenant())}
	c.hear(c.cli("vault", "init"))
	c.add("contoso", c.sim.ClientSecret())
	backup := filepath.Join(c.state, "backup.age")
	passphrase := c.passphraseFile("passphrase", "correct horse battery staple")
	colleague, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	c.withSecret("vault", "add", "spare", "--secret-stdin")
	c.withSecret("vault", "add", "spare", "--secret-stdin")
	c.withSecret("vault", "add", "a/b", "--secret-stdin")
	c.withSecret("vault", "rotate-secret", "contoso", "--secret-stdin") // Entra ID refuses it
	c.withSecret("vault", "rotate-secret", "spare", "--secret-stdin")
	for _, args := range [][]string{
		{"vault", "list"}, {"vault", "list", "--json"}, {"vault", "show", "contoso"}, {"vault", "show", "spare", "--json"}, {"vault", "show", "nobody"},
		{"vault", "test", "contoso"}, {"vault", "test", "contoso", "--json"}, {"vault", "test", "spare"}, {"vault", "status"},
		{"vault", "recipients", "add", "dana", colleague.Recipient().String()}, {"vault", "recipients", "add", "eve", colleague.String()},
		{"vault", "recipients", "list"}, {"vault", "recipients", "list", "--json"}, {"vault", "recipients", "remove", "dana"},
		{"vault", "rotate-key", "--dry-run"}, {"vault", "rotate-key", "--json"}, {"vault", "rotate-key", "--new-identity-file", backup},
		{"vault", "backup", backup, "--backup-passphrase-file", passphrase}, {"vault", "backup", backup, "--backup-passphrase-file", passphrase},
		{"vault", "restore", backup, "--backup-passphrase-file", passphrase, "--json"}, {"vault", "restore", backup, "--backup-identity-file", passphrase},
		{"vault", "restore", filepath.Join(c.state, "vault.key")}, {"vault", "remove", "spare"}, {"vault", "remove", "contoso"},
		{"vault", "init", "--backend", "hashicorp", "--server", "https://127.0.0.1:1", "--auth", "token", "--auth-file", passphrase}, {"ledger", "list"},
	} {
		c.hear(c.cli(args...))
	}
	secrets := append(c.tap.all(), c.sim.ClientSecret(), madeUp, c.ageKey(), colleague.String())
	c.search(secrets)
	if said := strings.Join(c.said, "\n"); len(said) < 4_000 {
		t.Errorf("the program said only %d bytes", len(said))
	}
	info, err := os.Stat(backup)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the backup: %v, %v", info, err)
	}
}

// withSecret runs a command that is given a wrong secret.
func (c *canary) withSecret(args ...string) {
	i := c.cli(args...)
	i.stdin = madeUp
	c.hear(i)
}

// A new secret replaces the old one only after it has signed in, and the record
// names both.
func TestRotateSecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t, oneTenant())
	w.cli("vault", "init").must(t)
	w.add("contoso", madeUp) // what is there is wrong; the right one replaces it
	wrong := w.cli("vault", "rotate-secret", "contoso", "--secret-stdin")
	wrong.stdin = "another-wrong-secret"
	if o := wrong.run(t); o.code == 0 || !strings.Contains(o.stderr, "was not stored, because it does not sign in") {
		t.Fatalf("a secret that signs in nowhere: %d\n%s", o.code, o.both())
	}
	right := w.cli("vault", "rotate-secret", "contoso", "--secret-stdin", "--expires", "2099-01-31")
	right.stdin = w.sim.ClientSecret()
	right.must(t)
	w.cli("vault", "test", "contoso").must(t)
	var list struct {
		Secrets []struct {
			Name, Expiry string
			Kinds        []string
			Tenants      []string
			LastSuccess  string `json:"last_success"`
		}
	}
	if err := json.Unmarshal([]byte(w.cli("vault", "list", "--json").must(t).stdout), &list); err != nil {
		t.Fatal(err)
	}
	if one := list.Secrets[0]; one.Name != "contoso" || one.Expiry != "valid" || one.Kinds[0] != "client-secret" || one.Tenants[0] != "contoso" {
		t.Errorf("the list says %+v", one)
	} else if one.LastSuccess == "" {
		t.Errorf("the list does not say that it has signed in: %+v", one)
	}
	if o := w.cli("ledger", "list", "--json").must(t); !strings.Contains(o.stdout, "A new secret for contoso signed in as contoso in contoso.") || !strings.Contains(o.stdout, "The secret contoso was replaced") {
		t.Errorf("the record does not say that the secret was replaced:\n%s", o.stdout)
	}
}

// A backup comes back on another machine, and the ledger goes on there.
func TestBackupOnAnotherMachine(t *testing.T) {
	t.Parallel()
	w := newWorld(t, oneTenant())
	w.settle("contoso")
	passphrase := w.passphraseFile("passphrase", "correct horse battery staple")
	file := filepath.Join(w.dir, "backup.age")
	w.cli("vault", "backup", file, "--backup-passphrase-file", passphrase).must(t)
	if o := w.cli("vault", "backup", file, "--backup-passphrase-file", passphrase).run(t); o.code == 0 {
		t.Error("a backup replaced a file")
	}
	other := &world{tb: t, sim: w.sim, tap: w.tap, gate: w.gate, url: w.url, caFile: w.caFile, dir: t.TempDir()}
	other.state = filepath.Join(other.dir, "state")
	other.cli("vault", "init").must(t)
	o := other.cli("vault", "restore", file, "--backup-passphrase-file", passphrase).must(t)
	if !strings.Contains(o.stdout, "restore ledger.db") {
		t.Errorf("nothing is said about the ledger:\n%s", o.stdout)
	}
	ledger, err := os.ReadFile(filepath.Join(w.state, "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(other.state, "ledger.db"), ledger, 0o600); err != nil {
		t.Fatal(err)
	}
	other.cli("vault", "test", "contoso").must(t)
	other.cli("call", "check_partner_link", "--tenant", "contoso").must(t)
	other.cli("ledger", "verify").must(t)
	other.cli("doctor").must(t)
	// Without the ledger nothing breaks either: the gap is said.
	third := &world{tb: t, sim: w.sim, tap: w.tap, gate: w.gate, url: w.url, caFile: w.caFile, dir: t.TempDir()}
	third.state = filepath.Join(third.dir, "state")
	third.cli("vault", "init").must(t)
	third.cli("vault", "restore", file, "--backup-passphrase-file", passphrase).must(t)
	third.withTenant("late")
	if o := third.cli("ledger", "list").must(t); !strings.Contains(o.stdout, "an older ledger was restored") {
		t.Errorf("the record does not say that entries are missing:\n%s", o.stdout)
	}
	if o := third.cli("ledger", "verify").run(t); o.code != 1 || !strings.Contains(o.stdout, "are missing") {
		t.Errorf("a gap that nobody accepted: exit %d\n%s", o.code, o.stdout)
	}
}

// withTenant stores a secret, which is recorded.
func (w *world) withTenant(name string) {
	w.tb.Helper()
	i := w.cli("vault", "add", name, "--secret-stdin")
	i.stdin = "secret-of-" + name
	i.must(w.tb)
}

// TestRealVaultServerBehindTheProgram runs the whole program on a real
// HashiCorp Vault: secrets go there, the environment redirects nothing, and a
// sealed server stops new sign-ins and not those that have a token.
func TestRealVaultServerBehindTheProgram(t *testing.T) {
	t.Parallel()
	s := vaulttest.Start(t)
	w := newWorld(t, simulator.Config{Tenants: 2})
	ca, token := filepath.Join(w.dir, "vault-ca.pem"), filepath.Join(w.dir, "vault-token")
	w.write(ca, s.CAPEM)
	w.write(token, s.Token(t, nil))
	w.cli("vault", "init", "--backend", "hashicorp", "--server", s.Address, "--ca-file", ca, "--auth", "token", "--auth-file", token).must(t)
	w.add("contoso", w.sim.ClientSecret())
	w.add("fabrikam", w.sim.ClientSecret())
	if s.Value(t, "contoso") != w.sim.ClientSecret() {
		t.Error("the server has not got the secret")
	}
	for _, file := range []string{"backend.json", "vault.age", "directory.json"} {
		if text, err := os.ReadFile(filepath.Join(w.state, file)); err != nil || strings.Contains(string(text), w.sim.ClientSecret()) {
			t.Errorf("%s holds the secret, or cannot be read: %v", file, err)
		}
	}
	stray := w.cli("vault", "test", "contoso")
	stray.env = []string{"VAULT_ADDR=https://127.0.0.1:1", "VAULT_TOKEN=stray", "VAULT_NAMESPACE=stray", "VAULT_SKIP_VERIFY=1", `VAULT_HEADERS={"X-Stray":"1"}`}
	stray.must(t)
	w.cli("vault", "rotate-key").must(t)
	server := w.cli("serve", "--log-level", "error").start(t)
	server.greet("2025-11-25")
	check := func(id, tenant string) string {
		return string(server.ask(proposal{"check_partner_link", map[string]any{"tenant": tenant}}.call(id, nil)).Raw)
	}
	if text := check("1", "contoso"); strings.Contains(text, "vault_unavailable") {
		t.Fatalf("before: %s", text)
	}
	s.Seal(t)
	if text := check("2", "contoso"); strings.Contains(text, "vault_unavailable") {
		t.Errorf("a token that is at hand is not used on: %s", text)
	}
	if text := check("3", "fabrikam"); !strings.Contains(text, "vault_unavailable") || !strings.Contains(text, "is sealed") {
		t.Errorf("a sealed server is not said: %s", text)
	}
	s.Unseal(t)
	if text := check("4", "fabrikam"); strings.Contains(text, "vault_unavailable") {
		t.Errorf("afterwards: %s", text)
	}
	s.Must(t, http.MethodGet, "secret/metadata/mcp-partner?list=true", s.RootToken, nil)
}

// TestRealVaultServerCanary says the commands about a vault on a server, with
// the server there, refusing and sealed, and finds neither a secret nor the
// token of the server in what is said nor in the state directory.
func TestRealVaultServerCanary(t *testing.T) {
	t.Parallel()
	s := vaulttest.Start(t)
	c := &canary{world: newWorld(t, oneTenant())}
	token, file := s.Token(t, nil), filepath.Join(t.TempDir(), "token")
	ca, backup := filepath.Join(c.dir, "vault-ca.pem"), filepath.Join(c.dir, "backup.age")
	c.write(ca, s.CAPEM)
	c.write(file, token)
	passphrase := c.passphraseFile("passphrase", "correct horse battery staple")
	c.hear(c.cli("vault", "init", "--backend", "hashicorp", "--server", s.Address, "--ca-file", ca, "--auth", "token", "--auth-file", file))
	c.add("contoso", c.sim.ClientSecret())
	c.withSecret("vault", "add", "spare", "--secret-stdin")
	c.withSecret("vault", "rotate-secret", "contoso", "--secret-stdin")
	again := [][]string{
		{"vault", "list", "--json"}, {"vault", "show", "contoso"}, {"vault", "test", "contoso"}, {"vault", "status", "--json"}, {"doctor"},
		{"vault", "recipients", "list"},
		{"vault", "rotate-key", "--json"}, {"vault", "backup", backup, "--backup-passphrase-file", passphrase, "--json"},
		{"vault", "restore", backup, "--backup-passphrase-file", passphrase}, {"call", "check_partner_link", "--tenant", "contoso", "--json"},
	}
	for _, when := range []func(){func() {}, func() { s.Seal(t) }, func() {
		s.Unseal(t)
		s.Must(t, http.MethodPost, "auth/token/revoke", s.RootToken, map[string]any{"token": token})
	}} {
		when()
		for _, args := range again {
			c.hear(c.cli(args...))
		}
	}
	said := strings.Join(c.said, "\n")
	for _, words := range []string{"is sealed", "does not accept the sign-in with token"} {
		if !strings.Contains(said, words) {
			t.Errorf("nothing said %q", words)
		}
	}
	c.search(append(c.tap.all(), c.sim.ClientSecret(), madeUp, token, s.RootToken, s.UnsealKey))
}
