package ledger

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mcp-partner/guard"
)

// timer replaces the minute between two writes.
type timer struct {
	fire    func()
	started int
}

func (h *house) timer() *timer {
	x := &timer{}
	h.tokens.after = func(d time.Duration, f func()) func() bool {
		if d != time.Minute {
			h.t.Errorf("after %s", d)
		}
		x.fire, x.started = f, x.started+1
		return func() bool { return true }
	}
	return x
}

func TestTokensAreCountedTogether(t *testing.T) {
	t.Parallel()
	h := build(t)
	x := h.timer()
	for n := range 100 {
		h.CountToken("partner", fmt.Sprint("tenant", n%2))
		h.CountToken("backup", "contoso")
	}
	if _, err := os.Stat(h.name); !errors.Is(err, fs.ErrNotExist) || x.started != 1 {
		t.Error("counting touched the disk", err, x.started)
	}
	x.fire()
	events := h.events()
	if len(events) != 2 || events[0].Detail != "100 tokens: contoso 100" || events[1].Detail != "100 tokens: tenant0 50, tenant1 50" {
		t.Errorf("%+v", events)
	}
	first := events[0]
	if first.Kind != guard.KindTokens || first.Intent.Identity.Credential != "backup" || first.Intent.Identity.Tenant != "contoso" || !first.Time.Equal(noon()) {
		t.Errorf("%+v", first)
	}
	h.CountToken("partner", "tenant1")
	h.reopen() // Close writes the rest
	if events = h.events(); len(events) != 3 || events[2].Detail != "1 token: tenant1 1" {
		t.Errorf("%+v", events)
	}
}

func TestUnwrittenTokenUsesAreKept(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := build(t)
		x := h.timer()
		h.keys.breakWith(errors.New("no vault"))
		h.CountToken("partner", "contoso")
		x.fire()
		h.keys.breakWith(nil)
		h.CountToken("partner", "contoso")
		x.fire()
		if events := h.events(); len(events) != 1 || events[0].Detail != "2 tokens: contoso 2" {
			t.Errorf("%+v", events)
		}
	})
}

func TestTokenEntryOfManyTenantsIsBounded(t *testing.T) {
	t.Parallel()
	tenants := map[string]int{}
	for n := range 5000 {
		tenants[fmt.Sprintf("tenant-%04d", n)] = 1
	}
	e := tokenEvent(noon(), "partner", tenants)
	if len(e.Detail) > 1000 || e.Intent.Identity.Tenant != "" {
		t.Errorf("%d bytes", len(e.Detail))
	}
}

// TestOutputHoldsNoKeys looks for the keys in everything that the ledger writes or says.
func TestOutputHoldsNoKeys(t *testing.T) {
	t.Parallel()
	h := furnish(build(t))
	c, err := h.Prune(ctx(), noon().Add(1))
	h.must(err)
	h.fill(4)
	status, err := h.Status(ctx())
	h.must(err)
	said, err := json.Marshal([]any{c, status, h.head(), h.verify(nil), h.events()})
	h.must(err)
	written := map[string][]byte{"answers": said, "jsonl": []byte(h.export(FormatJSONL, Filter{})), "csv": []byte(h.export(FormatCSV, Filter{}))}
	files, err := filepath.Glob(filepath.Join(h.dir, "*"))
	h.must(err)
	if len(files) != 4 {
		t.Error(files)
	}
	for _, file := range files {
		written[filepath.Base(file)], err = os.ReadFile(file)
		h.must(err)
	}
	for _, name := range []string{KeyMAC, KeySigning} {
		key := testKey(name)
		for _, form := range []string{string(key), hex.EncodeToString(key), base64.StdEncoding.EncodeToString(key)[:40], base64.RawURLEncoding.EncodeToString(key)[:40]} {
			for where, text := range written {
				if bytes.Contains(text, []byte(form)) {
					t.Errorf("the key %s is in %s", name, where)
				}
			}
		}
	}
}
