package vault

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mcp-partner/internal/disk"
	"mcp-partner/internal/roomtest"
	"mcp-partner/schemas/problems"
	"mcp-partner/tenants"
)

// backupOf makes a backup for a new identity.
func backupOf(t *testing.T, v *Vault) (sealedFile []byte, info BackupInfo, opens KeySource) {
	t.Helper()
	public, source := colleague(t)
	data, info, err := v.Backup(t.Context(), []string{public}, KeySource{}, filesOf(v))
	if err != nil {
		t.Fatal(err)
	}
	return data, info, source
}

// filesOf are the files of the directory beside a vault.
func filesOf(v *Vault) tenants.Files { return tenants.Files{Dir: v.keys.disk} }

// usedVault has secrets, keys, a counter and tenants.
func usedVault(t *testing.T) (string, *Vault) {
	t.Helper()
	dir, store := newVault(t)
	put(t, store, "contoso", roomtest.Canary)
	put(t, store, "fabrikam", "second")
	if _, err := store.Keyring().Key(t.Context(), "ledger-mac", 32, true); err != nil {
		t.Fatal(err)
	}
	if err := store.Keyring().SetCounter(t.Context(), 41); err != nil {
		t.Fatal(err)
	}
	directory, err := tenants.OpenDirectory(disk.New(dir))
	if err != nil {
		t.Fatal(err)
	}
	credential := tenants.CredentialConfig{Name: "contoso", Kind: tenants.KindClientSecret, ClientID: "11111111-2222-4333-8444-555555555555"}
	entry := tenants.Entry{
		Name: "contoso", TenantID: "33333333-2222-4333-8444-555555555555", Cloud: tenants.Cloud{Name: tenants.CloudPublic}, Credentials: []tenants.CredentialRef{{Name: "contoso"}},
	}
	if err := directory.Add(t.Context(), entry, credential); err != nil {
		t.Fatal(err)
	}
	return dir, openWhole(t, dir, KeySource{})
}

func TestBackupRestoresOnAnotherMachine(t *testing.T) {
	t.Parallel()
	_, v := usedVault(t)
	mac, err := v.Keyring().Key(t.Context(), "ledger-mac", 32, false)
	if err != nil {
		t.Fatal(err)
	}
	data, info, opens := backupOf(t, v)
	roomtest.WantNoLeak(t, "backup", string(data))
	if text, err := json.Marshal(info); err != nil || strings.Contains(string(text), roomtest.Canary) {
		t.Errorf("what is said of a backup: %s, %v", text, err)
	}
	other, _ := newVault(t)
	w := openWhole(t, other, KeySource{})
	done, err := w.Restore(t.Context(), data, RestoreOptions{Tenants: filesOf(w), Key: opens})
	if err != nil {
		t.Fatal(err)
	}
	if !done.OwnKeys || !done.Tenants || done.Older || len(done.Replaced) != 0 || !slices.Equal(done.Secrets, []string{"contoso", "fabrikam"}) {
		t.Errorf("came back: %+v", done)
	}
	again := openWhole(t, other, KeySource{})
	wantSecret(t, again, "contoso", roomtest.Canary)
	if same, err := again.Keyring().Key(t.Context(), "ledger-mac", 32, false); err != nil || !bytes.Equal(same, mac) {
		t.Errorf("the ledger's key did not come back: %v", err)
	}
	if n, err := again.Keyring().Counter(t.Context()); err != nil || n != 41 {
		t.Errorf("the counter is %d, %v", n, err)
	}
	directory, err := tenants.OpenDirectory(disk.New(other))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := directory.Get("contoso"); err != nil {
		t.Errorf("the tenant did not come back: %v", err)
	}
}

func TestOlderBackupNeedsForce(t *testing.T) {
	t.Parallel()
	_, v := usedVault(t)
	data, _, opens := backupOf(t, v)
	put(t, v, "contoso", "newer")
	put(t, v, "northwind", "third")
	_, err := v.Restore(t.Context(), data, RestoreOptions{Tenants: filesOf(v), Key: opens})
	problem := roomtest.WantCode(t, err, problems.CodeStateMoved)
	for _, word := range []string{"older", "contoso, northwind", "generation"} {
		if !strings.Contains(problem.Message, word) {
			t.Errorf("%q does not say %q", problem.Message, word)
		}
	}
	wantSecret(t, v, "contoso", "newer")
	if err := v.Keyring().SetCounter(t.Context(), 77); err != nil {
		t.Fatal(err)
	}
	done, err := v.Restore(t.Context(), data, RestoreOptions{Tenants: filesOf(v), Key: opens, Force: true})
	if err != nil || !done.Older || done.OwnKeys || done.Tenants {
		t.Fatalf("came back: %+v, %v", done, err)
	}
	wantSecret(t, v, "contoso", roomtest.Canary)
	_, err = v.Get(t.Context(), "northwind")
	roomtest.WantCode(t, err, problems.CodeVaultMissing)
	if n, err := v.Keyring().Counter(t.Context()); err != nil || n != 77 {
		t.Errorf("the counter went back to %d, %v", n, err)
	}
	if done, err := v.Restore(t.Context(), data, RestoreOptions{Tenants: filesOf(v), Key: opens}); err != nil || len(done.Replaced) != 0 {
		t.Errorf("a backup that changes nothing is refused: %+v, %v", done, err)
	}
}

