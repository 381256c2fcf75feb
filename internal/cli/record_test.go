package cli

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/disk"
	"mcp-partner/internal/exit"
	"mcp-partner/ledger"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/tenants"
	"mcp-partner/vault"
)

// runHere runs a command line in this process, in front of a terminal that
// only shows.
func runHere(t *testing.T, args ...string) (code int, out, stderr string) {
	t.Helper()
	streams := testStreams(nil)
	streams.OutTTY = true
	shown := streams.Out.(*bytes.Buffer) // a change puts another writer in its place
	code = Run(t.Context(), streams, args)
	return code, shown.String(), streams.Err.(*bytes.Buffer).String()
}

// stateWithVault makes a state directory with an empty vault.
func stateWithVault(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "state")
	if err := vault.Init(t.Context(), disk.New(dir), vault.InitOptions{}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// appIn opens the app of a state directory.
func appIn(t *testing.T, dir string) *app.App {
	t.Helper()
	deps := cmdutil.NewDeps(testStreams(nil))
	deps.SetStateDir(dir)
	a, err := deps.Open(nil)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// hostileText tries to clear the screen, to move the cursor, to turn the
// direction of writing around, and to forge a line.
const hostileText = "con\x1b[2J\x1b]0;x\x07toso\r\n\u202efake: \"approved\"\u2028\x9b1A"

// TestHostileNamesAreShownEscaped puts what no command would take directly
// into the store, as somebody could who has the state directory.
func TestHostileNamesAreShownEscaped(t *testing.T) {
	t.Parallel()
	dir := stateWithVault(t)
	a := appIn(t, dir)
	intent := guard.Intent{
		Caller: hostileText, Tool: schemas.ToolRegisterPartner, PartnerID: "1234567", Reason: hostileText,
		Identity: answers.Identity{Tenant: hostileText, TenantID: hostileText, ObjectID: hostileText, Credential: hostileText, Cloud: hostileText},
		Before:   guard.LinkSnapshot{State: answers.LinkNotLinked, Version: -1},
	}
	now := time.Now()
	ticket := guard.Ticket{ID: "ap_000000000000000001", Intent: intent, CreatedAt: now, ExpiresAt: now.Add(time.Hour), Requester: hostileText, Rule: hostileText}
	asked := guard.Event{Time: now, Kind: guard.KindAsked, Intent: intent, Approval: ticket.ID, Rule: hostileText, Detail: hostileText, Approver: hostileText}
	if _, err := a.Ledger.PutTicket(t.Context(), ticket, 10, asked); err != nil {
		t.Fatal(err)
	}
	a.Close()
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

// With an unusable ledger reads continue, and a write is refused before anybody
// is asked to confirm it.
func TestWritesAreRefusedWithoutLedger(t *testing.T) {
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
			write := []string{"call", "update_partner", "--tenant", "contoso", "--partner-id", "1234567", "--expected-current-partner-id", "2345678", "--allow-writes", "--approval", "none", "--partner-ids", "1234567", "--json", "--state-dir", dir}
			code, out, _ := runHere(t, write...)
			if code == exit.CodeDone || !strings.Contains(out, `"vault_`) || !strings.Contains(out, "ledger") {
				t.Errorf("write: exit code %d: %s", code, out)
			}
			code, out, stderr := runHere(t, "call", "check_partner_link", "--tenant", "contoso", "--json", "--state-dir", dir)
			if code != exit.CodeDone || !strings.Contains(out, `"not_linked"`) {
				t.Errorf("read: exit code %d: %s%s", code, out, stderr)
			}
			if tenant, _ := world.Sim.Tenant("contoso"); tenant.PartnerID != "" {
				t.Error("something was written")
			}
			if code, out, _ := runHere(t, "freeze", "--reason", "x", "--state-dir", dir); code == exit.CodeDone {
				t.Errorf("frozen without a ledger: %s", out)
			}
		})
	}
}

// inhabit puts the tenant contoso of a simulated Azure into a state directory.
func inhabit(t *testing.T, dir string, world *azure) {
	t.Helper()
	directory, err := tenants.OpenDirectory(disk.New(dir))
	if err != nil {
		t.Fatal(err)
	}
	store, err := vault.OpenVault(disk.New(dir), vault.KeySource{}, nil)
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

// The first requests of a client neither need nor create a vault or a ledger.
func TestStartOpensNeitherVaultNorLedger(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state")
	r := start(t, nil, "serve", "--state-dir", dir, "--allow-writes")
	params := modernParams()
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

func TestPolicyIsRecordedOncePerChange(t *testing.T) {
	t.Parallel()
	dir := stateWithVault(t)
	count := func() (n int) {
		a := appIn(t, dir)
		defer a.Close()
		events, err := a.Ledger.List(t.Context(), ledger.Filter{Kind: guard.KindPolicy})
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

// What a webhook has not taken outlives the command that asked, and doctor counts it.
func TestDoctorCountsUndeliveredAnnouncements(t *testing.T) {
	t.Parallel()
	dir := stateWithVault(t)
	inhabit(t, dir, startWorld(t))
	refusing := httptest.NewServer(http.NotFoundHandler())
	defer refusing.Close()
	for name, text := range map[string]string{"hook.key": strings.Repeat("k", 32), "config.yaml": "allow-private: 127.0.0.0/8\napprovals: {webhook: {url: " + refusing.URL + ", key_file: hook.key}}"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if code, out, stderr := runHere(t, "call", "update_partner", "--tenant", "contoso", "--partner-id", "1234567", "--expected-current-partner-id", "2345678", "--allow-writes", "--approval", "approver", "--state-dir", dir); !strings.Contains(out, "pending") {
		t.Fatalf("exit code %d: %s%s", code, out, stderr)
	}
	if _, out, _ := runHere(t, "doctor", "--state-dir", dir); !strings.Contains(out, "webhook of approvals has not taken 1 message yet after 1 attempt") {
		t.Errorf("doctor: %s", out)
	}
}

// A suggested command is for the same database. The config file names it by itself.
func TestSuggestedCommandsRepeatTheDatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "database-url")
	if err := os.WriteFile(file, []byte("postgresql://partner:canary@127.0.0.1:1/partner"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, out, _ := runHere(t, "doctor", "--state-dir", dir, "--database-url-file", file)
	if !strings.Contains(out, "cannot be reached") || !strings.Contains(out, "mcp-partner --database-url-file "+file+" doctor") {
		t.Error(out)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.yaml"), []byte("database-url-file: "+file), 0o600); err != nil {
		t.Fatal(err)
	}
	_, out, _ = runHere(t, "doctor", "--state-dir", dir)
	if !strings.Contains(out, "fix       mcp-partner doctor") {
		t.Error(out)
	}
}

// modernParams is what a request of the newest revision says about its sender.
func modernParams() map[string]any {
	return map[string]any{"_meta": map[string]any{
		"io.modelcontextprotocol/protocolVersion":    "2026-07-28",
		"io.modelcontextprotocol/clientInfo":         map[string]any{"name": "test", "version": "1"},
		"io.modelcontextprotocol/clientCapabilities": map[string]any{},
	}}
}
