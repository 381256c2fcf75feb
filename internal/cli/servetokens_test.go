package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"mcp-partner/internal/exit"
	"mcp-partner/tenants"
)

// issued is a state directory with two tenants, and a server over it.
type issued struct {
	t      *testing.T
	env    map[string]string
	server *running
	at     ready
	// end ends the server; it may be called more than once.
	end func()
}

func serveIssued(t *testing.T) *issued {
	t.Helper()
	i := &issued{t: t, env: map[string]string{"MCP_PARTNER_STATE_DIR": t.TempDir() + "/state"}}
	i.run("", "vault", "init")
	world := startWorld(t)
	for _, name := range []string{"contoso", "fabrikam"} {
		tenant, _ := world.Sim.Tenant(name)
		cloud := world.Cloud()
		ca := t.TempDir() + "/ca.pem"
		writeFile(t, ca, cloud.CAPEM)
		i.run(world.Sim.ClientSecret(), "tenants", "add", name, "--tenant-id", tenant.TenantID, "--client-id", world.Sim.ClientID(), "--secret-stdin",
			"--cloud", tenants.CloudCustom, "--arm-endpoint", cloud.ARMEndpoint, "--arm-audience", cloud.ARMAudience, "--authority", cloud.Authority, "--ca-file", ca, "--skip-instance-discovery")
	}
	i.server = start(t, i.env, "serve", "--http", "127.0.0.1:0", "--allow-writes", "--log-level", "debug")
	i.server.line(&i.at)
	i.end = sync.OnceFunc(func() {
		i.server.stop()
		i.server.end()
	})
	t.Cleanup(i.end)
	return i
}

// run runs a command on the state directory and returns its standard output.
func (i *issued) run(stdin string, args ...string) string {
	i.t.Helper()
	r := start(i.t, i.env, args...)
	go func() {
		_, _ = r.in.Write([]byte(stdin))
		_ = r.in.Close()
	}()
	code, out := r.end()
	if code != exit.CodeDone {
		i.t.Fatalf("%v: exit code %d, %s%s", args, code, out, r.err)
	}
	return out
}

func (i *issued) token(args ...string) (secret, id string) {
	i.t.Helper()
	var shown struct{ Token, ID string }
	if err := json.Unmarshal([]byte(i.run("", append([]string{"token", "issue"}, args...)...)), &shown); err != nil {
		i.t.Fatal(err)
	}
	return shown.Token, shown.ID
}

