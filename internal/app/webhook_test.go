package app

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mcp-partner/guard"
	"mcp-partner/internal/config"
	"mcp-partner/schemas"
)

func TestWebhook(t *testing.T) {
	t.Parallel()
	const key = "0123456789abcdef0123456789abcdef"
	ticket := guard.Ticket{ID: "ap_1", Requester: "alice (1000)", ExpiresAt: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC),
		Intent: guard.Intent{Tool: schemas.ToolUpdatePartner, PartnerID: "1234567", Reason: "not for others", Identity: schemas.Identity{Tenant: "contoso"}}}
	for name, c := range map[string]struct {
		status int
		fails  bool
	}{"taken": {http.StatusNoContent, false}, "redirect": {http.StatusTemporaryRedirect, true}, "error": {http.StatusInternalServerError, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := make(chan []byte, 2)
			mux := http.NewServeMux()
			mux.HandleFunc("/hook", func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				mac := hmac.New(sha256.New, []byte(key))
				mac.Write(body)
				if want := "sha256=" + hex.EncodeToString(mac.Sum(nil)); r.Header.Get("X-MCP-Partner-Signature") != want || r.Method != http.MethodPost {
					t.Errorf("signature %q, want %q", r.Header.Get("X-MCP-Partner-Signature"), want)
				}
				got <- body
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(c.status)
			})
			mux.HandleFunc("/elsewhere", func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") })
			server := httptest.NewServer(mux)
			defer server.Close()
			hook, log := hookFor(t, server.URL+"/hook", key)
			hook.announce(ticket)
			hook.wait()
			var said map[string]string
			if err := json.Unmarshal(<-got, &said); err != nil {
				t.Fatal(err)
			}
			want := map[string]string{"id": "ap_1", "tool": "update_partner", "tenant": "contoso", "partner_id": "1234567", "requester": "alice (1000)", "expires_at": "2030-01-02T03:04:05Z"}
			for k, v := range want {
				if said[k] != v {
					t.Errorf("%s is %q, want %q", k, said[k], v)
				}
			}
			if len(said) != len(want) {
				t.Errorf("announced: %v", said)
			}
			if failed := strings.Contains(log.String(), "could not be announced"); failed != c.fails || strings.Contains(log.String(), server.URL) {
				t.Errorf("log: %s", log)
			}
		})
	}
}

// lockedBuffer is a log that is read while it is written.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// noEnv is an environment without a variable.
func noEnv(string) (string, bool) { return "", false }

func hookFor(t *testing.T, url, key string) (*webhook, *lockedBuffer) {
	t.Helper()
	dir := t.TempDir()
	keyFile, file := filepath.Join(dir, "hook.key"), filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(keyFile, []byte(key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := "approvals: {webhook: {url: \"" + url + "\", key_file: \"" + filepath.ToSlash(keyFile) + "\"}}"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f := NewSettings(noEnv, nil)
	var err error
	if f.Config, err = config.Load(file, nil); err != nil {
		t.Fatal(err)
	}
	log := &lockedBuffer{}
	f.Log = slog.New(slog.NewTextHandler(log, nil))
	hook, err := f.NewWebhook()
	if err != nil {
		t.Fatal(err)
	}
	return hook, log
}

// TestASlowWebhookHoldsNobodyUp: the announcement of a server that is gone is
// made in the background, and given up in time.
func TestASlowWebhookHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer server.Close()
	hook, log := hookFor(t, server.URL, "0123456789abcdef")
	hook.client.Timeout = 50 * time.Millisecond
	hook.announce(guard.Ticket{ID: "ap_1"})
	hook.wait()
	close(release)
	if !strings.Contains(log.String(), "reached=false") {
		t.Errorf("log: %s", log)
	}
}
