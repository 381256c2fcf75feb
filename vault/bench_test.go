package vault

import (
	"context"
	"fmt"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

func BenchmarkDirectoryResolve(b *testing.B) {
	for _, size := range []int{10, 5000} {
		b.Run(fmt.Sprintf("entries=%d", size), func(b *testing.B) {
			_, d := manyEntries(b, size)
			for b.Loop() {
				if _, err := d.Resolve("TENANT-00007"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDirectoryUnknown5000(b *testing.B) {
	_, d := manyEntries(b, 5000)
	for b.Loop() {
		if _, err := d.Resolve("tenant-oo007"); err == nil {
			b.Fatal("found")
		}
	}
}

func BenchmarkDirectoryLoad5000(b *testing.B) {
	dir, _ := manyEntries(b, 5000)
	for b.Loop() {
		if _, err := OpenDirectory(dir); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDirectoryPin5000(b *testing.B) {
	_, d := manyEntries(b, 5000)
	n := 0
	for b.Loop() {
		if err := d.PinObjectID(context.Background(), fmt.Sprintf("tenant-%05d", n%5000), "", tenantID(n%5000)); err != nil {
			b.Fatal(err)
		}
		n++
	}
}

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
	dir := stateDir(b)
	source := KeySource{Terminal: &prompt{typed: []string{"correct horse"}}}
	if err := Init(context.Background(), dir, InitOptions{Key: source, AskPassphrase: true}); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := openVaultAt(b, dir, source).Open(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTokenWarm(b *testing.B) {
	r := newRig(b, 1)
	credential, err := r.Credential(context.Background(), "", "")
	if err != nil {
		b.Fatal(err)
	}
	options := policy.TokenRequestOptions{Scopes: []string{"https://management.core.windows.net//.default"}, EnableCAE: true}
	for b.Loop() {
		if _, err := credential.GetToken(context.Background(), options); err != nil {
			b.Fatal(err)
		}
	}
}
