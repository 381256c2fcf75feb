package app

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
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

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/guard/runs"
	"mcp-partner/internal/config"
	"mcp-partner/internal/disk"
	"mcp-partner/ledger"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/partnerid"
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
		Identity: answers.Identity{Tenant: "contoso", TenantID: "tenant-1", ObjectID: "object-1", Cloud: "public"},
	}}
}

// receiver answers with the given statuses in turn, and with 204 after them.
type receiver struct {
	*httptest.Server
	got chan []byte
	// ids are those of the deliveries.
	ids chan string
}

func newReceiver(t *testing.T, statuses ...int) *receiver {
	t.Helper()
	r := &receiver{got: make(chan []byte, 100), ids: make(chan string, 100)}
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
		r.ids <- request.Header.Get(webhookID)
		r.got <- body
	})
	mux.HandleFunc("/elsewhere", func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") })
	r.Server = httptest.NewServer(mux)
	t.Cleanup(r.Close)
	return r
}

func TestWebhookBodyNamesToolTenantAndID(t *testing.T) {
	t.Parallel()
	body, err := webhookFormats()["json"](announce(pendingTicket(time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)), guard.Plan{}, "https://partner.example/approvals/"))
	if err != nil {
		t.Fatal(err)
	}
	var said map[string]string
	if err := json.Unmarshal(body, &said); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"id": "ap_1", "tool": "update_partner", "tenant": "contoso", "old_partner_id": "1234567", "new_partner_id": "7654321",
		"caller": "nightly", "requester": "alice (1000)", "expires_at": "2030-01-02T03:04:05Z", "url": "https://partner.example/approvals/ap_1",
		"text":     "nightly asks for update_partner in tenant contoso. Approval ap_1 is pending.",
		"question": `Replace partner ID 1234567 with 7654321 for identity object-1 in tenant "contoso" (tenant-1, public cloud)? Attribution moves to the new ID.`,
		"company":  "Contoso [GmbH](https: //evil.example)", "reason": "<!channel> <https: //evil.example|approve> <at>all</at> **now**",
	}
	if !maps.Equal(said, want) {
		t.Errorf("announced %v, want %v", said, want)
	}
}

// A question about many tenants says what a question about one does, with the number
// of tenants and the names of the first.
func TestWebhookBodySummarizesPlan(t *testing.T) {
	t.Parallel()
	plan := guard.Plan{Caller: "nightly", Tool: schemas.ToolTransitionPartner, From: []partnerid.ID{"1234567", "2345678"}, To: "7654321", Strategy: guard.StrategyUpdate}
	for n := range 13 {
		row := guard.PlanRow{Identity: answers.Identity{Tenant: fmt.Sprintf("customer-%02d", n)}, Company: "Comp://any <@U1>", PartnerID: "7654321"}
		if n > 0 {
			row.Steps = []runs.Step{runs.StepUpdate}
		}
		plan.Rows = append(plan.Rows, row)
	}
	ticket := guard.Ticket{ID: "ap_1", Requester: "alice (1000)", ExpiresAt: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC), Plan: &guard.PlanHead{Rows: 12, All: 13},
		Intent: guard.Intent{Caller: "nightly", Tool: plan.Tool, PartnerID: plan.To, Reason: "merger"}}
	a := announce(ticket, plan, "https://partner.example/approvals/")
	if a.Tenant != "" || a.Tenants != 12 || len(a.FirstTenants) != maxHookTenants || a.FirstTenants[0] != "customer-01 (Comp: //any <@U1>)" || a.OldPartnerID != "1234567, 2345678" || a.NewPartnerID != "7654321" {
		t.Errorf("%+v", a)
	}
	for format, make := range webhookFormats() {
		body, err := make(a)
		if err != nil {
			t.Fatal(err)
		}
		var texts []string
		var message any
		if err := json.Unmarshal(body, &message); err != nil {
			t.Fatal(err)
		}
		eachObject(message, func(o map[string]any) {
			for _, member := range o {
				if text, ok := member.(string); ok {
					texts = append(texts, text)
				}
			}
		})
		all := strings.Join(texts, "\n")
		for _, part := range []string{
			"nightly asks for transition_partner in 12 tenants. Approval ap_1 is pending.",
			"Replace partner ID 1234567, 2345678 with 7654321 in 12 tenants? Attribution moves to the new ID. It sends at most 12 requests to write. Rows listed but not changed: 1.",
			"merger", "2030-01-02T03:04:05Z", "https://partner.example/approvals/ap_1",
		} {
			if !strings.Contains(all, part) {
				t.Errorf("%s does not say %q: %s", format, part, all)
			}
		}
		if format != "json" && (!strings.Contains(all, "Tenants: 12: customer-01") || !strings.Contains(all, ", and 2 more")) {
			t.Errorf("%s does not name the tenants: %s", format, all)
		}
	}
}

