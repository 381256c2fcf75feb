package vault

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/zalando/go-keyring"

	"mcp-partner/internal/disk"
	"mcp-partner/internal/roomtest"
	"mcp-partner/schemas/problems"
)

// TestRealKeychainVault makes, uses and changes a vault whose key is in the
// keychain of this session. The CI lane keychain asks for it.
func TestRealKeychainVault(t *testing.T) {
	t.Parallel()
	if os.Getenv("KEYCHAIN_UNDER_TEST") == "" {
		t.Skip("not asked for: bash .ci/run keychain starts a keyring and sets KEYCHAIN_UNDER_TEST")
	}
	dir := roomtest.StateDir(t)
	if err := Init(t.Context(), disk.New(dir), InitOptions{Settings: Settings{Backend: BackendKeychain}}); err != nil {
		t.Fatal(err)
	}
	v := openWhole(t, dir, KeySource{})
	provider := v.keys.provider
	t.Cleanup(func() {
		if err := keyring.Delete("mcp-partner", v.settings.ID); err != nil && !errors.Is(err, keyring.ErrNotFound) {
			t.Error(err)
		}
	})
	put(t, v, "contoso", roomtest.Canary)
	wantSecret(t, openWhole(t, dir, KeySource{}), "contoso", roomtest.Canary)
	if _, err := os.Stat(filepath.Join(dir, keyName)); !os.IsNotExist(err) {
		t.Errorf("there is a key file all the same: %v", err)
	}
	text, err := provider.read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	old := identitiesIn(text)[0]
	if !opensWith(t, old, readState(t, dir, vaultName)) {
		t.Error("the key of the keychain does not open the vault")
	}
	if _, err := v.RotateKey(t.Context(), RotateOptions{}); err != nil {
		t.Fatal(err)
	}
	if opensWith(t, old, readState(t, dir, vaultName)) {
		t.Error("the old key opens the vault")
	}
	wantSecret(t, openWhole(t, dir, KeySource{}), "contoso", roomtest.Canary)
	if err := keyring.Delete("mcp-partner", v.settings.ID); err != nil {
		t.Fatal(err)
	}
	roomtest.WantCode(t, openWhole(t, dir, KeySource{}).Open(t.Context()), problems.CodeVaultMissing)
}
