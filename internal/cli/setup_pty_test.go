//go:build !windows

package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mcp-partner/internal/exit"
)

// TestSetupAsksAtTheTerminal sets everything up by typed answers alone, in a
// home directory where Claude Desktop and Cursor have a folder.
func TestSetupAsksAtTheTerminal(t *testing.T) {
	t.Parallel()
	world := startWorld(t)
	home := filepath.Join(t.TempDir(), "home of Zoë")
	for _, folder := range []string{".cursor", ".config/Claude"} {
		if err := os.MkdirAll(filepath.Join(home, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, world.Server.CAPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	contoso, _ := world.Sim.Tenant("contoso")
	cloud := world.Cloud()
	env := []string{"HOME=" + home, "MCP_PARTNER_STATE_DIR=" + filepath.Join(home, "state"), "PATH=/nowhere", "NO_COLOR=1"}
	s := atTerminal(t, env, "setup", "--cloud", "custom", "--authority", cloud.Authority, "--arm-endpoint", cloud.ARMEndpoint,
		"--arm-audience", cloud.ARMAudience, "--ca-file", ca, "--skip-instance-discovery")
	for _, turn := range [][2]string{
		{"Where to keep its key [auto]: ", "nowhere else"},
		{"That is not one of the choices", ""},
		{"Where to keep its key [auto]: ", "file"},
		{"all others are denied: ", "1234567, 12a"},
		{"A partner ID has characters other than ASCII digits", ""},
		{"all others are denied: ", "1234567"},
		{"such as contoso: ", "contoso.com"},
		{"has a dot: that would look like a domain or a path", ""},
		{"such as contoso: ", "contoso"},
		{"Which identity acts there [secret]: ", ""},
		{"The customer's tenant ID (a GUID) or domain: ", "contoso"},
		{"That is not a GUID or a domain", ""},
		{"The customer's tenant ID (a GUID) or domain: ", contoso.TenantID},
		{"The application's client ID (a GUID): ", world.Sim.ClientID()},
		{"Client secret of contoso (not shown): ", world.Sim.ClientSecret()},
		{"configuration of Claude Desktop? (Y/n): ", "n"},
		{"configuration of Cursor? (Y/n): ", ""},
	} {
		s.expect(turn[0])
		if strings.HasSuffix(turn[0], ": ") {
			s.shown.Reset()
			s.typeLine(turn[1] + "\n")
		}
	}
	code, shown := s.end()
	if code != exit.CodeDone || strings.Contains(shown, world.Sim.ClientSecret()) {
		t.Fatalf("exit code %d:\n%s", code, shown)
	}
	if !strings.Contains(shown, "Added the server partner to Cursor") || !strings.Contains(shown, `Ask your agent: "Is our partner link in place at contoso?"`) {
		t.Errorf("shown:\n%s", shown)
	}
	if _, err := os.Stat(filepath.Join(home, ".cursor", "mcp.json")); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(home, ".config", "Claude", "claude_desktop_config.json")); err == nil {
		t.Error("a client that was declined was written to")
	}
}

// TestInterruptedSetupKeepsCompletedSteps closes the terminal at the second question.
func TestInterruptedSetupKeepsCompletedSteps(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "state")
	s := atTerminal(t, []string{"MCP_PARTNER_STATE_DIR=" + state, "NO_COLOR=1"}, "setup", "--protect-by", "file")
	s.expect("all others are denied: ")
	s.typeLine("\x04")
	code, shown := s.end()
	if code != exit.CodeRefused || !strings.Contains(shown, "completed steps are kept") {
		t.Errorf("exit code %d:\n%s", code, shown)
	}
	if _, err := os.Stat(filepath.Join(state, "vault.age")); err != nil {
		t.Error(err)
	}
}

// TestSetupGivesUpAfterThreeMistakes keeps nothing of what was mistyped.
func TestSetupGivesUpAfterThreeMistakes(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "state")
	s := atTerminal(t, []string{"MCP_PARTNER_STATE_DIR=" + state, "NO_COLOR=1"}, "setup", "--protect-by", "file")
	for range 3 {
		s.expect("all others are denied: ")
		s.shown.Reset()
		s.typeLine("Contoso\n")
	}
	code, shown := s.end()
	if code != exit.CodeUsage || !strings.Contains(shown, "mcp-partner: a partner ID has characters") {
		t.Errorf("exit code %d:\n%s", code, shown)
	}
	if _, err := os.Stat(filepath.Join(state, "config.yaml")); err == nil {
		t.Error("a config file was made of mistakes")
	}
}

// TestSetupAsksForThePassphraseOnce has the key of the vault in somebody's head:
// it is typed twice when it is made, and once to open the vault, and the client's
// server is said to lack it.
func TestSetupAsksForThePassphraseOnce(t *testing.T) {
	t.Parallel()
	world := startWorld(t)
	dir := t.TempDir()
	ca, secret := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "secret")
	for path, text := range map[string]string{ca: string(world.Server.CAPEM()), secret: world.Sim.ClientSecret()} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	contoso, _ := world.Sim.Tenant("contoso")
	cloud := world.Cloud()
	env := []string{"HOME=" + dir, "MCP_PARTNER_STATE_DIR=" + filepath.Join(dir, "state"), "PATH=/nowhere", "NO_COLOR=1"}
	s := atTerminal(t, env, "setup", "contoso", "--protect-by", "passphrase", "--partner-ids", "1234567", "--client", "cursor",
		"--tenant-id", contoso.TenantID, "--client-id", world.Sim.ClientID(), "--secret-file", secret, "--cloud", "custom", "--authority", cloud.Authority,
		"--arm-endpoint", cloud.ARMEndpoint, "--arm-audience", cloud.ARMAudience, "--ca-file", ca, "--skip-instance-discovery")
	const passphrase = "correct horse battery staple"
	for _, prompt := range []string{"New passphrase of the vault: ", "Repeat it: ", "Passphrase of the vault "} {
		s.expect(prompt)
		s.shown.Reset()
		s.typeLine(passphrase + "\n")
	}
	code, shown := s.end()
	if code != exit.CodeDone || strings.Contains(shown, "Passphrase of the vault") || strings.Contains(shown, passphrase) {
		t.Errorf("exit code %d:\n%s", code, shown)
	}
	if !strings.Contains(shown, "mcp-partner install cursor -- --passphrase-file FILE") {
		t.Errorf("nobody is told that the server stays locked:\n%s", shown)
	}
}

