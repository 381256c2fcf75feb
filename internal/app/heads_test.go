package app

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mcp-partner/guard"
	"mcp-partner/internal/config"
	"mcp-partner/internal/disk"
	"mcp-partner/ledger"
	"mcp-partner/vault"
)

// recording is an App whose record has one entry.
func recording(t *testing.T, heads *config.Heads) *App {
	t.Helper()
	s := NewSettings(func(string) (string, bool) { return "", false }, nil)
	s.SetStateDir(filepath.Join(t.TempDir(), "state"))
	s.Config.Heads = heads
	if err := vault.Init(t.Context(), disk.New(s.StateDir), vault.InitOptions{}); err != nil {
		t.Fatal(err)
	}
	a, err := s.Open(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	a.record(t)
	return a
}

func (a *App) record(t *testing.T) {
	t.Helper()
	if _, err := a.Ledger.Append(t.Context(), guard.Event{Kind: guard.KindRefusal}); err != nil {
		t.Fatal(err)
	}
}

func TestHeadsAreAppendedToAFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "heads.jsonl")
	a := recording(t, &config.Heads{File: file})
	push := func() []ledger.Head {
		if err := a.PushHeads(t.Context()); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		heads, _ := ledger.ParseHeads(text)
		return heads
	}
	push()
	if got := push(); len(got) != 1 || got[0].Seq != 1 {
		t.Errorf("%+v", got)
	}
	if err := os.WriteFile(file, []byte("{\"format\": \"cut of"), 0o600); err != nil {
		t.Fatal(err)
	}
	a.record(t)
	if got := push(); len(got) != 1 || got[0].Seq != 2 {
		t.Errorf("behind a line that was cut off: %+v", got)
	}
	a.record(t)
	a.settings.Config.Heads.File = t.TempDir()
	if err := a.PushHeads(t.Context()); err == nil || !strings.Contains(err.Error(), "heads in the config file") && !strings.Contains(err.Error(), "cannot be written") {
		t.Error(err)
	}
	a.settings.Config.Heads = nil
	if err := a.PushHeads(t.Context()); err != nil {
		t.Error("without heads in the config file:", err)
	}
}

func TestHeadsArePostedAndSigned(t *testing.T) {
	t.Parallel()
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte(hookKey), 0o600); err != nil {
		t.Fatal(err)
	}
	status, got := http.StatusInternalServerError, []ledger.Head{}
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var head ledger.Head
		if err != nil || json.Unmarshal(body, &head) != nil || r.Header.Get(webhookSignature) != signature([]byte(hookKey), body) {
			t.Errorf("%s, %v", body, r.Header)
		}
		got = append(got, head)
		w.WriteHeader(status)
	}))
	defer receiver.Close()
	a := recording(t, &config.Heads{To: &config.Webhook{URL: receiver.URL + hookPath, KeyFile: key, Format: "json", AllowPrivate: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}})
	if err := a.PushHeads(t.Context()); err == nil || !strings.Contains(err.Error(), "status 500") || strings.Contains(err.Error(), "s3cret") {
		t.Error(err)
	}
	status = http.StatusNoContent
	for range 2 {
		if err := a.PushHeads(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if len(got) != 2 || got[0].Seq != 1 || got[1].Seq != 1 {
		t.Errorf("a head that was not taken is sent again, one that was is not: %+v", got)
	}
}
