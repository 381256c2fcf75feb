package cli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/disk"
	"mcp-partner/internal/testkit"
	"mcp-partner/tenants"
	"mcp-partner/vault"
)

// slowTyper is a person whose time must not be bounded while a passphrase is
// asked for.
type slowTyper struct {
	asked   *int
	bounded *bool
}

func (slowTyper) Close() error { return nil }

func (s slowTyper) Ask(ctx context.Context, text string, _ bool) (string, error) {
	if strings.HasPrefix(text, "Passphrase of the vault") {
		*s.asked++
		_, *s.bounded = ctx.Deadline()
	}
	return "correct horse battery", nil
}

// The passphrase is asked for once, before the timeout of the call starts.
func TestPassphrasePromptHasNoDeadline(t *testing.T) {
	t.Parallel()
	testkit.SkipShort(t, testkit.Passphrases)
	dir := lockedVault(t)
	for _, call := range [][]string{
		{"check_partner_link"},
		{"register_partner", "--partner-id", "1234567", "--allow-writes", "--plan"},
		{"register_partner", "--partner-id", "1234567", "--allow-writes"},
	} {
		asked, bounded := 0, false
		var out bytes.Buffer
		streams := &term.Streams{
			In: strings.NewReader(""), Out: &out, Err: &out, InTTY: true,
			Env:      func(string) (string, bool) { return "", false },
			Terminal: func() (term.Terminal, error) { return slowTyper{&asked, &bounded}, nil },
		}
		Run(t.Context(), streams, append(append([]string{"--state-dir", dir, "call"}, call...), "--tenant", "contoso"))
		if asked != 1 || bounded {
			t.Errorf("%s: asked %d times, within a deadline: %v\n%s", call, asked, bounded, out.String())
		}
	}
}

// lockedVault makes a state directory with a passphrase and a tenant in it.
func lockedVault(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "state")
	phrase := filepath.Join(t.TempDir(), "phrase")
	if err := os.WriteFile(phrase, []byte("correct horse battery"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := vault.Init(t.Context(), disk.New(dir), vault.InitOptions{Key: vault.KeySource{PassphraseFile: phrase}}); err != nil {
		t.Fatal(err)
	}
	directory, err := tenants.OpenDirectory(disk.New(dir))
	if err != nil {
		t.Fatal(err)
	}
	nowhere := tenants.Cloud{Name: tenants.CloudCustom, Authority: "https://127.0.0.1:1", ARMEndpoint: "https://127.0.0.1:1", ARMAudience: "https://arm.example", SkipInstanceDiscovery: true}
	entry := tenants.Entry{
		Name: "contoso", TenantID: "11111111-2222-3333-4444-555555555555", Cloud: nowhere, Credentials: []tenants.CredentialRef{{Name: "app"}},
	}
	config := tenants.CredentialConfig{Name: "app", Kind: tenants.KindClientSecret, ClientID: "11111111-2222-3333-4444-555555555556"}
	if err := directory.Add(t.Context(), entry, config); err != nil {
		t.Fatal(err)
	}
	return dir
}
