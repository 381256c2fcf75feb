package vault

import (
	"context"
	"testing"

	"mcp-partner/internal/disk"
	"mcp-partner/internal/roomtest"
)

func BenchmarkFileStoreOpen(b *testing.B) {
	dir, first := newVault(b)
	put(b, first, "contoso", "abc")
	for b.Loop() {
		store := openVaultAt(b, dir, KeySource{})
		wantSecret(b, store, "contoso", "abc")
	}
}

func BenchmarkFileStoreGetWarm(b *testing.B) {
	_, store := newVault(b)
	put(b, store, "contoso", "abc")
	for b.Loop() {
		wantSecret(b, store, "contoso", "abc")
	}
}

func BenchmarkPassphraseVaultOpen(b *testing.B) {
	dir := roomtest.StateDir(b)
	source := KeySource{Terminal: &prompt{typed: []string{"correct horse"}}}
	if err := Init(context.Background(), disk.New(dir), InitOptions{Key: asking(source)}); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := openVaultAt(b, dir, source).Open(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}
