package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mcp-partner/internal/disk"
	"mcp-partner/simulator"
	"mcp-partner/vault"
)

// kills is how often a command is killed. With the race detector the program
// takes five times as long, and its kills show nothing about races.
func kills() int {
	if len(raceFlags()) > 0 {
		return 20
	}
	return 100
}

// A program that is killed at any moment while it stores a secret leaves the
// old or the new vault, whole, and the next one goes on from there.
func TestKilledWhileASecretIsStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Config{Tenants: 1})
	w.cli("vault", "init").must(t)
	var stored []string
	whole := w.cli("vault", "add", "first", "--secret-stdin")
	whole.stdin = "secret-of-first"
	took := clocked(func() { whole.must(t) })
	stored = append(stored, "first")
	for n := range kills() {
		name := fmt.Sprintf("secret-%d", n)
		i := w.cli("vault", "add", name, "--secret-stdin")
		i.stdin = "secret-of-" + name
		began := time.Now()
		ended := i.killed(t, momentOf(n, took))
		if ended {
			took = time.Since(began) // the machine may be busier or quieter by now
		}
		now := w.secrets(t)
		there := slices.Contains(now, name)
		if ended && !there {
			t.Fatalf("kill %d: the command said that it had stored %s, and it is not there", n, name)
		}
		if there {
			stored = append(stored, name)
		}
		slices.Sort(stored)
		if !slices.Equal(now, stored) {
			t.Fatalf("kill %d: the vault holds %v, want %v", n, now, stored)
		}
	}
	t.Logf("%d of %d commands came through", len(stored)-1, kills())
	if len(stored) > kills() {
		t.Error("no command was killed in time")
	}
	w.cli("ledger", "verify").must(t)
}

// The same for a change of the key, with secrets in the vault.
func TestKilledWhileTheKeyIsChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Config{Tenants: 1})
	w.cli("vault", "init").must(t)
	i := w.cli("vault", "add", "contoso", "--secret-stdin")
	i.stdin = "secret-of-contoso"
	i.must(t)
	took := clocked(func() { w.cli("vault", "rotate-key").must(t) })
	changed, pending := 0, 0
	key := w.key(t)
	for n := range kills() {
		began := time.Now()
		if w.cli("vault", "rotate-key").killed(t, momentOf(n, took)) {
			took = time.Since(began)
		}
		if now := w.secrets(t); !slices.Equal(now, []string{"contoso"}) {
			t.Fatalf("kill %d: the vault holds %v", n, now)
		}
		if strings.Count(w.key(t), "AGE-SECRET-KEY-") > 1 {
			pending++
		}
		if w.key(t) != key {
			changed++
		}
		key = w.key(t)
	}
	t.Logf("%d of %d kills left another key, %d in the middle of the change", changed, kills(), pending)
	if changed == 0 {
		t.Error("no change of the key came far enough to show anything")
	}
	w.cli("vault", "rotate-key").must(t)
	if strings.Count(w.key(t), "AGE-SECRET-KEY-") != 1 {
		t.Error("after a whole change there is more than one key")
	}
	w.cli("ledger", "verify").must(t)
}

// momentOf spreads the kills over the whole time that a command takes, and a
// little beyond: each has a part of it for its own, so that some come early and
// some late however few there are and wherever the change itself lies.
func momentOf(n int, took time.Duration) time.Duration {
	part := (took + took/8) / time.Duration(kills())
	return part*time.Duration(n) + rand.N(part+1)
}

func clocked(work func()) time.Duration {
	began := time.Now()
	work()
	return time.Since(began)
}

// killed starts a program and kills it after a time. It says whether the
// program had ended well by then.
func (i invocation) killed(tb testing.TB, after time.Duration) (ended bool) {
	tb.Helper()
	command := i.command(context.Background())
	command.Stdin = strings.NewReader(i.stdin)
	if err := command.Start(); err != nil {
		tb.Fatal(err)
	}
	timer := time.AfterFunc(after, func() { _ = command.Process.Kill() }) // it may have ended
	defer timer.Stop()
	return command.Wait() == nil
}

// secrets opens the vault as it is and reads all of it.
func (w *world) secrets(tb testing.TB) []string {
	tb.Helper()
	v, err := vault.OpenVault(disk.New(w.state), vault.KeySource{}, nil)
	if err != nil {
		tb.Fatal(err)
	}
	defer v.Close()
	names, err := v.List(context.Background())
	if err != nil {
		tb.Fatal(err)
	}
	for _, name := range names {
		secret, err := v.Get(context.Background(), name)
		want, _ := vault.NewSecret([]byte("secret-of-" + name))
		if err != nil || !secret.Secret.Equal(want) {
			tb.Fatalf("the secret %s is not what was stored: %v", name, err)
		}
	}
	return names
}

func (w *world) key(tb testing.TB) string {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join(w.state, "vault.key"))
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}
