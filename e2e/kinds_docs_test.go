package e2e

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mcp-partner/simulator"
)

// Every command of docs/credentials.md does what the page says: a tenant is
// added with each kind, and signs in where the simulator has what the kind needs.
func TestCredentialsPage(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root(t), "docs", "credentials.md"))
	if err != nil {
		t.Fatal(err)
	}
	p := newPage(t)
	commands := shellLines(string(text), "mcp-partner ")
	if len(commands) < 12 {
		t.Fatalf("the page has %d commands", len(commands))
	}
	for _, command := range commands {
		p.run(t, command)
	}
	want := map[string]string{"contoso": "", "fabrikam": "", "litware": "", "proseware": "", "wingtip": "",
		// There is no job of GitHub Actions, no managed identity with this machine's
		// client ID, and no az.
		"northwind": "sign_in_unavailable", "tailspin": "credential_rejected"}
	for tenant, code := range want {
		said := p.invoke("call", "check_partner_link", "--tenant", tenant, "--json").run(t)
		if got := codeIn(said.stdout); got != code {
			t.Errorf("%s: problem %q, want %q: %s", tenant, got, code, said.both())
		}
	}
}

// page is a world in which the commands of the page can be run.
type page struct {
	*kindsWorld
	machine, token string
}

func newPage(t *testing.T) *page {
	t.Helper()
	p := &page{kindsWorld: &kindsWorld{canary: &canary{world: newWorld(t, simulator.Config{Tenants: 10, LinkedPercent: -1})}}}
	p.write(filepath.Join(p.dir, "secret.txt"), p.sim.ClientSecret())
	p.sim.RegisterCertificate(p.newCertificate(t, filepath.Join(p.dir, "app.pem"), ""))
	issuer, err := p.sim.NewIssuer("https://cluster.example/oidc")
	if err != nil {
		t.Fatal(err)
	}
	p.sim.Federate(simulator.Federation{Issuer: issuer, Subject: podSubject})
	token, err := issuer.Token(podSubject, simulator.TokenExchangeAudience, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	p.token = filepath.Join(p.dir, "azure-identity-token")
	p.write(p.token, token)
	if _, err := p.sim.AddUser(personName, "proseware"); err != nil {
		t.Fatal(err)
	}
	p.sim.ApproveDevices(personName)
	if err := p.sim.AddManagedIdentity(simulator.ManagedIdentity{Tenant: "wingtip", ClientID: "0c1b2a39-2222-4222-8333-000000000001", ObjectID: "0c1b2a39-2222-4222-8333-000000000002"}); err != nil {
		t.Fatal(err)
	}
	machine := httptest.NewServer(p.sim.MetadataHandler())
	t.Cleanup(machine.Close)
	p.machine = machine.URL
	return p
}

func (p *page) invoke(args ...string) invocation {
	i := p.onMachine(p.cli(args...), p.machine)
	i.dir = p.dir
	return i
}

// run runs a line of the page, in the cloud of the simulator.
func (p *page) run(t *testing.T, line string) {
	t.Helper()
	args := strings.Fields(line)[1:]
	if args[0] == "tenants" && args[1] == "add" {
		args = append(args, "--cloud", "custom", "--arm-endpoint", p.url, "--arm-audience", p.sim.Audience(), "--authority", p.url+"/", "--ca-file", p.caFile, "--skip-instance-discovery")
	}
	for i, arg := range args {
		switch arg {
		case "$APP":
			args[i] = p.sim.ClientID()
		case "$TENANT":
			args[i] = p.tenant(args[2]).TenantID
		case "/var/run/secrets/azure/tokens/azure-identity-token":
			args[i] = p.token
		case "azure-cli":
			return // internal/cli runs it with a stand-in for az
		}
	}
	p.invoke(args...).must(t)
}

// shellLines are the lines of a page's shell blocks that begin so.
func shellLines(text, begin string) []string {
	var lines []string
	inside := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "```"):
			inside = line == "```sh"
		case inside && strings.HasPrefix(line, begin):
			lines = append(lines, line)
		}
	}
	return lines
}
