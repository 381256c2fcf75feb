package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"filippo.io/age"

	"mcp-partner/internal/disk"
	"mcp-partner/internal/roomtest"
	"mcp-partner/internal/sealed"
	"mcp-partner/schemas/problems"
)

// lowCost keeps scrypt quick in tests; what it costs says nothing about them.
const lowCost = 6

func newVault(tb testing.TB) (string, *FileStore) {
	tb.Helper()
	dir := roomtest.StateDir(tb)
	if err := Init(context.Background(), disk.New(dir), InitOptions{}); err != nil {
		tb.Fatal(err)
	}
	return dir, openVaultAt(tb, dir, KeySource{})
}

func openVaultAt(tb testing.TB, dir string, source KeySource) *FileStore {
	tb.Helper()
	v, err := OpenVault(disk.New(dir), source, nil)
	if err != nil {
		tb.Fatal(err)
	}
	v.keys.cost = lowCost
	return v.keys
}

func put(tb testing.TB, store Store, name, text string) {
	tb.Helper()
	if err := store.Put(context.Background(), name, roomtest.MustSecret(tb, text)); err != nil {
		tb.Fatal(err)
	}
}

func wantSecret(tb testing.TB, store Store, name, text string) {
	tb.Helper()
	got, err := store.Get(context.Background(), name)
	if err != nil {
		tb.Fatal(err)
	}
	if string(sealed.Bytes(got.Secret)) != text {
		tb.Fatalf("secret %s is another one than was stored", name)
	}
}

// prompt types what a test gives it and counts.
type prompt struct {
	mu    sync.Mutex
	typed []string
	asked int
}

func (p *prompt) Passphrase(context.Context, string) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	text := p.typed[0]
	if len(p.typed) > 1 {
		p.typed = p.typed[1:]
	}
	return []byte(text), nil
}

func TestFileStoreKeepsSecrets(t *testing.T) {
	t.Parallel()
	dir, store := newVault(t)
	put(t, store, "contoso", roomtest.Canary)
	put(t, store, "fabrikam", "other")
	put(t, store, "Contoso", roomtest.Canary+"2")
	again := openVaultAt(t, dir, KeySource{})
	wantSecret(t, again, "contoso", roomtest.Canary+"2")
	if names, err := again.List(context.Background()); err != nil || fmt.Sprint(names) != "[Contoso fabrikam]" {
		t.Errorf("names %v (%v)", names, err)
	}
	if err := again.Delete(context.Background(), "contoso"); err != nil {
		t.Fatal(err)
	}
	_, err := store.Get(context.Background(), "contoso")
	roomtest.WantCode(t, err, problems.CodeVaultMissing)
	wantSecret(t, store, "fabrikam", "other")
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(filepath.Join(dir, file.Name()))
		if err != nil {
			t.Fatal(err)
		}
		roomtest.WantNoLeak(t, "", string(data))
		if info, _ := file.Info(); info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", file.Name(), info.Mode())
		}
		if strings.Contains(file.Name(), ".tmp-") {
			t.Errorf("left behind: %s", file.Name())
		}
	}
}

func TestInitNeverReplacesAVault(t *testing.T) {
	t.Parallel()
	dir, store := newVault(t)
	put(t, store, "contoso", "abc")
	err := Init(context.Background(), disk.New(dir), InitOptions{})
	roomtest.WantCode(t, err, problems.CodeInvalidArgument)
	wantSecret(t, openVaultAt(t, dir, KeySource{}), "contoso", "abc")
}

func TestInitAfterAVaultWasMovedAway(t *testing.T) {
	t.Parallel()
	dir, store := newVault(t)
	put(t, store, "contoso", "abc")
	if err := os.Rename(filepath.Join(dir, vaultName), filepath.Join(dir, "away")); err != nil {
		t.Fatal(err)
	}
	if err := Init(context.Background(), disk.New(dir), InitOptions{}); err != nil {
		t.Fatal(err)
	}
	if names, err := openVaultAt(t, dir, KeySource{}).List(context.Background()); err != nil || len(names) != 0 {
		t.Errorf("names %v (%v)", names, err)
	}
	// The former vault is older than the new one now.
	if err := os.Rename(filepath.Join(dir, "away"), filepath.Join(dir, vaultName)); err != nil {
		t.Fatal(err)
	}
	roomtest.WantCode(t, openVaultAt(t, dir, KeySource{}).Open(context.Background()), problems.CodeVaultCorrupt)
}