// TestDamagedBackupIsRefused flips each byte and cuts at each length.
func TestDamagedBackupIsRefused(t *testing.T) {
	t.Parallel()
	_, store := newVault(t)
	put(t, store, "contoso", roomtest.Canary)
	v := &Vault{Store: store, keys: store, settings: Settings{Backend: BackendFile}}
	data, _, opens := backupOf(t, v)
	other, _ := newVault(t)
	w := openWhole(t, other, KeySource{})
	damaged := [][]byte{nil}
	for i := range data {
		flipped := bytes.Clone(data)
		flipped[i] ^= 1
		damaged = append(damaged, flipped, data[:i])
	}
	for i, one := range damaged {
		_, err := w.Restore(t.Context(), one, RestoreOptions{Tenants: filesOf(w), Key: opens, Force: true})
		if err == nil {
			t.Fatalf("damage %d is not noticed", i)
		}
		if code := problems.As(err).Code; code != problems.CodeVaultCorrupt {
			t.Fatalf("damage %d: %v", i, err)
		}
		roomtest.WantNoLeak(t, "damaged backup", fmt.Sprintf("%v %+v", err, err))
	}
	if names, err := w.List(t.Context()); err != nil || len(names) != 0 {
		t.Errorf("damaged backups left %v, %v", names, err)
	}
}

func TestBackupWithAPassphrase(t *testing.T) {
	t.Parallel()
	_, v := usedVault(t)
	file := filepath.Join(t.TempDir(), "p")
	if err := os.WriteFile(file, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err := v.Backup(t.Context(), nil, KeySource{PassphraseFile: file}, filesOf(v))
	roomtest.WantCode(t, err, problems.CodeInvalidArgument)
	asked := &prompt{typed: []string{"correct horse battery", "correct horse battery"}}
	data, _, err := v.Backup(t.Context(), nil, KeySource{Terminal: asked}, filesOf(v))
	if err != nil || asked.asked != 2 {
		t.Fatalf("asked %d times, %v", asked.asked, err)
	}
	other, _ := newVault(t)
	w := openWhole(t, other, KeySource{})
	wrong := KeySource{Terminal: &prompt{typed: []string{"something else"}}}
	_, err = w.Restore(t.Context(), data, RestoreOptions{Tenants: filesOf(w), Key: wrong})
	roomtest.WantCode(t, err, problems.CodeVaultCorrupt)
	right := KeySource{Terminal: &prompt{typed: []string{"correct horse battery"}}}
	if _, err := w.Restore(t.Context(), data, RestoreOptions{Tenants: filesOf(w), Key: right}); err != nil {
		t.Fatal(err)
	}
	wantSecret(t, w, "fabrikam", "second")
}

// TestRestoreStoppedAtEveryStep leaves the old or the new vault, and a second
// restore ends well.
func TestRestoreStoppedAtEveryStep(t *testing.T) {
	t.Parallel()
	_, v := usedVault(t)
	data, _, opens := backupOf(t, v)
	for at, stopped := 0, true; stopped; at++ {
		if at > 60 {
			t.Fatal("the restore has no end")
		}
		dir, _ := newVault(t)
		w := openWhole(t, dir, KeySource{})
		step := 0
		stopped = false
		w.keys.disk.Step = func(string) error {
			if step++; step > at {
				stopped = true
				return fmt.Errorf("crash")
			}
			return nil
		}
		if _, err := w.Restore(t.Context(), data, RestoreOptions{Tenants: filesOf(w), Key: opens}); stopped != (err != nil) {
			t.Fatalf("step %d: stopped %t, error %v", at, stopped, err)
		}
		after := openWhole(t, dir, KeySource{})
		if _, err := after.Restore(t.Context(), data, RestoreOptions{Tenants: filesOf(after), Key: opens}); err != nil {
			t.Fatalf("step %d: again: %v", at, err)
		}
		wantSecret(t, after, "contoso", roomtest.Canary)
		if n, err := after.Keyring().Counter(t.Context()); err != nil || n != 41 {
			t.Fatalf("step %d: the counter is %d, %v", at, n, err)
		}
	}
}