// station is a server with its state directory, without what serves.
type station struct {
	*guard.Guard
	hook   *webhook
	record *ledger.Ledger
	log    *lockedBuffer
}

// start makes a server on a state directory whose keys are given.
func start(t *testing.T, dir string, keys ledger.Keys, url string) *station {
	t.Helper()
	hook, log := hookFor(t, "json", url)
	record := ledger.Open(ledger.Options{Dir: disk.New(dir), Keys: keys, Announces: true})
	decider, err := guard.New(guard.Options{AllowWrites: true, Approval: access.ApprovalApprover, Store: record, Announce: hook.announce})
	if err != nil {
		t.Fatal(err)
	}
	hook.questions, hook.outbox = decider, record
	return &station{decider, hook, record, log}
}

// ask opens a question for an approver.
func (s *station) ask(t *testing.T, tenant string) guard.Ticket {
	t.Helper()
	asked := s.Authorize(t.Context(), Trusted("nightly"), guard.Intent{Caller: "nightly", Tool: schemas.ToolRegisterPartner, PartnerID: "1234567",
		Identity: answers.Identity{Tenant: tenant, TenantID: "id of " + tenant, ObjectID: "o"}, Before: guard.LinkSnapshot{State: answers.LinkNotLinked, Version: -1}}, false)
	waiting, ok := asked.(guard.Waiting)
	if !ok {
		t.Fatalf("no approver is asked: %+v", asked)
	}
	return waiting.Ticket
}

func (s *station) deny(t *testing.T, id string) {
	t.Helper()
	ada := access.Principal{Caller: "token:ada", Grant: access.Grant{Scopes: []access.Scope{access.ScopeApprove}, Tenants: []string{access.AllTenants}}}
	if _, err := s.DecideAs(t.Context(), ada, id, guard.DecisionRequest{Reason: "no"}); err != nil {
		t.Error(err)
	}
}

// serve announces for a while, as a server that runs does, and ends.
func (s *station) serve(t *testing.T, while time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), while)
	defer cancel()
	s.hook.serve(ctx, func() bool { return true })
	s.end(t)
}

func (s *station) end(t *testing.T) {
	t.Helper()
	s.hook.wait()
	if err := s.record.Close(); err != nil {
		t.Fatal(err)
	}
}

func never() []int { return slices.Repeat([]int{http.StatusInternalServerError}, 1000) }

// A receiver that does not take the announcement gets it again after pauses that
// grow, until it does, or the question is decided or has expired.
func TestFailedWebhookIsRetried(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		statuses []int
		denied   time.Duration // after which an approver says no
		while    time.Duration
		sent     int
	}{
		{name: "taken", while: time.Hour, sent: 1},
		{name: "taken in the end", statuses: []int{500, 307, 404, 429}, while: time.Hour, sent: 5},
		{name: "decided meanwhile", statuses: never(), denied: 30 * time.Second, while: time.Hour, sent: 3},
		{name: "expired", statuses: never(), while: guard.ApproverLife + time.Hour, sent: 150},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newReceiver(t, test.statuses...)
			r.got, r.ids = make(chan []byte, 1000), make(chan string, 1000)
			synctest.Test(t, func(t *testing.T) {
				s := start(t, filepath.Join(t.TempDir(), "state"), ledger.NewTemporaryKeys(), r.URL+hookPath)
				ticket := s.ask(t, "contoso")
				if test.denied > 0 {
					time.AfterFunc(test.denied, func() { s.deny(t, ticket.ID) })
				}
				s.serve(t, test.while)
				if len(r.got) != test.sent {
					t.Errorf("%d sent, want %d", len(r.got), test.sent)
				}
				for range test.sent {
					if id := <-r.ids; id != "approval/"+ticket.ID {
						t.Errorf("the delivery has the ID %q", id)
					}
				}
				if log := s.log.String(); strings.Contains(log, r.URL) || strings.Contains(log, "s3cret-path") || strings.Contains(log, "status=500") != (len(test.statuses) > 0) {
					t.Errorf("log: %s", log)
				}
			})
		})
	}
}