func TestMissingVaultIsReported(t *testing.T) {
	t.Parallel()
	store := openVaultAt(t, roomtest.StateDir(t), KeySource{})
	_, err := store.Get(context.Background(), "contoso")
	problem := roomtest.WantCode(t, err, problems.CodeVaultMissing)
	if !strings.Contains(problem.Command, "mcp-partner vault init") {
		t.Errorf("hint %q", problem.Hint)
	}
	err = store.Put(context.Background(), "contoso", roomtest.MustSecret(t, "abc"))
	roomtest.WantCode(t, err, problems.CodeVaultMissing)
}

func TestKeySourcesOpenVault(t *testing.T) {
	t.Parallel()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	hybrid, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	outside := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(outside, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, source := range map[string]KeySource{
		"identity":   {IdentityFile: file("id", identity.String()+"\n")},
		"hybrid":     {IdentityFile: file("hybrid", "# comment\n"+hybrid.String()+"\n")},
		"passphrase": {PassphraseFile: file("pass", "correct horse\n")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := roomtest.StateDir(t)
			f := openVaultAt(t, dir, source)
			if err := initVault(context.Background(), f, InitOptions{Key: source}); err != nil {
				t.Fatal(err)
			}
			put(t, openVaultAt(t, dir, source), "contoso", "abc")
			wantSecret(t, openVaultAt(t, dir, source), "contoso", "abc")
			if _, err := os.Stat(filepath.Join(dir, keyName)); err == nil {
				t.Error("a key file was made beside the vault")
			}
			description := f.KeyDescription()
			if !strings.Contains(description, outside) || !strings.Contains(description, "does not protect") {
				t.Errorf("description %q", description)
			}
		})
	}
}

func TestPassphraseAtTheTerminal(t *testing.T) {
	t.Parallel()
	dir := roomtest.StateDir(t)
	ask := &prompt{typed: []string{"correct horse", "correct horse"}}
	source := KeySource{Terminal: ask}
	if err := initVault(context.Background(), openVaultAt(t, dir, source), InitOptions{Key: asking(source)}); err != nil {
		t.Fatal(err)
	}
	ask = &prompt{typed: []string{"wrong horse", "correct horse"}}
	store := openVaultAt(t, dir, KeySource{Terminal: ask})
	err := store.Open(context.Background())
	problem := roomtest.WantCode(t, err, problems.CodeVaultCorrupt)
	if !strings.Contains(problem.Message, "passphrase") || strings.Contains(problem.Message, "wrong horse") {
		t.Errorf("message %q", problem.Message)
	}
	put(t, store, "contoso", "abc")
	put(t, openVaultAt(t, dir, KeySource{Terminal: &prompt{typed: []string{"correct horse"}}}), "fabrikam", "def")
	wantSecret(t, store, "fabrikam", "def")
	if ask.asked != 2 {
		t.Errorf("asked %d times, want once more after the wrong one and never again", ask.asked)
	}
	none := openVaultAt(t, dir, KeySource{})
	_, err = none.Get(context.Background(), "contoso")
	roomtest.WantCode(t, err, problems.CodeVaultLocked)
	if got := none.KeyDescription(); !strings.Contains(got, "that you type on the terminal") {
		t.Errorf("description %q", got)
	}
}

