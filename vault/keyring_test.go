package vault

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"mcp-partner/internal/disk"
	"mcp-partner/internal/sealed"
	"mcp-partner/schemas/problems"
)

// keyringsIn makes a vault and returns as many stores on it as there would be
// processes.
func keyringsIn(t *testing.T, n int) (dir string, rings []*Keyring) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "state")
	if err := Init(t.Context(), disk.New(dir), InitOptions{}); err != nil {
		t.Fatal(err)
	}
	for range n {
		store, err := OpenVault(disk.New(dir), KeySource{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		rings = append(rings, store.Keyring())
	}
	return dir, rings
}

func TestProcessesShareOneKey(t *testing.T) {
	t.Parallel()
	_, rings := keyringsIn(t, 4)
	if _, err := rings[0].Key(t.Context(), "mac", 32, false); problems.As(err) == nil || problems.As(err).Code != problems.CodeVaultMissing {
		t.Errorf("a key that nobody made: %v", err)
	}
	keys := make([][]byte, len(rings))
	var group sync.WaitGroup
	for i, ring := range rings {
		group.Go(func() {
			key, err := ring.Key(t.Context(), "mac", 32, true)
			if err != nil {
				t.Error(err)
			}
			keys[i] = key
		})
	}
	group.Wait()
	for _, key := range keys {
		if len(key) != 32 || !bytes.Equal(key, keys[0]) {
			t.Fatal("two processes have two keys")
		}
	}
	if _, err := rings[1].Key(t.Context(), "mac", 16, true); err == nil {
		t.Error("a key of another size is given out")
	}
}

func TestProgramKeysAreNotListedAsSecrets(t *testing.T) {
	t.Parallel()
	_, rings := keyringsIn(t, 1)
	store := rings[0].store
	if _, err := rings[0].Key(t.Context(), "mac", 32, true); err != nil {
		t.Fatal(err)
	}
	if names, err := store.List(t.Context()); err != nil || len(names) != 0 {
		t.Errorf("listed: %v, %v", names, err)
	}
	for _, name := range []string{"internal-mac", "Internal-MAC", "ｉnternal-mac"} {
		if _, err := store.Get(t.Context(), name); err == nil {
			t.Errorf("%s can be got", name)
		}
		if err := store.Put(t.Context(), name, sealed.Seal([]byte("mine"))); err == nil {
			t.Errorf("%s can be replaced", name)
		}
		if err := store.Delete(t.Context(), name); err != nil {
			t.Error(err)
		}
	}
	if _, err := rings[0].Key(t.Context(), "mac", 32, false); err != nil {
		t.Errorf("the key was deleted by name: %v", err)
	}
}

func TestRotationKeepsTheLastKey(t *testing.T) {
	t.Parallel()
	_, rings := keyringsIn(t, 1)
	var seen [][]byte
	for i := range 4 {
		keys, err := rings[0].Keys(t.Context(), "seal", 32)
		if err != nil || len(keys) != min(i+1, 2) {
			t.Fatalf("%d keys, %v", len(keys), err)
		}
		if i > 0 && !bytes.Equal(keys[1], seen[i-1]) {
			t.Error("the replaced key is another one")
		}
		seen = append(seen, keys[0])
		if err := rings[0].Rotate(t.Context(), "seal", 32); err != nil {
			t.Fatal(err)
		}
	}
	if bytes.Equal(seen[0], seen[1]) {
		t.Error("the key was not replaced")
	}
}

func TestCounterOnlyGrows(t *testing.T) {
	t.Parallel()
	_, rings := keyringsIn(t, 2)
	for _, step := range []struct{ set, want int64 }{{3, 3}, {2, 3}, {3, 3}, {40, 40}, {0, 40}} {
		if err := rings[0].SetCounter(t.Context(), step.set); err != nil {
			t.Fatal(err)
		}
		if got, err := rings[1].Counter(t.Context()); err != nil || got != step.want {
			t.Errorf("after %d: %d, %v", step.set, got, err)
		}
	}
}

func TestCounterCannotBeEdited(t *testing.T) {
	t.Parallel()
	dir, rings := keyringsIn(t, 2)
	if got, err := rings[0].Counter(t.Context()); got != 0 || err != nil {
		t.Errorf("nothing was set: %d, %v", got, err)
	}
	path := filepath.Join(dir, counterName)
	if err := rings[0].SetCounter(t.Context(), 5); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func() error{
		"another number": func() error { return os.WriteFile(path, append([]byte("4"), good[1:]...), 0o600) },
		"sign":           func() error { return os.WriteFile(path, append([]byte("+"), good...), 0o600) },
		"cut":            func() error { return os.WriteFile(path, good[:10], 0o600) },
		"empty":          func() error { return os.WriteFile(path, nil, 0o600) },
		"gone":           func() error { return os.Remove(path) },
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		if got, err := rings[1].Counter(t.Context()); err == nil {
			t.Errorf("%s: %d", name, got)
		}
		if err := rings[1].SetCounter(t.Context(), 9); err == nil {
			t.Errorf("%s: it was overwritten", name)
		}
		if err := os.WriteFile(path, good, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
