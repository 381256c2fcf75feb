package e2e

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"mcp-partner/internal/keyvaulttest"
	"mcp-partner/simulator"
)

const machineHeader = "header-of-the-platform-0123456789"

// keyVaultWorld is a state directory whose secrets are in a key vault, on a
// machine of App Service.
type keyVaultWorld struct {
	*canary
	vault   *keyvaulttest.Vault
	machine string
}

func newKeyVaultWorld(t *testing.T) *keyVaultWorld {
	t.Helper()
	k := &keyVaultWorld{canary: &canary{world: newWorld(t, simulator.Config{Tenants: 3, LinkedPercent: -1})}, vault: keyvaulttest.New(t)}
	machine := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-IDENTITY-HEADER") != machineHeader || r.FormValue("resource") != keyvaulttest.Resource {
			http.Error(w, `{"statusCode":400}`, http.StatusBadRequest)
			return
		}
		fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_on":"4102444800","resource":%q}`, keyvaulttest.Token, keyvaulttest.Resource)
	}))
	t.Cleanup(machine.Close)
	k.machine = machine.URL
	ca := filepath.Join(k.dir, "key-vault-ca.pem")
	k.write(ca, k.vault.CAPEM())
	k.wants(0, "", "vault", "init", "--backend", "azurekeyvault", "--server", k.vault.URL, "--ca-file", ca, "--auth", "managed-identity")
	return k
}

// wants runs a command, which has to end with a code, and returns what it says.
func (k *keyVaultWorld) wants(code int, stdin string, args ...string) string {
	k.tb.Helper()
	i := k.cli(append(args, "--log-level", "debug")...)
	i.stdin, i.env = stdin, []string{"IDENTITY_ENDPOINT=" + k.machine + "/msi/token", "IDENTITY_HEADER=" + machineHeader}
	o := i.run(k.tb)
	k.said = append(k.said, o.both())
	if o.code != code {
		k.tb.Fatalf("%v ended with %d, want %d:\n%s", args, o.code, code, o.both())
	}
	return o.both()
}

// uses adds a tenant with the secret that the key vault holds.
func (k *keyVaultWorld) uses(tenant, secret string, flags ...string) string {
	k.tb.Helper()
	return k.wants(0, "", append([]string{"tenants", "add", tenant, "--tenant-id", k.tenant(tenant).TenantID, "--client-id", k.sim.ClientID(), "--credential", secret,
		"--cloud", "custom", "--arm-endpoint", k.url, "--arm-audience", k.sim.Audience(), "--authority", k.url + "/",
		"--ca-file", k.caFile, "--skip-instance-discovery", "--allow-other-authority"}, flags...)...)
}

// pfx makes a certificate that the simulator knows, in the form in which Key
// Vault keeps one.
func (k *keyVaultWorld) pfx(end time.Time) string {
	k.tb.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		k.tb.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(end.Unix()), Subject: pkix.Name{CommonName: "app"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: end}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		k.tb.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		k.tb.Fatal(err)
	}
	raw, err := pkcs12.Modern2023.Encode(key, certificate, nil, "")
	if err != nil {
		k.tb.Fatal(err)
	}
	k.sim.RegisterCertificate(certificate)
	return base64.StdEncoding.EncodeToString(raw)
}

// The whole program on a key vault: what others store there is used, what is
// replaced there counts, and nothing of it comes out.
func TestKeyVaultBehindTheProgram(t *testing.T) {
	t.Parallel()
	k := newKeyVaultWorld(t)
	k.vault.Set("mcp-partner-app", k.sim.ClientSecret())
	if said := k.uses("contoso", "app"); !strings.Contains(said, "the one in the vault with that name") {
		t.Errorf("adding said:\n%s", said)
	}
	check := []string{"call", "check_partner_link", "--json", "--tenant"}
	k.wants(0, "", append(check, "contoso")...)
	if said := k.wants(0, "", "tenants", "list", "--json"); !strings.Contains(said, `"expires_at":"2030-03-17T17:46:40Z"`) {
		t.Errorf("the end that the key vault knows is not told:\n%s", said)
	}
	secrets := []string{k.sim.ClientSecret(), k.sim.RenewSecret()}
	k.vault.Set("mcp-partner-app", secrets[1]) // replaced there, and told to nobody
	k.wants(0, "", append(check, "contoso")...)
	secrets = append(secrets, k.sim.RenewSecret())
	k.wants(0, secrets[2], "vault", "rotate-secret", "app", "--secret-stdin")
	k.wants(0, "", "vault", "test", "app")

	first, second := k.pfx(time.Now().Add(60*24*time.Hour)), k.pfx(time.Now().Add(90*24*time.Hour))
	k.vault.Issue("mcp-partner-cert", first)
	k.uses("fabrikam", "cert", "--kind", "client-certificate")
	k.wants(0, "", append(check, "fabrikam")...)
	k.vault.Issue("mcp-partner-cert", second)
	k.wants(0, "", append(check, "fabrikam")...)
	if said := k.wants(0, "", "vault", "show", "cert"); !strings.Contains(said, time.Now().Add(90*24*time.Hour).UTC().Format(time.DateOnly)) {
		t.Errorf("the end of the certificate that took the other's place is not told:\n%s", said)
	}
	k.search(append(slices.Concat(k.tap.all(), secrets), first, second, keyvaulttest.Token, machineHeader))
}

// The commands about a vault, with the key vault there, refusing and gone.
func TestKeyVaultCanary(t *testing.T) {
	t.Parallel()
	k := newKeyVaultWorld(t)
	k.vault.Set("mcp-partner-app", k.sim.ClientSecret())
	k.uses("contoso", "app")
	k.wants(0, madeUp, "vault", "add", "spare", "--secret-stdin")
	k.wants(1, madeUp, "vault", "rotate-secret", "app", "--secret-stdin")
	k.wants(0, "", "vault", "rotate-key", "--json")
	if names := k.vault.Names(); len(names) < 3 || !slices.Contains(names, "mcp-partner-spare") {
		t.Errorf("the key vault holds %v", names)
	}
	backup, passphrase := filepath.Join(k.dir, "backup.age"), k.passphraseFile("passphrase", "correct horse battery staple")
	commands := [][]string{
		{"vault", "list", "--json"}, {"vault", "show", "app"}, {"vault", "test", "app"}, {"vault", "status", "--json"}, {"doctor"},
		{"vault", "rotate-key"}, {"vault", "backup", backup, "--backup-passphrase-file", passphrase}, {"call", "check_partner_link", "--json"},
	}
	for _, when := range []func(){func() {}, func() { k.vault.Answers(echo(http.StatusForbidden)) }, func() { k.vault.Answers(echo(http.StatusServiceUnavailable)) }, k.vault.Close} {
		when()
		for _, args := range commands {
			i := k.cli(args...)
			i.env = []string{"IDENTITY_ENDPOINT=" + k.machine + "/msi/token", "IDENTITY_HEADER=" + machineHeader}
			k.hear(i)
		}
	}
	if said := strings.Join(k.said, "\n"); strings.Contains(said, "vault remove spare") {
		t.Error("somebody is told to remove what another may use")
	} else if !strings.Contains(said, "vault_unavailable") {
		t.Error("nothing said that the key vault is unavailable")
	}
	k.search(append(k.tap.all(), k.sim.ClientSecret(), madeUp, keyvaulttest.Token, machineHeader))
}

// echo is a service that fails and repeats what it was sent.
func echo(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"error":{"code":"Failed","message":%q}}`, r.Header.Get("Authorization")+string(body))
	}
}
