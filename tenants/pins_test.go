package tenants

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"mcp-partner/internal/disk"
	"mcp-partner/internal/roomtest"
	"mcp-partner/schemas/problems"
)

// pinsOf are the pins of the entries, in the order of their names.
func pinsOf(t *testing.T, d *Directory) (pins []string) {
	t.Helper()
	entries, err := d.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		pins = append(pins, strings.TrimLeft(strings.TrimPrefix(e.Credentials[0].PinnedObjectID, roomtest.TenantID(0)[:24]), "0"))
	}
	return pins
}

func wantPins(t *testing.T, d *Directory, want ...string) {
	t.Helper()
	if got := pinsOf(t, d); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("pins are %q, want %q", got, want)
	}
}

func readFile(t *testing.T, dir, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return data
}

func pinned(t *testing.T) (dir string, d, other *Directory) {
	t.Helper()
	dir, d = newDirectoryAt(t)
	add(t, d, testEntry(1, "contoso"), testEntry(2, "fabrikam"))
	other, err := OpenDirectory(disk.New(dir))
	if err != nil {
		t.Fatal(err)
	}
	pin(t, d, Pin{"contoso", "partner", strings.ToUpper(roomtest.TenantID(8))})
	return dir, d, other
}

func pin(t *testing.T, d *Directory, pins ...Pin) {
	t.Helper()
	if err := d.PinObjectIDs(t.Context(), pins...); err != nil {
		t.Fatal(err)
	}
}

func TestPinsAreAppendedUntilTheDirectoryIsWritten(t *testing.T) {
	t.Parallel()
	dir, d, other := pinned(t)
	directory, pins := readFile(t, dir, DirectoryFile), readFile(t, dir, pinsFile)
	wantPins(t, other, "8", "")
	pin(t, other, Pin{"fabrikam", "", roomtest.TenantID(9)}, Pin{"contoso", "", roomtest.TenantID(8)}, Pin{"FABRIKAM", "partner", roomtest.TenantID(9)})
	wantPins(t, d, "8", "9")
	if now := readFile(t, dir, pinsFile); bytes.Count(now, []byte("\n")) != 2 || !bytes.HasPrefix(now, pins) {
		t.Errorf("%s has %q", pinsFile, now)
	}
	if !bytes.Equal(readFile(t, dir, DirectoryFile), directory) {
		t.Error("a pin wrote the directory")
	}
	add(t, d, testEntry(3, "northwind"))
	if readFile(t, dir, pinsFile) != nil || !bytes.Contains(readFile(t, dir, DirectoryFile), []byte(roomtest.TenantID(9))) {
		t.Error("the next change did not take the pins into the directory")
	}
	wantPins(t, other, "8", "9", "")
}

func TestPinsAreImportedAtomically(t *testing.T) {
	t.Parallel()
	dir, d, _ := pinned(t)
	before := readFile(t, dir, pinsFile)
	for _, test := range []struct {
		pin  Pin
		code problems.Code
	}{
		{Pin{"contoso", "partner", roomtest.TenantID(7)}, problems.CodeWrongIdentity},
		{Pin{"contoso", "nobody", roomtest.TenantID(7)}, problems.CodeUnknownCredential},
		{Pin{"nobody", "", roomtest.TenantID(7)}, problems.CodeUnknownTenant},
		{Pin{"fabrikam", "", "7"}, problems.CodeInvalidArgument},
		{Pin{"fabrikam", "", roomtest.TenantID(7)}, problems.CodeWrongIdentity},
	} {
		roomtest.WantCode(t, d.PinObjectIDs(t.Context(), Pin{"fabrikam", "", roomtest.TenantID(9)}, test.pin), test.code)
	}
	if !bytes.Equal(readFile(t, dir, pinsFile), before) {
		t.Error("a refused pin was written")
	}
	wantPins(t, d, "8", "")
}

func TestTruncatedPinIsReplaced(t *testing.T) {
	t.Parallel()
	dir, d, other := pinned(t)
	whole := readFile(t, dir, pinsFile)
	if err := os.WriteFile(filepath.Join(dir, pinsFile), append(whole, whole[:40]...), 0o600); err != nil {
		t.Fatal(err)
	}
	wantPins(t, d, "8", "")
	pin(t, other, Pin{"fabrikam", "", roomtest.TenantID(9)})
	reread, err := OpenDirectory(disk.New(dir))
	if err != nil {
		t.Fatal(err)
	}
	for _, each := range []*Directory{d, other, reread} {
		wantPins(t, each, "8", "9")
	}
}

