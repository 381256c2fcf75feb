//go:build unix

package vault

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mcp-partner/internal/disk"
	"mcp-partner/internal/roomtest"
	"mcp-partner/schemas/problems"
)

func TestKeyFilesAreChecked(t *testing.T) {
	t.Parallel()
	dir, _ := newVault(t)
	outside := t.TempDir()
	open := filepath.Join(outside, "open")
	if err := errors.Join(os.WriteFile(open, []byte("correct horse"), 0o600), os.Chmod(open, 0o644)); err != nil {
		t.Fatal(err)
	}
	pipe := filepath.Join(outside, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	// Opened for reading and writing, so that opening it elsewhere does not wait.
	end, err := os.OpenFile(pipe, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer end.Close()
	garbage := filepath.Join(outside, "garbage")
	if err := os.WriteFile(garbage, []byte("canary-in-a-key-file"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		source KeySource
		code   problems.Code
		hint   string
	}{
		"open to others": {source: KeySource{PassphraseFile: open}, code: problems.CodeVaultUnavailable, hint: "chmod 600"},
		"pipe":           {source: KeySource{PassphraseFile: pipe}, code: problems.CodeVaultUnavailable, hint: "regular file"},
		"missing": {
			source: KeySource{IdentityFile: filepath.Join(outside, "none")}, code: problems.CodeVaultUnavailable, hint: "no such file",
		},
		"garbage": {source: KeySource{IdentityFile: garbage}, code: problems.CodeVaultCorrupt, hint: "age-keygen"},
	} {
		problem := roomtest.WantCode(t, openVaultAt(t, dir, test.source).Open(context.Background()), test.code)
		if !strings.Contains(problem.Hint+problem.Command, test.hint) || strings.Contains(problem.Message+problem.Hint, "canary") {
			t.Errorf("%s: message %q, hint %q", name, problem.Message, problem.Hint)
		}
	}
}

func TestUnsafeFilesAreRefused(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(dir string) error{
		"folder":        func(dir string) error { return os.Chmod(dir, 0o755) },
		"vault":         func(dir string) error { return os.Chmod(filepath.Join(dir, vaultName), 0o640) },
		"key":           func(dir string) error { return os.Chmod(filepath.Join(dir, keyName), 0o604) },
		"symbolic link": func(dir string) error { return roomtest.MoveBehindLink(dir, vaultName) },
		"linked key":    func(dir string) error { return roomtest.MoveBehindLink(dir, keyName) },
		"linked mark":   func(dir string) error { return roomtest.MoveBehindLink(dir, markName) },
		"folder as file": func(dir string) error {
			return errors.Join(os.Remove(filepath.Join(dir, markName)), os.Mkdir(filepath.Join(dir, markName), 0o700))
		},
	} {
		dir, _ := newVault(t)
		if err := spoil(dir); err != nil {
			t.Fatal(err)
		}
		v, err := OpenVault(disk.New(dir), KeySource{}, nil)
		if err == nil {
			err = v.Open(t.Context())
		}
		problem := roomtest.WantCode(t, err, problems.CodeVaultUnavailable)
		if problem.Retryable || problem.Hint == "" {
			t.Errorf("%s: retryable %t, hint %q", name, problem.Retryable, problem.Hint)
		}
	}
}
