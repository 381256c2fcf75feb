package app

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mcp-partner/guard"
	"mcp-partner/internal/config"
	"mcp-partner/schemas"
)

const (
	hookKey  = "0123456789abcdef0123456789abcdef"
	hookPath = "/hook/s3cret-path"
)

// pendingTicket asks for an update, with texts that try to be more than text.
func pendingTicket(expires time.Time) guard.Ticket {
	return guard.Ticket{ID: "ap_1", Requester: "alice (1000)", ExpiresAt: expires, Intent: guard.Intent{
		Caller: "nightly", Tool: schemas.ToolUpdatePartner, PartnerID: "7654321", Before: guard.LinkSnapshot{PartnerID: "1234567"},
		Company: "Contoso [GmbH](https://evil.example)", Reason: "<!channel> <https://evil.example|approve> <at>all</at> **now**\u202e",
		Identity: schemas.Identity{Tenant: "contoso", TenantID: "tenant-1", ObjectID: "object-1", Cloud: "public"},
	}}
}

// receiver answers with the given statuses in turn, and with 204 after them.
type receiver struct {
	*httptest.Server
	got chan []byte
}

func newReceiver(t *testing.T, statuses ...int) *receiver {
	t.Helper()
	r := &receiver{got: make(chan []byte, 100)}
	var mu sync.Mutex
	mux := http.NewServeMux()
	mux.HandleFunc(hookPath, func(w http.ResponseWriter, request *http.Request) {
		body, _ := io.ReadAll(request.Body)
		mac := hmac.New(sha256.New, []byte(hookKey))
		mac.Write(body)
		if got, want := request.Header.Get(webhookSignature), "sha256="+hex.EncodeToString(mac.Sum(nil)); got != want || request.Method != http.MethodPost {
			t.Errorf("signature %q, want %q", got, want)
		}
		w.Header().Set("Location", "/elsewhere")
		mu.Lock()
		status := http.StatusNoContent
		if len(statuses) > 0 {
			status, statuses = statuses[0], statuses[1:]
		}
		mu.Unlock()
		w.WriteHeader(status)
		r.got <- body
	})
	mux.HandleFunc("/elsewhere", func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") })
	r.Server = httptest.NewServer(mux)
	t.Cleanup(r.Close)
	return r
}

func TestWebhookNamesWhatIsAsked(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	hook, log := hookFor(t, "json", r.URL+hookPath)
	hook.announce(pendingTicket(time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)))
	var said map[string]string
	if err := json.Unmarshal(<-r.got, &said); err != nil {
		t.Fatal(err)
	}
	hook.wait()
	want := map[string]string{
		"id": "ap_1", "tool": "update_partner", "tenant": "contoso", "old_partner_id": "1234567", "new_partner_id": "7654321",
		"caller": "nightly", "requester": "alice (1000)", "expires_at": "2030-01-02T03:04:05Z", "url": "https://partner.example/approvals/ap_1",
		"text":     "nightly asks for update_partner in tenant contoso. Approval ap_1 is pending.",
		"question": `Replace partner ID 1234567 by 7654321 for identity object-1 in tenant "contoso" (tenant-1, public cloud)? Attribution moves to the new ID.`,
		"company":  "Contoso [GmbH](https: //evil.example)", "reason": "<!channel> <https: //evil.example|approve> <at>all</at> **now**",
	}
	if !maps.Equal(said, want) || log.String() != "" {
		t.Errorf("announced %v, want %v; log: %s", said, want, log)
	}
}

