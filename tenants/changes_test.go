package tenants

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"mcp-partner/internal/disk"
	"mcp-partner/internal/roomtest"
	"mcp-partner/schemas/problems"
)

func TestSetEditsAndAddsCredentials(t *testing.T) {
	t.Parallel()
	_, d := newDirectoryAt(t)
	ctx := context.Background()
	add(t, d, testEntry(1, "contoso"), testEntry(2, "fabrikam"))
	before, _ := d.Get("contoso")
	if err := d.Set(ctx, "contoso", testEntry(1, "contoso-new")); err != nil {
		t.Fatal(err)
	}
	after, err := d.Get("contoso-new")
	if err != nil || !after.AddedAt.Equal(before.AddedAt) {
		t.Errorf("renamed entry %+v (%v)", after, err)
	}
	roomtest.WantCode(t, d.Set(ctx, "contoso-new", testEntry(2, "x")), problems.CodeInvalidArgument)
	roomtest.WantCode(t, d.Set(ctx, "nobody", testEntry(3, "x")), problems.CodeUnknownTenant)
	refuse := errors.New("no")
	if err := d.Edit(ctx, "fabrikam", func(e *Entry) error { e.Note = "changed"; return refuse }); err != refuse {
		t.Errorf("error %v", err)
	}
	if e, _ := d.Get("fabrikam"); e.Note != "" {
		t.Error("an edit that failed was kept")
	}
	roomtest.WantCode(t, d.RemoveCredential(ctx, "partner"), problems.CodeInvalidArgument)
	if err := errors.Join(d.AddCredential(ctx, secretCredential("spare")), d.RemoveCredential(ctx, "spare")); err != nil {
		t.Error(err)
	}
	_, err = d.Credential("spare")
	roomtest.WantCode(t, err, problems.CodeUnknownCredential)
}

func TestPlanAndApply(t *testing.T) {
	t.Parallel()
	dir, d := newDirectoryAt(t)
	ctx := context.Background()
	add(t, d, testEntry(1, "contoso"), testEntry(2, "fabrikam"))
	if err := d.PinObjectID(ctx, "contoso", "partner", roomtest.TenantID(8)); err != nil {
		t.Fatal(err)
	}
	changed := testEntry(1, "Contoso")
	changed.Owner = "Ann"
	diff, err := d.Plan([]Entry{changed, testEntry(2, "fabrikam"), testEntry(3, "northwind")})
	if err != nil {
		t.Fatal(err)
	}
	if len(diff.Added) != 1 || len(diff.Changed) != 1 || len(diff.Unchanged) != 1 || diff.Empty() {
		t.Fatalf("difference %+v", diff)
	}
	if n, _ := d.Len(); n != 2 {
		t.Error("planning changed the directory")
	}
	if err := d.Apply(ctx, diff); err != nil {
		t.Fatal(err)
	}
	e, _ := d.Get("contoso")
	if e.Owner != "Ann" || e.Credentials[0].PinnedObjectID != roomtest.TenantID(8) || e.AddedAt.IsZero() {
		t.Errorf("entry %+v", e)
	}
	roomtest.WantCode(t, d.Apply(ctx, diff), problems.CodeStateMoved)
	again, err := d.Plan([]Entry{changed, testEntry(3, "northwind")})
	if err != nil || !again.Empty() {
		t.Errorf("the same list is %+v (%v), want no difference", again, err)
	}
	for name, list := range map[string][]Entry{
		"twice":     {testEntry(4, "a"), testEntry(5, "A")},
		"collision": {testEntry(1, "other")},
		"malformed": {testEntry(4, "a.b")},
	} {
		_, err := d.Plan(list)
		if problem := roomtest.WantCode(t, err, problems.CodeInvalidArgument); problem.Message == "" {
			t.Error(name)
		}
	}
	if reread, err := OpenDirectory(disk.New(dir)); err != nil {
		t.Error(err)
	} else if n, _ := reread.Len(); n != 3 {
		t.Errorf("%d entries on disk", n)
	}
}

func TestDirectoryCrashAtEveryStep(t *testing.T) {
	t.Parallel()
	stopped := true
	for at := 0; stopped && at < 20; at++ {
		dir, d := newDirectoryAt(t)
		add(t, d, testEntry(1, "contoso"), testEntry(2, "fabrikam"))
		if err := d.PinObjectID(t.Context(), "fabrikam", "", roomtest.TenantID(9)); err != nil {
			t.Fatal(err)
		}
		stopped = false
		step := 0
		d.disk.Step = func(string) error {
			step++
			if step > at {
				stopped = true
				return errors.New("crash")
			}
			return nil
		}
		_, _ = d.Remove(context.Background(), "contoso", "")
		after, err := OpenDirectory(disk.New(dir))
		if err != nil {
			t.Fatalf("step %d: %v", at, err)
		}
		archived, err := after.Archived()
		if err != nil {
			t.Fatalf("step %d: %v", at, err)
		}
		if _, err := after.Get("contoso"); err != nil && len(archived) == 0 {
			t.Fatalf("step %d: the entry is neither in the directory nor in the archive", at)
		}
		if e, err := after.Get("fabrikam"); err != nil || e.Credentials[0].PinnedObjectID != roomtest.TenantID(9) {
			t.Fatalf("step %d: %+v, %v", at, e, err)
		}
		add(t, after, testEntry(3, "northwind"))
	}
	if stopped {
		t.Error("the write has no end")
	}
}

func TestConcurrentDirectoryWriters(t *testing.T) {
	t.Parallel()
	dir, _ := newDirectoryAt(t)
	const writers, each = 4, 8
	var group sync.WaitGroup
	for w := range writers {
		d, err := OpenDirectory(disk.New(dir))
		if err != nil {
			t.Fatal(err)
		}
		group.Go(func() {
			for i := range each {
				add(t, d, testEntry(w*each+i, fmt.Sprintf("t-%d-%d", w, i)))
				if _, err := d.List(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	d, err := OpenDirectory(disk.New(dir))
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := d.Len(); n != writers*each {
		t.Errorf("%d entries, want %d", n, writers*each)
	}
}