func TestDamagedPinsAreRefused(t *testing.T) {
	t.Parallel()
	dir, _, _ := pinned(t)
	for _, line := range []string{"{}\n", "not JSON\n", `{"tenant_id":"` + roomtest.TenantID(1) + `","credential":"partner","object_id":"x"}` + "\n"} {
		if err := os.WriteFile(filepath.Join(dir, pinsFile), []byte(line), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := OpenDirectory(disk.New(dir))
		roomtest.WantCode(t, err, problems.CodeVaultCorrupt, pinsFile, "Remove it")
	}
}

// A removed tenant that comes back under the same ID has not the pin of the old one.
func TestPinsEndWithTheirTenant(t *testing.T) {
	t.Parallel()
	_, d, other := pinned(t)
	if _, err := d.Remove(t.Context(), "contoso", ""); err != nil {
		t.Fatal(err)
	}
	add(t, d, testEntry(1, "contoso"))
	wantPins(t, other, "", "")
}

func TestBackupHasPins(t *testing.T) {
	t.Parallel()
	dir, _, _ := pinned(t)
	directory, err := (Files{Dir: disk.New(dir)}).Export()
	if err != nil || !bytes.Contains(directory, []byte(roomtest.TenantID(8))) {
		t.Errorf("the backup lacks the pin: %v", err)
	}
}

func TestPinsOfSeveralProcesses(t *testing.T) {
	t.Parallel()
	dir, first := manyEntries(t, 64)
	var group sync.WaitGroup
	for w := range 4 {
		d, err := OpenDirectory(disk.New(dir))
		if err != nil {
			t.Fatal(err)
		}
		group.Go(func() {
			for i := w; i < 64; i += 4 {
				if err := d.PinObjectID(t.Context(), fmt.Sprintf("tenant-%05d", i), "", roomtest.TenantID(1000+i)); err != nil {
					t.Error(err)
				}
				if _, err := first.List(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	for i, got := range pinsOf(t, first) {
		if got != fmt.Sprint(1000+i) {
			t.Errorf("pin %d is %q", i, got)
		}
	}
}

// The race detector reports a reader that shares memory with a pin.
func TestDirectoryIsReadWhilePinsAreAdded(t *testing.T) {
	t.Parallel()
	const count = 200
	_, d := manyEntries(t, count)
	everybody := func(string) bool { return true }
	var group sync.WaitGroup
	var done atomic.Bool
	for name, read := range map[string]func() error{
		"Status": func() error { _, err := d.Status(nil); return err },
		"List":   func() error { _, err := d.List(); return err },
		"Find":   func() error { _, _, err := d.Find("tenant-00007"); return err },
		"Acting": func() error { _, _, _, err := d.Acting("tenant-00007", ""); return err },
		"among":  func() error { _, err := d.ResolveAmong("tenant-00007.example", everybody); return err },
		"Get": func() error {
			if _, err := d.Get("tenant-oo007"); err == nil {
				return errors.New("found")
			}
			return nil
		},
		"Plan": func() error { _, err := d.Plan([]Entry{testEntry(7, "tenant-00007")}); return err },
	} {
		group.Go(func() {
			for again := true; again; again = !done.Load() {
				if err := read(); err != nil {
					t.Errorf("%s: %v", name, err)
					return
				}
			}
		})
	}
	for i := range count {
		pin(t, d, Pin{fmt.Sprintf("tenant-%05d", i), "", roomtest.TenantID(1000 + i)})
	}
	done.Store(true)
	group.Wait()
}

// A pin, a look-up and a miss cost the same in a directory of any size, counted
// in allocations.
func TestWorkDoesNotGrowWithTheDirectory(t *testing.T) {
	for _, test := range []struct {
		name string
		do   func(d *Directory, n int) error
	}{
		{"pin", func(d *Directory, n int) error {
			return d.PinObjectID(t.Context(), fmt.Sprintf("tenant-%05d", n), "", roomtest.TenantID(n))
		}},
		{"look-up", func(d *Directory, n int) error {
			_, err := d.Resolve(fmt.Sprintf("tenant-%05d.example", n))
			return err
		}},
		{"miss", func(d *Directory, n int) error {
			_, _, err := d.Find(fmt.Sprintf("nobody-%05d", n))
			return err
		}},
	} {
		counted := func(size int) float64 {
			_, d := manyEntries(t, size)
			n := 0
			return testing.AllocsPerRun(20, func() {
				if err := test.do(d, n); err != nil {
					t.Fatal(err)
				}
				n++
			})
		}
		if small, large := counted(50), counted(400); large > 1.2*small+5 {
			t.Errorf("%s: %.0f allocations among 400 tenants, %.0f among 50", test.name, large, small)
		}
	}
}
