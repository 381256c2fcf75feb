package tenants

import (
	"context"
	"fmt"
	"testing"

	"mcp-partner/internal/disk"
	"mcp-partner/internal/roomtest"
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
		if _, err := OpenDirectory(disk.New(dir)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDirectoryPin5000(b *testing.B) {
	_, d := manyEntries(b, 5000)
	n := 0
	for b.Loop() {
		if err := d.PinObjectID(context.Background(), fmt.Sprintf("tenant-%05d", n%5000), "", roomtest.TenantID(n%5000)); err != nil {
			b.Fatal(err)
		}
		n++
	}
}