// In chats, what others wrote stands only where no client reads markup, and the one
// link is ours.
func TestWebhookChatsShowUntrustedTextAsText(t *testing.T) {
	t.Parallel()
	removal := pendingTicket(time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC))
	removal.Intent.Tool, removal.Intent.PartnerID = schemas.ToolRemovePartner, "1234567"
	for format, inert := range map[string]string{"slack": `"type":"plain_text"`, "teams": `"type":"TextRun"`} {
		for question, ticket := range map[string]guard.Ticket{
			"Replace partner ID 1234567 by 7654321 for identity": pendingTicket(removal.ExpiresAt),
			"Remove the link to partner ID 1234567 for identity": removal,
		} {
			body, err := webhookFormats()[format](announce(ticket, "https://partner.example"))
			if err != nil {
				t.Fatal(err)
			}
			var message any
			if err := json.Unmarshal(body, &message); err != nil {
				t.Fatal(err)
			}
			eachObject(message, func(o map[string]any) {
				text, _ := o["text"].(string)
				foreign := strings.Contains(text, "evil.example") || strings.Contains(text, "nightly")
				if foreign && o["type"] != "plain_text" && o["type"] != "TextRun" {
					t.Errorf("%s: %q is in %v", format, text, o["type"])
				}
			})
			all := string(body)
			if !strings.Contains(all, inert) || strings.Count(all, "://") != strings.Count(all, "https://partner.example/approvals/ap_1")+strings.Count(all, "http://adaptivecards.io") {
				t.Errorf("%s: %s", format, all)
			}
			for _, part := range []string{"nightly", "contoso", "1234567", "Reason given", "Question: " + question, "Expires: 2030-01-02T03:04:05Z"} {
				if !strings.Contains(all, part) {
					t.Errorf("%s does not name %s: %s", format, part, all)
				}
			}
			if strings.Contains(all, "New partner ID") != (ticket.Intent.Tool == schemas.ToolUpdatePartner) {
				t.Errorf("%s of %s: %s", format, ticket.Intent.Tool, all)
			}
		}
	}
}

// eachObject visits every object of a JSON value.
func eachObject(value any, visit func(map[string]any)) {
	switch v := value.(type) {
	case map[string]any:
		visit(v)
		for _, member := range v {
			eachObject(member, visit)
		}
	case []any:
		for _, item := range v {
			eachObject(item, visit)
		}
	}
}

// A receiver that does not take the announcement gets it again after pauses that
// grow, until it does, the question is decided or has expired, or the server ends.
func TestWebhookIsSentAgain(t *testing.T) {
	t.Parallel()
	never := slices.Repeat([]int{http.StatusInternalServerError}, 1000)
	for _, test := range []struct {
		name     string
		statuses []int
		pending  int // how often the question is still pending
		life     time.Duration
		sent     int
		within   time.Duration
	}{
		{"taken", nil, 1000, time.Hour, 1, 0},
		{"taken in the end", []int{500, 307, 404, 429}, 1000, time.Hour, 5, 75 * time.Second},
		{"decided meanwhile", never, 2, time.Hour, 3, 35 * time.Second},
		{"expired", never, 1000, time.Hour, 12, time.Hour},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newReceiver(t, test.statuses...)
			hook, log := hookFor(t, "json", r.URL+hookPath)
			synctest.Test(t, func(t *testing.T) {
				hook.closed, hook.close = context.WithCancel(t.Context())
				hook.pending = func(context.Context, string) bool { test.pending--; return test.pending >= 0 }
				start := time.Now()
				hook.announce(pendingTicket(start.Add(test.life)))
				hook.sending.Wait()
				if took := time.Since(start); took > test.within || len(r.got) != test.sent {
					t.Errorf("%d sent in %s, want %d in %s", len(r.got), took, test.sent, test.within)
				}
			})
			if strings.Contains(log.String(), r.URL) || strings.Contains(log.String(), "s3cret-path") || strings.Contains(log.String(), "again_in=5s") == (test.sent == 1) {
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

// hookFor reads the URL from a file, as a chat's has to be.
func hookFor(t *testing.T, format, url string) (*webhook, *lockedBuffer) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"hook.key": hookKey, "hook.url": url,
		"config.yaml": "approvals: {webhook: {url_file: hook.url, key_file: hook.key, format: " + format + "}}",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f := NewSettings(noEnv, nil)
	f.PublicURL = "https://partner.example"
	var err error
	if f.Config, err = config.Load(filepath.Join(dir, "config.yaml"), nil); err != nil {
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

// The announcement to a receiver that hangs is made in the background, and the end
// of the server waits for one attempt at most.
func TestASlowWebhookHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer server.Close()
	hook, log := hookFor(t, "json", server.URL)
	hook.client.Timeout = 50 * time.Millisecond
	hook.announce(pendingTicket(time.Now().Add(time.Hour)))
	hook.wait()
	close(release)
	if !strings.Contains(log.String(), "reached=false") {
		t.Errorf("log: %s", log)
	}
}
