package cli

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
	"mcp-partner/internal/simtest"
	"mcp-partner/ledger"
	"mcp-partner/schemas"
	"mcp-partner/tenants"
	"mcp-partner/vault"
)

// runHere runs a command line in this process, in front of a terminal that
// only shows.
func runHere(t *testing.T, args ...string) (code int, out, stderr string) {
	t.Helper()
	streams := testStreams(nil)
	streams.OutTTY = true
	code = Run(t.Context(), streams, args)
	return code, outOf(streams), streams.Err.(*bytes.Buffer).String()
}

func outOf(streams *Streams) string { return streams.Out.(*bytes.Buffer).String() }

// stateWithVault makes a state directory with an empty vault.
func stateWithVault(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "state")
	if err := vault.Init(t.Context(), dir, vault.InitOptions{}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// houseIn opens the house of a state directory.
func houseIn(t *testing.T, dir string) *house {
	t.Helper()
	f := newFactory(testStreams(nil))
	f.setStateDir(dir)
	h, err := f.openHouse(keyOptions{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// hostileText tries to clear the screen, to move the cursor, to turn the
// direction of writing around, and to forge a line.
const hostileText = "con\x1b[2J\x1b]0;x\x07toso\r\n\u202efake: \"approved\"\u2028\x9b1A"

// TestHostileNamesAreShownAsTheyAre puts what no command would take directly
// into the store, as somebody could who has the state directory.
func TestHostileNamesAreShownAsTheyAre(t *testing.T) {
	t.Parallel()
	dir := stateWithVault(t)
	h := houseIn(t, dir)
	intent := guard.Intent{
		Caller: hostileText, Tool: schemas.ToolRegisterPartner, PartnerID: "1234567", Reason: hostileText,
		Identity: schemas.Identity{Tenant: hostileText, TenantID: hostileText, ObjectID: hostileText, Credential: hostileText, Cloud: hostileText},
		Before:   guard.LinkSnapshot{State: schemas.LinkNotLinked, Version: -1},
	}
	now := time.Now()
	ticket := guard.Ticket{ID: "ap_000000000000000001", Intent: intent, CreatedAt: now, ExpiresAt: now.Add(time.Hour), Requester: hostileText, Rule: hostileText}
	asked := guard.Event{Time: now, Kind: guard.KindAsked, Intent: intent, Approval: ticket.ID, Rule: hostileText, Detail: hostileText, Approver: hostileText}
	if _, err := h.ledger.PutTicket(t.Context(), ticket, 10, asked); err != nil {
		t.Fatal(err)
	}
	h.Close()
	for _, command := range [][]string{
		{"approvals", "list"}, {"approvals", "list", "--json"}, {"approvals", "show", ticket.ID}, {"approvals", "show", ticket.ID, "--json"},
		{"ledger", "list"}, {"ledger", "list", "--json"}, {"doctor"},
		{"approvals", "show", hostileText}, {"approvals", "approve", hostileText}, {"ledger", "verify", "--head", hostileText},
	} {
		_, out, stderr := runHere(t, append(command, "--state-dir", dir)...)
		for _, bad := range []string{"\x1b", "\x07", "\r", "\u202e", "\u2028", "\x9b"} {
			if strings.Contains(out+stderr, bad) {
				t.Errorf("%q lets %q through:\n%q", command, bad, out+stderr)
			}
		}
	}
	_, out, _ := runHere(t, "approvals", "show", ticket.ID, "--state-dir", dir)
	if !strings.Contains(out, "<U+001B>[2J") {
		t.Errorf("the name is not shown for what it is:\n%s", out)
	}
}

// TestNoLedgerNoWrite: with a ledger that cannot be used reads go on, and
// nothing that writes is even asked about.
func TestNoLedgerNoWrite(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(path string) error{
		"damaged": func(path string) error { return os.WriteFile(path, bytes.Repeat([]byte("no ledger "), 1000), 0o600) },
		"folder":  func(path string) error { return os.Mkdir(path, 0o700) },
		"open to all": func(path string) error {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				return err
			}
			return os.Chmod(path, 0o666)
		},
		"link": func(path string) error { return os.Symlink(filepath.Join(filepath.Dir(path), "vault.age"), path) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			world := startWorld(t)
			if err := world.Sim.ClearLink("contoso"); err != nil {
				t.Fatal(err)
			}
			dir := stateWithVault(t)
			inhabit(t, dir, world)
			if err := spoil(filepath.Join(dir, "ledger.db")); err != nil {
				t.Fatal(err)
			}
			write := []string{"call", "register_partner", "--tenant", "contoso", "--partner-id", "1234567", "--allow-writes", "--approval", "none", "--partner-ids", "1234567", "--json", "--state-dir", dir}
			code, out, _ := runHere(t, write...)
			if code == ExitDone || !strings.Contains(out, `"vault_`) || !strings.Contains(out, "ledger") {
				t.Errorf("write: exit code %d: %s", code, out)
			}
			code, out, stderr := runHere(t, "call", "check_partner_link", "--tenant", "contoso", "--json", "--state-dir", dir)
			if code != ExitDone || !strings.Contains(out, `"not_linked"`) {
				t.Errorf("read: exit code %d: %s%s", code, out, stderr)
			}
			if tenant, _ := world.Sim.Tenant("contoso"); tenant.PartnerID != "" {
				t.Error("something was written")
			}
			if code, out, _ := runHere(t, "freeze", "--reason", "x", "--state-dir", dir); code == ExitDone {
				t.Errorf("frozen without a ledger: %s", out)
			}
		})
	}
}

// inhabit puts the tenant contoso of a simulated Azure into a state directory.
func inhabit(t *testing.T, dir string, world *simtest.World) {
	t.Helper()
	directory, err := tenants.OpenDirectory(dir)
	if err != nil {
		t.Fatal(err)
	}
	store, err := vault.OpenVault(dir, vault.KeySource{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := vault.NewSecret([]byte(world.Sim.ClientSecret()))
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Put(t.Context(), "contoso", secret); err != nil {
		t.Fatal(err)
	}
	contoso, _ := world.Sim.Tenant("contoso")
	entry := tenants.Entry{Name: "contoso", TenantID: contoso.TenantID, Cloud: world.Cloud(), Credentials: []tenants.CredentialRef{{Name: "contoso"}}}
	credential := tenants.CredentialConfig{Name: "contoso", Kind: tenants.KindClientSecret, ClientID: world.Sim.ClientID()}
	if err := directory.Add(t.Context(), entry, credential); err != nil {
		t.Fatal(err)
	}
}

// TestStartOpensNothing: what a client asks first needs neither vault nor
// ledger, and makes neither.
func TestStartOpensNothing(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state")
	r := start(t, nil, "serve", "--state-dir", dir, "--allow-writes")
	params := modern()
	line, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": params})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.in.Write(append(line, '\n')); err != nil {
		t.Fatal(err)
	}
	if answer, err := r.out.ReadString('\n'); err != nil || !strings.Contains(answer, schemas.ToolRegisterPartner) {
		t.Fatalf("%v: %s", err, answer)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("the state directory was made")
	}
}

func TestThePolicyIsRecordedOnceAChange(t *testing.T) {
	t.Parallel()
	dir := stateWithVault(t)
	count := func() (n int) {
		h := houseIn(t, dir)
		defer h.Close()
		events, err := h.ledger.List(t.Context(), ledger.Filter{Kind: guard.KindPolicy})
		if err != nil {
			t.Fatal(err)
		}
		return len(events)
	}
	for i, c := range []struct {
		policy string
		want   int
	}{
		{"policy: [{name: a, answer: deny}]", 1}, {"policy: [{name: a, answer: deny}]", 1},
		{"policy: [{name: b, answer: deny}]", 2}, {"policy: [{name: a, answer: deny}]", 3},
	} {
		if err := os.WriteFile(filepath.Join(dir, "config.yaml"), []byte(c.policy), 0o600); err != nil {
			t.Fatal(err)
		}
		runHere(t, "call", "register_partner", "--tenant", "x", "--partner-id", "1234567", "--state-dir", dir)
		if got := count(); got != c.want {
			t.Errorf("start %d: %d entries, want %d", i, got, c.want)
		}
	}
}

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
	f := newSettings(noEnv, nil)
	var err error
	if f.Config, err = config.Load(file, nil); err != nil {
		t.Fatal(err)
	}
	log := &lockedBuffer{}
	f.Log = slog.New(slog.NewTextHandler(log, nil))
	hook, err := f.newWebhook()
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

// TestQuestionsOutliveARotation: the key that seals questions may be replaced
// while one is open, once.
func TestQuestionsOutliveARotation(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state")
	if err := vault.Init(t.Context(), dir, vault.InitOptions{}); err != nil {
		t.Fatal(err)
	}
	settings := newSettings(noEnv, nil)
	settings.setStateDir(dir)
	h, err := settings.openHouse(keyOptions{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	decider, err := h.guard(guard.Options{AllowWrites: true})
	if err != nil {
		t.Fatal(err)
	}
	intent := guard.Intent{Caller: "stdio", Tool: schemas.ToolRegisterPartner, PartnerID: "1234567",
		Identity: schemas.Identity{Tenant: "contoso", TenantID: "t", ObjectID: "o"}, Before: guard.LinkSnapshot{State: schemas.LinkNotLinked, Version: -1}}
	question := guard.QuestionFor(intent)
	for rotations, want := range []schemas.Code{"", "", schemas.CodeApprovalUnknown} {
		_, seal, err := decider.Ask(t.Context(), intent, guard.Verdict{Rule: "test"})
		if err != nil {
			t.Fatal(err)
		}
		for range rotations {
			if err := h.keyring.Rotate(t.Context(), sealKey, guard.KeySize); err != nil {
				t.Fatal(err)
			}
		}
		granted, err := decider.Answer(t.Context(), intent, seal, question, guard.Answer{Action: guard.ActionAccept, Typed: "1234567"})
		if problem := schemas.AsProblem(err); problem != nil && problem.Code != want || problem == nil && (want != "" || granted.Record == 0) {
			t.Errorf("after %d rotations: %v", rotations, err)
		}
	}
}

func TestAccountNamesTheUser(t *testing.T) {
	t.Parallel()
	if name := account(); !strings.HasSuffix(name, ")") || strings.HasPrefix(name, " ") {
		t.Errorf("account is %q", name)
	}
}