func TestConcurrentOpenersAskOnce(t *testing.T) {
	t.Parallel()
	dir := roomtest.StateDir(t)
	ask := &prompt{typed: []string{"correct horse"}}
	source := KeySource{Terminal: ask}
	if err := initVault(context.Background(), openVaultAt(t, dir, source), InitOptions{Key: asking(source)}); err != nil {
		t.Fatal(err)
	}
	ask.asked = 0
	store := openVaultAt(t, dir, source)
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			if err := store.Open(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if ask.asked != 1 {
		t.Errorf("asked %d times", ask.asked)
	}
}

func TestInitPassphraseMistakes(t *testing.T) {
	t.Parallel()
	for name, typed := range map[string][]string{"short": {"short", "short"}, "different": {"correct horse", "correct house"}, "empty": {""}} {
		dir := roomtest.StateDir(t)
		source := KeySource{Terminal: &prompt{typed: typed}}
		err := initVault(context.Background(), openVaultAt(t, dir, source), InitOptions{Key: asking(source)})
		roomtest.WantCode(t, err, problems.CodeInvalidArgument)
		if _, err := os.Stat(filepath.Join(dir, vaultName)); err == nil {
			t.Errorf("%s: a vault was made", name)
		}
	}
	_, err := OpenVault(disk.New(roomtest.StateDir(t)), KeySource{IdentityFile: "a", PassphraseFile: "b"}, nil)
	roomtest.WantCode(t, err, problems.CodeInvalidArgument)
}

func TestWrongKeyIsRefused(t *testing.T) {
	t.Parallel()
	dir, _ := newVault(t)
	other, otherStore := newVault(t)
	_ = otherStore
	store := openVaultAt(t, dir, KeySource{IdentityFile: filepath.Join(other, keyName)})
	problem := roomtest.WantCode(t, store.Open(context.Background()), problems.CodeVaultCorrupt)
	if !strings.Contains(problem.Message, "does not open") {
		t.Errorf("message %q", problem.Message)
	}
	pass := filepath.Join(t.TempDir(), "pass")
	if err := os.WriteFile(pass, []byte("correct horse"), 0o600); err != nil {
		t.Fatal(err)
	}
	problem = roomtest.WantCode(t, openVaultAt(t, dir, KeySource{PassphraseFile: pass}).Open(context.Background()), problems.CodeVaultCorrupt)
	if !strings.Contains(problem.Message, "protected by an age identity") {
		t.Errorf("message %q", problem.Message)
	}
	if err := os.Remove(filepath.Join(dir, keyName)); err != nil {
		t.Fatal(err)
	}
	problem = roomtest.WantCode(t, openVaultAt(t, dir, KeySource{}).Open(context.Background()), problems.CodeVaultMissing)
	if !strings.Contains(problem.Message, keyName) {
		t.Errorf("message %q", problem.Message)
	}
}

// Whatever byte of the file changes, the vault is refused and the file stays as
// it is.
func TestDamagedVaultIsRefused(t *testing.T) {
	t.Parallel()
	dir, store := newVault(t)
	put(t, store, "contoso", roomtest.Canary)
	path := filepath.Join(dir, vaultName)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, damaged []byte) {
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		fresh := openVaultAt(t, dir, KeySource{})
		problem := roomtest.WantCode(t, fresh.Open(context.Background()), problems.CodeVaultCorrupt)
		if !strings.Contains(problem.Message, vaultName) {
			t.Fatalf("%s: message %q", what, problem.Message)
		}
		roomtest.WantNoLeak(t, "", problem.Error(), problem.Hint)
		roomtest.WantCode(t, fresh.Put(context.Background(), "x", roomtest.MustSecret(t, "y")), problems.CodeVaultCorrupt)
		if now, _ := os.ReadFile(path); !bytes.Equal(now, damaged) {
			t.Fatalf("%s: the damaged file was overwritten", what)
		}
	}
	for i := range whole {
		damaged := bytes.Clone(whole)
		damaged[i] ^= 1 << (i % 8)
		check(fmt.Sprintf("byte %d", i), damaged)
	}
	for length := 0; length < len(whole); length += 7 {
		check(fmt.Sprintf("cut to %d", length), whole[:length])
	}
	check("appended", append(bytes.Clone(whole), 'x'))
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	wantSecret(t, openVaultAt(t, dir, KeySource{}), "contoso", roomtest.Canary)
}