func (i *issued) call(token, tool, arguments string) (int, string) {
	i.t.Helper()
	return post(i.t, i.at.URL, token, fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":%q,"arguments":%s}}`, tool, arguments))
}

// figures asks for /metrics and returns the status.
func (i *issued) figures(token string) int {
	i.t.Helper()
	request, err := http.NewRequestWithContext(i.t.Context(), http.MethodGet, strings.TrimSuffix(i.at.URL, "/mcp")+"/metrics", nil)
	if err != nil {
		i.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		i.t.Fatal(err)
	}
	defer answer.Body.Close()
	return answer.StatusCode
}

func TestInvocationTokensOverHTTP(t *testing.T) {
	t.Parallel()
	i := serveIssued(t)
	reader, id := i.token("--for", "reader", "--tenants", "con*")
	check := func(name, token, tool, arguments string, status int, says string) {
		t.Helper()
		if got, answer := i.call(token, tool, arguments); got != status || !strings.Contains(answer, says) {
			t.Errorf("%s: status %d, want %d that says %q: %s", name, got, status, says, answer)
		}
	}
	check("its tenant", reader, "check_partner_link", `{"tenant":"contoso"}`, http.StatusOK, `"status":"done"`)
	check("the only one it has", reader, "check_partner_link", `{}`, http.StatusOK, `"tenant":"contoso"`)
	check("another tenant", reader, "check_partner_link", `{"tenant":"fabrikam"}`, http.StatusOK, `"code":"unknown_tenant"`)
	check("a write", reader, "register_partner", `{"tenant":"contoso","partner_id":"1234567"}`, http.StatusOK, `"code":"insufficient_scope"`)
	if _, list := post(t, i.at.URL, reader, `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`); strings.Contains(list, "register_partner\"") || !strings.Contains(list, "check_partner_link") {
		t.Errorf("its tools: %s", list)
	}
	if _, list := post(t, i.at.URL, i.at.Token, `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`); !strings.Contains(list, "register_partner") {
		t.Errorf("the start-up token's tools: %s", list)
	}
	once, _ := i.token("--for", "once", "--tenants", "contoso", "--uses", "1")
	check("the one use", once, "list_tenants", `{}`, http.StatusOK, "contoso")
	check("used up", once, "list_tenants", `{}`, http.StatusUnauthorized, "not valid")
	short, _ := i.token("--for", "short", "--tenants", "contoso", "--ttl", "1ns")
	check("expired", short, "list_tenants", `{}`, http.StatusUnauthorized, "not valid")
	watch, _ := i.token("--for", "prometheus", "--scope", "partner.metrics")
	for token, want := range map[string]int{watch: http.StatusOK, reader: http.StatusForbidden, i.at.Token: http.StatusOK} {
		if got := i.figures(token); got != want {
			t.Errorf("figures: status %d, want %d", got, want)
		}
	}
	check("figures alone", watch, "list_tenants", `{}`, http.StatusOK, `"code":"insufficient_scope"`)
	i.run("", "token", "revoke", id)
	check("revoked", reader, "list_tenants", `{}`, http.StatusUnauthorized, "not valid")
	for _, again := range []string{id, "tk_000000000000000000"} {
		if code, out := start(t, i.env, "token", "revoke", again).end(); code != exit.CodeFailed {
			t.Errorf("revoking nothing: exit code %d, %s", code, out)
		}
	}
	check("made up", "mpt_"+strings.Repeat("A", 43), "list_tenants", `{}`, http.StatusUnauthorized, "not valid")
	check("the start-up token still", i.at.Token, "list_tenants", `{}`, http.StatusOK, "fabrikam")
	i.end()
	log := i.server.err.String()
	for _, secret := range []string{reader, once, short, i.at.Token} {
		if strings.Contains(log, secret) {
			t.Error("a token is in the log")
		}
	}
	if !strings.Contains(log, "caller=token:reader") {
		t.Errorf("the caller is not in the log:\n%s", log)
	}
}

// An approval can be used with the next token of the same name, and with no
// other.
func TestApprovalsBelongToTokenName(t *testing.T) {
	t.Parallel()
	i := serveIssued(t)
	grant := []string{"--tenants", "contoso", "--scope", "partner.read,partner.write,partner.change"}
	first, _ := i.token(append(grant, "--for", "migration")...)
	_, answer := i.call(first, "check_partner_link", `{"tenant":"contoso"}`)
	var linked struct {
		Result struct {
			StructuredContent struct {
				Link struct {
					PartnerID string `json:"partner_id"`
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(answer), &linked); err != nil || linked.Result.StructuredContent.Link.PartnerID == "" {
		t.Fatalf("%v: %s", err, answer)
	}
	_, answer = i.call(first, "remove_partner", fmt.Sprintf(`{"tenant":"contoso","partner_id":%q}`, linked.Result.StructuredContent.Link.PartnerID))
	_, rest, found := strings.Cut(answer, `"approval":{"id":"`)
	id, _, _ := strings.Cut(rest, `"`)
	if !found {
		t.Fatalf("no approval: %s", answer)
	}
	i.run("", "token", "revoke", "--for", "migration")
	next, _ := i.token(append(grant, "--for", "migration")...)
	other, _ := i.token(append(grant, "--for", "other")...)
	ask := fmt.Sprintf(`{"approval_id":%q}`, id)
	if _, answer := i.call(next, "get_approval", ask); !strings.Contains(answer, `"state":"pending"`) {
		t.Errorf("the next of the same name: %s", answer)
	}
	for _, token := range []string{other, i.at.Token} {
		if _, answer := i.call(token, "get_approval", ask); !strings.Contains(answer, `"code":"approval_unknown"`) {
			t.Errorf("another caller: %s", answer)
		}
	}
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Two servers on one state directory count the uses of a token together, and
// both see that one was revoked. A cursor and a run of one caller are nothing to
// another.
func TestServersShareTokenUses(t *testing.T) {
	t.Parallel()
	i := serveIssued(t)
	second := start(t, i.env, "serve", "--http", "127.0.0.1:0")
	var there ready
	second.line(&there)
	t.Cleanup(func() {
		second.stop()
		second.end()
	})
	servers := []string{i.at.URL, there.URL}
	call := func(n int, token, tool, arguments string) (int, string) {
		t.Helper()
		return post(t, servers[n%2], token, fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":%q,"arguments":%s}}`, tool, arguments))
	}
	four, _ := i.token("--for", "four", "--tenants", "*", "--uses", "4")
	for n := range 6 {
		status, answer := call(n, four, "list_tenants", `{}`)
		if want := map[bool]int{true: http.StatusOK, false: http.StatusUnauthorized}[n < 4]; status != want {
			t.Errorf("use %d: status %d, want %d: %s", n+1, status, want, answer)
		}
	}
	mine, _ := i.token("--for", "mine", "--tenants", "*")
	other, _ := i.token("--for", "other", "--tenants", "*")
	_, answer := call(0, mine, "list_tenants", `{"limit":1}`)
	cursor := between(answer, `"next_cursor":"`, `"`)
	_, answer = call(0, mine, "audit_partner_links", `{}`)
	run := between(answer, `"run_id":"`, `"`)
	if cursor == "" || run == "" {
		t.Fatalf("cursor %q, run %q: %s", cursor, run, answer)
	}
	for tool, arguments := range map[string]string{"list_tenants": fmt.Sprintf(`{"cursor":%q}`, cursor), "audit_partner_links": fmt.Sprintf(`{"run_id":%q}`, run)} {
		if _, answer := call(1, mine, tool, arguments); !strings.Contains(answer, `"status":"done"`) {
			t.Errorf("%s by the other server: %s", tool, answer)
		}
		if _, answer := call(1, other, tool, arguments); !strings.Contains(answer, `"status":"refused"`) {
			t.Errorf("%s by another caller: %s", tool, answer)
		}
	}
	i.run("", "token", "revoke", "--all")
	for n := range 2 {
		if status, _ := call(n, mine, "list_tenants", `{}`); status != http.StatusUnauthorized {
			t.Errorf("server %d: status %d after the revocation", n+1, status)
		}
	}
}

func between(text, before, after string) string {
	_, rest, _ := strings.Cut(text, before)
	found, _, _ := strings.Cut(rest, after)
	return found
}
