package vault

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"mcp-partner/internal/disk"
	"mcp-partner/internal/roomtest"
	"mcp-partner/schemas/problems"
)

// openWhole opens the vault of a directory as a program does.
func openWhole(tb testing.TB, dir string, source KeySource) *Vault {
	tb.Helper()
	v, err := OpenVault(disk.New(dir), source, nil)
	if err != nil {
		tb.Fatal(err)
	}
	v.keys.cost = lowCost
	tb.Cleanup(v.Close)
	return v
}

func readState(tb testing.TB, dir, name string) []byte {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// opensWith reports whether an age identity decrypts a file.
func opensWith(tb testing.TB, identity string, sealedFile []byte) bool {
	tb.Helper()
	parsed, err := age.ParseX25519Identity(identity)
	if err != nil {
		tb.Fatal(err)
	}
	_, err = age.Decrypt(bytes.NewReader(sealedFile), parsed)
	return err == nil
}

func TestRotateKey(t *testing.T) {
	t.Parallel()
	dir, store := newVault(t)
	put(t, store, "contoso", roomtest.Canary)
	ring := store.Keyring()
	mac, err := ring.Key(t.Context(), "ledger-mac", 32, true)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := ring.Keys(t.Context(), "seal", 32)
	if err != nil {
		t.Fatal(err)
	}
	old := identitiesIn(readState(t, dir, keyName))[0]
	v := openWhole(t, dir, KeySource{})
	plan, err := v.RotateKey(t.Context(), RotateOptions{DryRun: true, Fresh: []string{"seal"}})
	if err != nil || plan.Secrets != 1 || plan.Keys != 3 || plan.Resumed {
		t.Fatalf("the plan is %+v, %v", plan, err)
	}
	if !opensWith(t, old, readState(t, dir, vaultName)) {
		t.Fatal("a dry run has changed the key")
	}
	if _, err := v.RotateKey(t.Context(), RotateOptions{Fresh: []string{"seal"}}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{vaultName, vaultName + disk.PreviousMark} {
		if opensWith(t, old, readState(t, dir, name)) {
			t.Errorf("the old key opens %s", name)
		}
	}
	if now := identitiesIn(readState(t, dir, keyName)); len(now) != 1 || now[0] == old {
		t.Errorf("the key file holds %d identities, the old one among them: %t", len(now), now[0] == old)
	}
	for _, reader := range []*FileStore{store, openVaultAt(t, dir, KeySource{})} {
		wantSecret(t, reader, "contoso", roomtest.Canary)
		keys, err := reader.Keyring().Keys(t.Context(), "seal", 32)
		if err != nil || len(keys) != 2 || !bytes.Equal(keys[1], sealed[0]) || bytes.Equal(keys[0], sealed[0]) {
			t.Errorf("the key that seals is not new with the old one kept: %d, %v", len(keys), err)
		}
		if same, err := reader.Keyring().Key(t.Context(), "ledger-mac", 32, false); err != nil || !bytes.Equal(same, mac) {
			t.Errorf("the ledger's key changed: %v", err)
		}
	}
}

// TestRotateKeyStoppedAtEveryStep stops a change of the key before each of its
// steps, as a crash would. The vault opens each time with what is there, and
// the next change ends with one new key.
func TestRotateKeyStoppedAtEveryStep(t *testing.T) {
	t.Parallel()
	for _, to := range []string{"held", "passphrase", "key file"} {
		t.Run(to, func(t *testing.T) {
			t.Parallel()
			for at, stopped := 0, true; stopped; at++ {
				if at > 40 {
					t.Fatal("the change has no end")
				}
				stopped = stopRotationAt(t, to, at)
			}
		})
	}
}

func stopRotationAt(t *testing.T, to string, at int) (stopped bool) {
	t.Helper()
	dir := roomtest.StateDir(t)
	passphrase := filepath.Join(t.TempDir(), "passphrase")
	if err := os.WriteFile(passphrase, []byte("correct horse battery"), 0o600); err != nil {
		t.Fatal(err)
	}
	var source KeySource
	options := map[string]RotateOptions{"held": {}, "passphrase": {To: KeySource{PassphraseFile: passphrase}}, "key file": {KeyFile: true}}[to]
	if to == "key file" {
		source.PassphraseFile = passphrase
	}
	fresh := newFileStore(disk.New(dir), source)
	fresh.cost = lowCost
	if err := initVault(t.Context(), fresh, InitOptions{Key: source}); err != nil {
		t.Fatal(err)
	}
	put(t, fresh, "contoso", roomtest.Canary)
	v := openWhole(t, dir, source)
	step := 0
	v.keys.disk.Step = func(string) error {
		if step++; step > at {
			stopped = true
			return errors.New("crash")
		}
		return nil
	}
	v.keys.provider = fileProvider(v.keys.disk)
	if _, err := v.RotateKey(t.Context(), options); stopped != (err != nil) {
		t.Fatalf("%s, step %d: stopped %t, error %v", to, at, stopped, err)
	}
	finishRotation(t, dir, at, passphrase, options)
	return stopped
}

// finishRotation opens the vault by its old or its new key, and changes the key
// once more, to the end.
func finishRotation(t *testing.T, dir string, at int, passphrase string, options RotateOptions) {
	t.Helper()
	source := KeySource{}
	if wantsPassphrase(readState(t, dir, vaultName)) {
		source.PassphraseFile = passphrase
	}
	after := openWhole(t, dir, source)
	wantSecret(t, after, "contoso", roomtest.Canary)
	if options.KeyFile && source.PassphraseFile == "" || options.To.hasFile() && source.PassphraseFile != "" {
		options = RotateOptions{KeyFile: true}
	}
	if _, err := after.RotateKey(t.Context(), options); err != nil {
		t.Fatalf("step %d: finishing: %v", at, err)
	}
	source = KeySource{}
	if wantsPassphrase(readState(t, dir, vaultName)) {
		source.PassphraseFile = passphrase
	} else if text := readState(t, dir, keyName); len(identitiesIn(text)) != 1 || bytes.Contains(text, []byte(pendingMark)) {
		t.Errorf("step %d: the key file is not settled", at)
	}
	wantSecret(t, openWhole(t, dir, source), "contoso", roomtest.Canary)
}

func TestRotateKeyRequiresReadableNewKey(t *testing.T) {
	t.Parallel()
	dir := roomtest.StateDir(t)
	identity := filepath.Join(t.TempDir(), "id")
	made, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(identity, []byte(made.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	source := KeySource{IdentityFile: identity}
	if err := Init(t.Context(), disk.New(dir), InitOptions{Key: source}); err != nil {
		t.Fatal(err)
	}
	v := openWhole(t, dir, source)
	put(t, v, "contoso", roomtest.Canary)
	_, err = v.RotateKey(t.Context(), RotateOptions{})
	if problem := roomtest.WantCode(t, err, problems.CodeInvalidArgument); !strings.Contains(problem.Hint, "--new-identity-file") {
		t.Errorf("the hint is %q", problem.Hint)
	}
	_, err = v.RotateKey(t.Context(), RotateOptions{KeyFile: true, To: KeySource{Ask: true}})
	roomtest.WantCode(t, err, problems.CodeInvalidArgument)
	if _, err := v.RotateKey(t.Context(), RotateOptions{KeyFile: true}); err != nil {
		t.Fatal(err)
	}
	wantSecret(t, openWhole(t, dir, KeySource{}), "contoso", roomtest.Canary)
	roomtest.WantCode(t, openWhole(t, dir, source).Open(t.Context()), problems.CodeVaultCorrupt)
}

// colleague is somebody with an age identity of their own.
func colleague(t *testing.T) (public string, source KeySource) {
	t.Helper()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "colleague")
	if err := os.WriteFile(path, []byte(identity.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return identity.Recipient().String(), KeySource{IdentityFile: path}
}

func TestRecipients(t *testing.T) {
	t.Parallel()
	dir, store := newVault(t)
	put(t, store, "contoso", roomtest.Canary)
	v := openWhole(t, dir, KeySource{})
	dana, danas := colleague(t)
	server, servers := colleague(t)
	for name, key := range map[string]string{"dana": dana, "server": server} {
		if err := v.AddRecipient(t.Context(), name, key); err != nil {
			t.Fatal(err)
		}
	}
	for what, source := range map[string]KeySource{"dana": danas, "server": servers, "owner": {}} {
		wantSecret(t, openWhole(t, dir, source), "contoso", roomtest.Canary)
		// What one of them writes, all of them read.
		put(t, openWhole(t, dir, source), "from-"+what, what)
	}
	list, err := openWhole(t, dir, danas).Recipients(t.Context())
	if err != nil || len(list) != 3 || list[0].Name != "dana" || list[1].Name != ownerName {
		t.Fatalf("the recipients are %v, %v", list, err)
	}
	_, err = openWhole(t, dir, danas).RemoveRecipient(t.Context(), "dana")
	roomtest.WantCode(t, err, problems.CodeInvalidArgument)
	known, err := v.RemoveRecipient(t.Context(), "Dana")
	if err != nil || strings.Join(known, " ") != "contoso from-dana from-owner from-server" {
		t.Fatalf("to be replaced are %v, %v", known, err)
	}
	roomtest.WantCode(t, openWhole(t, dir, danas).Open(t.Context()), problems.CodeVaultCorrupt)
	identity := strings.TrimSpace(string(mustRead(t, danas.IdentityFile)))
	for _, name := range []string{vaultName, vaultName + disk.PreviousMark} {
		if opensWith(t, identity, readState(t, dir, name)) {
			t.Errorf("who was removed opens %s", name)
		}
	}
	wantSecret(t, openWhole(t, dir, servers), "from-dana", "dana")
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestRotateKeyKeepsRecipients(t *testing.T) {
	t.Parallel()
	dir, store := newVault(t)
	put(t, store, "contoso", roomtest.Canary)
	v := openWhole(t, dir, KeySource{})
	dana, danas := colleague(t)
	if err := v.AddRecipient(t.Context(), "dana", dana); err != nil {
		t.Fatal(err)
	}
	if _, err := v.RotateKey(t.Context(), RotateOptions{}); err != nil {
		t.Fatal(err)
	}
	wantSecret(t, openWhole(t, dir, KeySource{}), "contoso", roomtest.Canary)
	wantSecret(t, openWhole(t, dir, danas), "contoso", roomtest.Canary)
	passphrase := filepath.Join(t.TempDir(), "p")
	if err := os.WriteFile(passphrase, []byte("correct horse battery"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := v.RotateKey(t.Context(), RotateOptions{To: KeySource{PassphraseFile: passphrase}})
	roomtest.WantCode(t, err, problems.CodeInvalidArgument)
	wantSecret(t, openWhole(t, dir, KeySource{}), "contoso", roomtest.Canary)
}

func TestRecipientMistakes(t *testing.T) {
	t.Parallel()
	dir, _ := newVault(t)
	v := openWhole(t, dir, KeySource{})
	dana, _ := colleague(t)
	for _, key := range []string{"", "age1", "AGE-SECRET-KEY-1QQQ", "ssh-ed25519 AAAA", dana[:len(dana)-1]} {
		roomtest.WantCode(t, v.AddRecipient(t.Context(), "dana", key), problems.CodeInvalidArgument)
	}
	roomtest.WantCode(t, v.AddRecipient(t.Context(), "a/b", dana), problems.CodeInvalidArgument)
	if err := v.AddRecipient(t.Context(), "dana", dana); err != nil {
		t.Fatal(err)
	}
	roomtest.WantCode(t, v.AddRecipient(t.Context(), "DANA", dana), problems.CodeInvalidArgument)
	roomtest.WantCode(t, v.AddRecipient(t.Context(), "other", dana), problems.CodeInvalidArgument)
	_, err := v.RemoveRecipient(t.Context(), "nobody")
	roomtest.WantCode(t, err, problems.CodeInvalidArgument)
}