func TestOlderGenerationIsRefused(t *testing.T) {
	t.Parallel()
	dir, store := newVault(t)
	put(t, store, "contoso", "old")
	path := filepath.Join(dir, vaultName)
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	put(t, store, "contoso", "new")
	if previous, _ := os.ReadFile(path + disk.PreviousMark); !bytes.Equal(previous, old) {
		t.Error("the previous version does not lie beside the vault")
	}
	if err := os.WriteFile(path, old, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, reader := range []*FileStore{store, openVaultAt(t, dir, KeySource{})} {
		_, err := reader.Get(context.Background(), "contoso")
		problem := roomtest.WantCode(t, err, problems.CodeVaultCorrupt)
		if !strings.Contains(problem.Message, "older version") || !strings.Contains(problem.Command, markName) {
			t.Errorf("message %q, hint %q", problem.Message, problem.Hint)
		}
	}
	// Meant, it is done by removing the mark.
	if err := os.Remove(filepath.Join(dir, markName)); err != nil {
		t.Fatal(err)
	}
	wantSecret(t, openVaultAt(t, dir, KeySource{}), "contoso", "old")
	if err := os.WriteFile(filepath.Join(dir, markName), []byte("many\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	roomtest.WantCode(t, openVaultAt(t, dir, KeySource{}).Open(context.Background()), problems.CodeVaultCorrupt)
}

// The write is stopped before each of its steps, as a crash would. Afterwards
// the vault holds the old or the new secret and can be written again.
func TestCrashAtEveryStep(t *testing.T) {
	t.Parallel()
	crash := errors.New("crash")
	stopped := true
	for at := 0; stopped; at++ {
		dir, store := newVault(t)
		put(t, store, "contoso", "old")
		stopped = false
		step := 0
		store.disk.Step = func(string) error {
			step++
			if step > at {
				stopped = true
				return crash
			}
			return nil
		}
		err := store.Put(context.Background(), "contoso", roomtest.MustSecret(t, "new"))
		if stopped != (err != nil) {
			t.Fatalf("step %d: stopped %t, error %v", at, stopped, err)
		}
		after := openVaultAt(t, dir, KeySource{})
		got, err := after.Get(context.Background(), "contoso")
		if err != nil {
			t.Fatalf("step %d: %v", at, err)
		}
		if text := string(sealed.Bytes(got.Secret)); text != "old" && text != "new" {
			t.Fatalf("step %d: neither the old nor the new secret", at)
		}
		put(t, after, "fabrikam", "def")
		put(t, after, "contoso", "newest")
		wantSecret(t, openVaultAt(t, dir, KeySource{}), "contoso", "newest")
		if left, _ := filepath.Glob(filepath.Join(dir, "*.tmp-*")); len(left) != 0 {
			t.Errorf("step %d left %v behind", at, left)
		}
		if at > 20 {
			t.Fatal("the write has no end")
		}
	}
}

func TestReadOnlyAndFullDisks(t *testing.T) {
	t.Parallel()
	for number, hint := range map[syscall.Errno]string{syscall.EROFS: "read-only", syscall.ENOSPC: "full", syscall.EACCES: "owns"} {
		dir, store := newVault(t)
		put(t, store, "contoso", "old")
		store.disk.Step = func(string) error { return &os.PathError{Op: "open", Path: "x", Err: number} }
		problem := roomtest.WantCode(t, store.Put(context.Background(), "contoso", roomtest.MustSecret(t, "new")), problems.CodeVaultUnavailable)
		if !strings.Contains(problem.Hint, hint) {
			t.Errorf("%v: hint %q", number, problem.Hint)
		}
		wantSecret(t, store, "contoso", "old")
		wantSecret(t, openVaultAt(t, dir, KeySource{}), "contoso", "old")
	}
}

func TestTwoWritersLoseNothing(t *testing.T) {
	t.Parallel()
	dir, _ := newVault(t)
	const writers, each = 4, 10
	var group sync.WaitGroup
	for w := range writers {
		store := openVaultAt(t, dir, KeySource{})
		group.Go(func() {
			for i := range each {
				put(t, store, fmt.Sprintf("s-%d-%d", w, i), "value")
			}
		})
	}
	group.Wait()
	names, err := openVaultAt(t, dir, KeySource{}).List(context.Background())
	if err != nil || len(names) != writers*each {
		t.Errorf("%d secrets, want %d (%v)", len(names), writers*each, err)
	}
}

func asking(source KeySource) KeySource {
	source.Ask = true
	return source
}