// With a signed-in Azure CLI its tenant is offered, and another one may be typed.
func TestSetupOffersTenantOfAzureCLI(t *testing.T) {
	t.Parallel()
	bin, state := t.TempDir(), filepath.Join(t.TempDir(), "state")
	const az = `#!/bin/sh
echo '{"environmentName":"AzureCloud","tenantId":"11111111-2222-3333-4444-555555555555","user":{"name":"ann@contoso.example","type":"user"}}'
`
	if err := os.WriteFile(filepath.Join(bin, "az"), []byte(az), 0o700); err != nil {
		t.Fatal(err)
	}
	s := atTerminal(t, []string{"MCP_PARTNER_STATE_DIR=" + state, "NO_COLOR=1", "PATH=" + bin}, "setup", "contoso", "--protect-by", "file", "--partner-ids", "1234567",
		"--cloud", "custom", "--authority", "https://127.0.0.1:1/", "--arm-endpoint", "https://127.0.0.1:1", "--arm-audience", "https://a.invalid/", "--skip-instance-discovery")
	s.expect("Which identity acts there [az]: ")
	s.typeLine("\n")
	s.expect("The customer's tenant ID (a GUID) or domain [11111111-2222-3333-4444-555555555555]: ")
	s.typeLine("22222222-2222-3333-4444-555555555555\n")
	code, shown := s.end()
	if code != exit.CodeFailed || !strings.Contains(shown, "Added contoso with the credential azure-cli") || !strings.Contains(shown, "22222222-2222-3333-4444-555555555555\r\n  cloud") {
		t.Errorf("exit code %d:\n%s", code, shown)
	}
}

// TestSetupSignsInWithDeviceCode lets the person that the simulated Entra ID knows
// approve every code.
func TestSetupSignsInWithDeviceCode(t *testing.T) {
	t.Parallel()
	world := startWorld(t)
	if _, err := world.Sim.AddUser("ann", "contoso"); err != nil {
		t.Fatal(err)
	}
	world.Sim.ApproveDevices("ann")
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(ca, world.Server.CAPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	contoso, _ := world.Sim.Tenant("contoso")
	cloud := world.Cloud()
	env := []string{"HOME=" + dir, "MCP_PARTNER_STATE_DIR=" + filepath.Join(dir, "state"), "PATH=/nowhere", "NO_COLOR=1"}
	s := atTerminal(t, env, "setup", "contoso", "--protect-by", "file", "--partner-ids", "1234567", "--cloud", "custom", "--authority", cloud.Authority,
		"--arm-endpoint", cloud.ARMEndpoint, "--arm-audience", cloud.ARMAudience, "--ca-file", ca, "--skip-instance-discovery")
	s.expect("Which identity acts there [secret]: ")
	s.typeLine("person\n")
	s.expect("The customer's tenant ID (a GUID) or domain: ")
	s.typeLine(contoso.TenantID + "\n")
	s.expect("type the code")
	code, shown := s.end()
	if code != exit.CodeDone || !strings.Contains(shown, "Signed in for the credential contoso") || !strings.Contains(shown, "This identity is ") {
		t.Errorf("exit code %d:\n%s", code, shown)
	}
}

// TestSetupAsksAgainForRejectedSecret types two wrong secrets before the
// right one; the terminal shows none of them.
func TestSetupAsksAgainForRejectedSecret(t *testing.T) {
	t.Parallel()
	world := startWorld(t)
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(ca, world.Server.CAPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	contoso, _ := world.Sim.Tenant("contoso")
	cloud := world.Cloud()
	env := []string{"HOME=" + dir, "MCP_PARTNER_STATE_DIR=" + filepath.Join(dir, "state"), "PATH=/nowhere", "NO_COLOR=1"}
	s := atTerminal(t, env, "setup", "contoso", "--protect-by", "file", "--partner-ids", "1234567", "--tenant-id", contoso.TenantID,
		"--client-id", world.Sim.ClientID(), "--secret-stdin", "--cloud", "custom", "--authority", cloud.Authority,
		"--arm-endpoint", cloud.ARMEndpoint, "--arm-audience", cloud.ARMAudience, "--ca-file", ca, "--skip-instance-discovery")
	var all string
	const wrong, alsoWrong = "a-secret-of-yesterday", "the-id-of-the-secret"
	for _, typed := range []string{wrong, "", alsoWrong, world.Sim.ClientSecret()} {
		s.expect("Client secret of contoso (not shown): ")
		all += s.shown.String()
		s.shown.Reset()
		s.typeLine(typed + "\n")
	}
	code, rest := s.end()
	shown := all + rest
	if code != exit.CodeDone || strings.Count(shown, "Entra ID does not accept the secret of credential contoso") != 3 || !strings.Contains(shown, "This identity is ") {
		t.Errorf("exit code %d:\n%s", code, shown)
	}
	for _, secret := range []string{wrong, alsoWrong, world.Sim.ClientSecret()} {
		if strings.Contains(shown, secret) {
			t.Errorf("the terminal shows %s:\n%s", secret, shown)
		}
	}
}
