package vault

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mcp-partner/internal/disk"
	"mcp-partner/internal/roomtest"
	"mcp-partner/schemas/problems"
	"mcp-partner/vault/internal/azurekeyvault"
	"mcp-partner/vault/internal/backend"
	"mcp-partner/vault/internal/hashicorp"
)

// farStore is a backend in memory, which can be taken away.
type farStore struct {
	mu     sync.Mutex
	items  map[string]backend.Item
	gets   int
	away   error
	closed int
}

func newFarStore() *farStore { return &farStore{items: map[string]backend.Item{}} }

func (s *farStore) Get(_ context.Context, name string) (backend.Item, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gets++
	item := s.items[name]
	item.Value = slices.Clone(item.Value)
	return item, s.away
}

func (s *farStore) Put(_ context.Context, name string, value []byte, version string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away != nil {
		return s.away
	}
	if s.items[name].Version != version {
		return backend.Moved(name)
	}
	s.items[name] = backend.Item{Value: slices.Clone(value), Version: version + "1", UpdatedAt: time.Unix(1700000000, 0)}
	return nil
}

func (s *farStore) Delete(_ context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.items, name)
	return s.away
}

func (s *farStore) List(context.Context) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.items)), s.away
}

func (s *farStore) CheckName(name string) error { return backend.CheckPlainName(name, true) }

func (s *farStore) Describe() string { return "far away" }

func (s *farStore) Close(context.Context) { s.closed++ }

// goAway has every later call end with an error, or come back with nil.
func (s *farStore) goAway(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = err
}

func (s *farStore) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gets
}

// farVault is a vault whose secrets are in a backend.
func farVault(t *testing.T, dir string, far *farStore) *Vault {
	t.Helper()
	d := disk.New(dir)
	v := &Vault{settings: Settings{Backend: BackendHashiCorp}, keys: newFileStore(d, KeySource{}), remote: newRemoteStore(far)}
	v.keys.provider = remoteProvider(far, internalPrefix+"0123456789abcdef", d)
	v.Store = v.remote
	t.Cleanup(v.Close)
	return v
}

func initFar(t *testing.T) (string, *farStore, *Vault) {
	t.Helper()
	dir, far := roomtest.StateDir(t), newFarStore()
	v := farVault(t, dir, far)
	if err := initVault(t.Context(), v.keys, InitOptions{}); err != nil {
		t.Fatal(err)
	}
	return dir, far, v
}

func TestBackendHoldsSecretsAndVaultHoldsKeys(t *testing.T) {
	t.Parallel()
	dir, far, v := initFar(t)
	put(t, v, "Contoso", roomtest.Canary)
	key, err := v.Keyring().Key(t.Context(), "ledger-mac", 32, true)
	if err != nil {
		t.Fatal(err)
	}
	if got := far.items["contoso"].Value; string(got) != roomtest.Canary {
		t.Errorf("the backend holds %d bytes", len(got))
	}
	if names, err := v.List(t.Context()); err != nil || fmt.Sprint(names) != "[contoso]" {
		t.Errorf("the list is %v, %v", names, err)
	}
	_, err = v.Get(t.Context(), internalPrefix+"0123456789abcdef")
	roomtest.WantCode(t, err, problems.CodeVaultMissing)
	again := farVault(t, dir, far)
	wantSecret(t, again, "contoso", roomtest.Canary)
	if same, err := again.Keyring().Key(t.Context(), "ledger-mac", 32, false); err != nil || string(same) != string(key) {
		t.Errorf("another process has another key: %v", err)
	}
	for _, name := range []string{"a.b", "köln", "a/b"} {
		if err := v.Put(t.Context(), name, roomtest.MustSecret(t, "x")); err == nil {
			t.Errorf("the name %q is taken", name)
		}
	}
	// The state directory alone opens nothing.
	delete(far.items, internalPrefix+"0123456789abcdef")
	roomtest.WantCode(t, farVault(t, dir, far).Open(t.Context()), problems.CodeVaultMissing)
}

func TestChangedSecretIsUsedWithinAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := newFarStore()
		r := newRemoteStore(far)
		defer r.close(context.Background())
		far.items["contoso"] = backend.Item{Value: []byte("old\n"), Version: "1"}
		wantSecret(t, r, "contoso", "old")
		far.items["contoso"] = backend.Item{Value: []byte("new"), Version: "2"}
		time.Sleep(freshFor - time.Second)
		wantSecret(t, r, "contoso", "old")
		time.Sleep(2 * time.Second)
		wantSecret(t, r, "contoso", "new")
		if far.asked() != 2 {
			t.Errorf("the backend was asked %d times", far.asked())
		}
		// What the backend no longer gives is not used on.
		far.goAway(backend.Unavailable("It is sealed.", "Unseal it."))
		time.Sleep(freshFor + time.Second)
		_, err := r.Get(t.Context(), "contoso")
		roomtest.WantCode(t, err, problems.CodeVaultUnavailable)
		far.goAway(nil)
		wantSecret(t, r, "contoso", "new")
	})
}

func TestConcurrentCallersShareOneRead(t *testing.T) {
	t.Parallel()
	far := newFarStore()
	far.items["contoso"] = backend.Item{Value: []byte(roomtest.Canary), Version: "1"}
	r := newRemoteStore(far)
	t.Cleanup(func() { r.close(context.Background()) })
	var group sync.WaitGroup
	for range 1000 {
		group.Go(func() {
			if _, err := r.Get(t.Context(), "contoso"); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	// One that looked before the first answer was kept may ask once more.
	if far.asked() > 3 {
		t.Errorf("the backend was asked %d times", far.asked())
	}
}

func TestReplaceFailsWhenSecretChanged(t *testing.T) {
	t.Parallel()
	_, file := newVault(t)
	_, far, remote := initFar(t)
	for name, store := range map[string]Store{"file": file, "memory": NewMemoryStore(), "remote": remote} {
		roomtest.WantCode(t, store.Replace(t.Context(), "contoso", roomtest.MustSecret(t, "a"), roomtest.MustSecret(t, "b")), problems.CodeVaultMissing)
		put(t, store, "contoso", "old")
		old, err := store.Get(t.Context(), "contoso")
		if err != nil {
			t.Fatal(err)
		}
		if name == "remote" {
			far.items["contoso"] = backend.Item{Value: []byte("somebody's"), Version: "9"}
		} else {
			put(t, store, "contoso", "somebody's")
		}
		roomtest.WantCode(t, store.Replace(t.Context(), "contoso", old.Secret, roomtest.MustSecret(t, "mine")), problems.CodeStateMoved)
		if err := store.Replace(t.Context(), "contoso", roomtest.MustSecret(t, "somebody's"), roomtest.MustSecret(t, "mine")); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		wantSecret(t, store, "contoso", "mine")
		if _, err := store.Get(t.Context(), "nobody"); err == nil {
			t.Errorf("%s knows something of a secret that is not there", name)
		}
	}
}

func TestRotateKeyInABackend(t *testing.T) {
	t.Parallel()
	dir, far, v := initFar(t)
	put(t, v, "contoso", roomtest.Canary)
	if _, err := v.Keyring().Key(t.Context(), "ledger-mac", 32, true); err != nil {
		t.Fatal(err)
	}
	name := internalPrefix + "0123456789abcdef"
	old := identitiesIn(far.items[name].Value)[0]
	if _, err := v.RotateKey(t.Context(), RotateOptions{}); err != nil {
		t.Fatal(err)
	}
	now := identitiesIn(far.items[name].Value)
	if len(now) != 1 || now[0] == old || opensWith(t, old, readState(t, dir, vaultName)) {
		t.Error("the old key is still there, or still opens")
	}
	if _, err := farVault(t, dir, far).Keyring().Key(t.Context(), "ledger-mac", 32, false); err != nil {
		t.Error(err)
	}
	_, err := v.RotateKey(t.Context(), RotateOptions{KeyFile: true})
	roomtest.WantCode(t, err, problems.CodeInvalidArgument)
	_, err = v.Recipients(t.Context())
	roomtest.WantCode(t, err, problems.CodeInvalidArgument)
	// The backend goes away in the middle: the key that is there stays.
	far.goAway(errors.New("x"))
	if _, err := v.RotateKey(t.Context(), RotateOptions{}); err == nil {
		t.Error("the key was changed without its backend")
	}
	far.goAway(nil)
	if _, err := farVault(t, dir, far).Keyring().Key(t.Context(), "ledger-mac", 32, false); err != nil {
		t.Error(err)
	}
}

// TestBackupMovesSecretsToABackend is the way from a file to a server.
func TestBackupMovesSecretsToABackend(t *testing.T) {
	t.Parallel()
	_, v := usedVault(t)
	data, _, opens := backupOf(t, v)
	_, far, w := initFar(t)
	far.items["contoso"] = backend.Item{Value: []byte("there before"), Version: "1"}
	_, err := w.Restore(t.Context(), data, RestoreOptions{Tenants: filesOf(w), Key: opens})
	if problem := roomtest.WantCode(t, err, problems.CodeStateMoved); !strings.Contains(problem.Message, "contoso") {
		t.Errorf("%q names no secret", problem.Message)
	}
	if _, there := far.items["fabrikam"]; there {
		t.Error("a refused restore has stored something")
	}
	if _, err := w.Restore(t.Context(), data, RestoreOptions{Tenants: filesOf(w), Key: opens, Force: true}); err != nil {
		t.Fatal(err)
	}
	wantSecret(t, w, "contoso", roomtest.Canary)
	wantSecret(t, w, "fabrikam", "second")
	if n, err := w.Keyring().Counter(t.Context()); err != nil || n != 41 {
		t.Errorf("the counter is %d, %v", n, err)
	}
	back, info, _ := backupOf(t, w)
	if len(info.Secrets) != 0 || info.Keys == 0 || strings.Contains(string(back), roomtest.Canary) {
		t.Errorf("a backup of a server holds %+v", info)
	}
}

func TestSettingsOfABackendAreFixed(t *testing.T) {
	t.Parallel()
	dir := roomtest.StateDir(t)
	chosen := Settings{Backend: BackendHashiCorp, HashiCorp: &HashiCorpSettings{
		Address: "https://127.0.0.1:1", Auth: hashicorp.Auth{Method: "token", File: filepath.Join(dir, "token")},
	}}
	// Nothing answers there, so no vault is made; the choice can be made anew.
	err := Init(t.Context(), disk.New(dir), InitOptions{Settings: chosen})
	roomtest.WantCode(t, err, problems.CodeVaultUnavailable)
	if err := Init(t.Context(), disk.New(dir), InitOptions{}); err != nil {
		t.Fatal(err)
	}
	if v := openWhole(t, dir, KeySource{}); v.Settings().Backend != BackendFile {
		t.Errorf("the backend is %s", v.Settings().Backend)
	}
	roomtest.WantCode(t, Init(t.Context(), disk.New(dir), InitOptions{Settings: chosen}), problems.CodeInvalidArgument)
	path := filepath.Join(dir, settingsName)
	for _, text := range []string{"", "{", `{"version":2}`, `{"version":1,"backend":"elsewhere"}`, `{"version":1,"backend":"hashicorp","id":"0123456789abcdef"}`,
		`{"version":1,"backend":"keychain"}`, `{"version":1,"backend":"file","more":1}`,
		`{"version":1,"backend":"hashicorp","id":"0123456789abcdef","hashicorp":{"address":"http://example.com","mount":"secret","path":"p","azure_mount":"azure","auth":{"method":"token","file":"/f"}}}`} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := OpenVault(disk.New(dir), KeySource{}, nil)
		roomtest.WantCode(t, err, problems.CodeVaultCorrupt)
	}
	if err := os.WriteFile(path, []byte(`{"version":1,"backend":"keychain","id":"0123456789abcdef"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = OpenVault(disk.New(dir), KeySource{IdentityFile: "/x"}, nil)
	roomtest.WantCode(t, err, problems.CodeInvalidArgument)
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = OpenVault(disk.New(dir), KeySource{}, nil)
	roomtest.WantCode(t, err, problems.CodeVaultUnavailable)
}

func TestBackendWithoutReadableCertificateIsRefused(t *testing.T) {
	t.Parallel()
	for _, settings := range []Settings{
		{Backend: BackendHashiCorp, HashiCorp: &HashiCorpSettings{
			Address: "https://127.0.0.1:1", CAPEM: "nothing", Auth: hashicorp.Auth{Method: "token", File: "/token"},
		}},
		{Backend: BackendAzureKeyVault, AzureKeyVault: &AzureKeyVaultSettings{
			URL: "https://contoso.vault.azure.net", CAPEM: "nothing", Auth: azurekeyvault.Auth{Method: "managed-identity"},
		}},
	} {
		dir := roomtest.StateDir(t)
		err := Init(t.Context(), disk.New(dir), InitOptions{Settings: settings})
		problem := roomtest.WantCode(t, err, problems.CodeInvalidArgument)
		if !strings.Contains(problem.Message, "no readable certificate") {
			t.Errorf("%s: %v", settings.Backend, problem)
		}
		if _, err := os.Stat(filepath.Join(dir, settingsName)); !os.IsNotExist(err) {
			t.Errorf("%s: the choice was written down: %v", settings.Backend, err)
		}
	}
}
