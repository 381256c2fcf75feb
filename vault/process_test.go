//go:build unix

package vault

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"mcp-partner/internal/disk"
	"mcp-partner/internal/roomtest"
	"mcp-partner/internal/sealed"
	"mcp-partner/internal/testkit"
	"mcp-partner/schemas/problems"
	"mcp-partner/tenants"
)

const (
	roleVariable = "VAULT_TEST_ROLE"
	dirVariable  = "VAULT_TEST_DIR"
)

// TestMain lets the test program play a second process.
func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "":
		os.Exit(m.Run())
	case "writer":
		os.Exit(playWriter(os.Getenv(dirVariable)))
	}
	os.Exit(3)
}

// playWriter writes to vault and directory until it is killed, and says so
// after each write.
func playWriter(dir string) int {
	store, err := OpenVault(disk.New(dir), KeySource{}, nil)
	if err != nil {
		return 1
	}
	d, err := tenants.OpenDirectory(disk.New(dir))
	if err != nil {
		return 1
	}
	for n := 0; ; n++ {
		secret, _ := NewSecret(fmt.Appendf(nil, "value-%d", n))
		if store.Put(context.Background(), "counter", secret) != nil {
			return 1
		}
		edit := func(e *tenants.Entry) error { e.Note = fmt.Sprint(n); return nil }
		if d.Edit(context.Background(), "contoso", edit) != nil {
			return 1
		}
		fmt.Println(n)
	}
}

func child(tb testing.TB, role, dir string) *exec.Cmd {
	tb.Helper()
	testkit.SkipShort(tb, testkit.Processes)
	program, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	command := exec.Command(program)
	command.Env = append(os.Environ(), roleVariable+"="+role, dirVariable+"="+dir)
	return command
}

// A process is killed in the middle of its writes, again and again. What it
// said was written is there, nothing is damaged, the next one goes on.
func TestKilledWriterLosesNothing(t *testing.T) {
	t.Parallel()
	dir, _ := newVault(t)
	d, err := tenants.OpenDirectory(disk.New(dir))
	if err != nil {
		t.Fatal(err)
	}
	credential := tenants.CredentialConfig{Name: "partner", Kind: tenants.KindClientSecret, ClientID: roomtest.ClientID}
	written := tenants.Entry{Name: "contoso", TenantID: roomtest.TenantID(1), Cloud: tenants.Cloud{Name: tenants.CloudPublic}, Credentials: []tenants.CredentialRef{{Name: "partner"}}}
	if err := d.Add(context.Background(), written, credential); err != nil {
		t.Fatal(err)
	}
	for round := range 12 {
		last := killedWriter(t, dir, 1+round%4, time.Duration(round*317)*time.Microsecond)
		store := openVaultAt(t, dir, KeySource{})
		got, err := store.Get(context.Background(), "counter")
		if err != nil {
			t.Fatal(err)
		}
		var found int
		if _, err := fmt.Sscanf(string(sealed.Bytes(got.Secret)), "value-%d", &found); err != nil || found < last || found > last+1 {
			t.Fatalf("round %d: %d was written, %d is there (%v)", round, last, found, err)
		}
		e, err := d.Get("contoso")
		if err != nil || e.Note == "" {
			t.Fatalf("round %d: %v", round, err)
		}
	}
}

// killedWriter starts a writer, kills it some time after it has said that many
// writes are done, and returns the last write that it said.
func killedWriter(tb testing.TB, dir string, writes int, after time.Duration) int {
	tb.Helper()
	command := child(tb, "writer", dir)
	output, err := command.StdoutPipe()
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		tb.Fatal(err)
	}
	last, lines := -1, bufio.NewScanner(output)
	for lines.Scan() {
		if _, err := fmt.Sscan(lines.Text(), &last); err != nil {
			tb.Fatal(err)
		}
		if last+1 == writes {
			time.AfterFunc(after, func() { _ = command.Process.Kill() })
		}
	}
	if err := command.Wait(); command.ProcessState.ExitCode() != -1 {
		tb.Fatalf("the writer ended by itself: %v", err)
	}
	return last
}

func TestLockWaitIsBounded(t *testing.T) {
	t.Parallel()
	dir, store := newVault(t)
	file, err := os.OpenFile(filepath.Join(dir, vaultLock), os.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	err = store.Put(ctx, "contoso", roomtest.MustSecret(t, "abc"))
	problem := roomtest.WantCode(t, err, problems.CodeVaultUnavailable)
	if !strings.Contains(problem.Hint, vaultLock) {
		t.Errorf("hint %q", problem.Hint)
	}
}

func TestPassphraseVaultStaysLockedWithoutTerminal(t *testing.T) {
	t.Parallel()
	dir := roomtest.StateDir(t)
	source := KeySource{Terminal: &prompt{typed: []string{"correct horse"}}}
	if err := initVault(t.Context(), openVaultAt(t, dir, source), InitOptions{Key: asking(source)}); err != nil {
		t.Fatal(err)
	}
	store, err := OpenVault(disk.New(dir), KeySource{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	roomtest.WantCode(t, store.Open(t.Context()), problems.CodeVaultLocked)
}