// What was not delivered when a server ended is announced by the next one, once, and
// what was decided in between is not.
func TestAnnouncementsSurviveRestart(t *testing.T) {
	t.Parallel()
	down, up := newReceiver(t, never()...), newReceiver(t)
	synctest.Test(t, func(t *testing.T) {
		dir, keys := filepath.Join(t.TempDir(), "state"), ledger.NewTemporaryKeys()
		first := start(t, dir, keys, down.URL+hookPath)
		pending, decided := first.ask(t, "contoso"), first.ask(t, "fabrikam")
		first.end(t)
		if len(down.got) == 0 {
			t.Error("nothing was tried")
		}
		between := start(t, dir, keys, down.URL+hookPath)
		between.deny(t, decided.ID)
		if waiting, err := between.record.Undelivered(t.Context()); err != nil || len(waiting) == 0 {
			t.Errorf("%d wait in the outbox, %v", len(waiting), err)
		}
		between.end(t)
		for range 2 {
			start(t, dir, keys, up.URL+hookPath).serve(t, time.Hour)
		}
		if len(up.got) != 1 || !strings.Contains(string(<-up.got), pending.ID) {
			t.Errorf("%d announced after the restart", len(up.got))
		}
	})
}

// Two servers on one state directory send an announcement once, also where neither of
// them asked.
func TestTwoServersAnnounceOnce(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	synctest.Test(t, func(t *testing.T) {
		dir, keys := filepath.Join(t.TempDir(), "state"), ledger.NewTemporaryKeys()
		asks := start(t, dir, keys, r.URL+hookPath)
		asks.hook.close()
		asks.Guard = quiet(t, asks.record)
		asks.ask(t, "contoso")
		asks.end(t)
		var running sync.WaitGroup
		for range 2 {
			s := start(t, dir, keys, r.URL+hookPath)
			running.Go(func() { s.serve(t, time.Hour) })
		}
		running.Wait()
		if len(r.got) != 1 {
			t.Errorf("%d announced", len(r.got))
		}
	})
}

// quiet is a guard that asks without a server that announces.
func quiet(t *testing.T, record *ledger.Ledger) *guard.Guard {
	t.Helper()
	decider, err := guard.New(guard.Options{AllowWrites: true, Approval: access.ApprovalApprover, Store: record})
	if err != nil {
		t.Fatal(err)
	}
	return decider
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
		"config.yaml": fmt.Sprintf("allow-private: 127.0.0.0/8\napprovals: {webhook: %[1]s}\nalerts: [{name: finops, to: %[1]s}]", "{url_file: hook.url, key_file: hook.key, format: "+format+"}"),
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
func TestSlowWebhookDoesNotBlockCalls(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer server.Close()
	s := start(t, filepath.Join(t.TempDir(), "state"), ledger.NewTemporaryKeys(), server.URL)
	s.hook.approvals.client.Timeout = 50 * time.Millisecond
	s.ask(t, "contoso")
	s.end(t)
	close(release)
	if !strings.Contains(s.log.String(), "reached=false") {
		t.Errorf("log: %s", s.log)
	}
}

// What happens to a user is told to the approvers, whose place somebody may want to take:
// once, by whichever server runs, also if a command did it.
func TestApproversAreToldOfEveryChangeOfAUserOnce(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, http.StatusInternalServerError)
	synctest.Test(t, func(t *testing.T) {
		dir, keys := filepath.Join(t.TempDir(), "state"), ledger.NewTemporaryKeys()
		command := start(t, dir, keys, r.URL+hookPath)
		handle, err := command.InviteUser(t.Context(), guard.User{Name: "cleo"}, guard.Credentials{})
		if err != nil {
			t.Fatal(err)
		}
		again, err := command.ResetUser(t.Context(), "cleo", guard.Credentials{})
		if err == nil {
			err = command.RemoveUser(t.Context(), "cleo", guard.Credentials{})
		}
		if err != nil {
			t.Fatal(err)
		}
		command.end(t)
		for range 2 {
			start(t, dir, keys, r.URL+hookPath).serve(t, time.Hour)
		}
		if len(r.got) != 4 { // one that was not taken, and three that were
			t.Fatalf("%d sent", len(r.got))
		}
		<-r.got
		var all []string
		for range 3 {
			var told struct {
				Text, Detail string
				ID           int64
			}
			body := <-r.got
			if err := json.Unmarshal(body, &told); err != nil || told.ID == 0 || !strings.Contains(told.Text, told.Detail) {
				t.Errorf("%v: %s", err, body)
			}
			if strings.Contains(string(body), handle) || strings.Contains(string(body), again) {
				t.Errorf("the message holds an invitation: %s", body)
			}
			all = append(all, told.Detail)
		}
		slices.Sort(all)
		for i, want := range []string{"invited cleo", "removed cleo", "reset and invited cleo"} {
			if !strings.HasPrefix(all[i], want) {
				t.Errorf("told of %q, want %s", all, want)
			}
		}
	})
}
