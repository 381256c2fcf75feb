//go:build !windows

package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mcp-partner/internal/disk"
	"mcp-partner/internal/wiretest"
	"mcp-partner/ledger"
	"mcp-partner/schemas"
	"mcp-partner/simulator"
	"mcp-partner/vault"
)

// No secret, token, passphrase or key appears in the record, in the files that
// SQLite keeps next to it, in exports and heads, or in the output of approval
// commands. Seals are held by clients only.
func TestRecordHoldsNoSecrets(t *testing.T) {
	t.Parallel()
	c := &canary{world: newWorld(t, simulator.Config{Tenants: 2, LinkedPercent: -1})}
	c.settle("contoso")
	c.add("fabrikam", madeUp)
	c.said = append(c.said, c.appoint())
	s := c.cli("serve", "--allow-writes", "--log-level", "debug").start(t)
	s.greet(wiretest.Modern)
	seal := c.writesInBand(s)
	c.writesElsewhere(s)
	c.wrongPassphrase()
	s.ask(proposal{schemas.ToolRegisterPartner, wiretest.Object{"tenant": "fabrikam", "partner_id": ourID}}.call("late", nil))
	issued := c.invocationTokens()
	c.recordCommands()
	secrets := append(append(c.tap.all(), issued...), c.sim.ClientSecret(), madeUp, passphrase, c.ageKey(), seal)
	secrets = append(secrets, c.keys()...)
	c.filesInUse()
	c.search(secrets) // while the server has the files open
	s.rest()
	c.said = append(c.said, s.errs.String())
	c.search(secrets)
	c.untold(len(secrets))
}

// writesInBand registers by a question in the client's session. What was said
// to the client itself is not kept: the seal is meant for it.
func (c *canary) writesInBand(s *server) string {
	p := registering("contoso", ourID)
	seal := s.asked(p)
	for range 2 {
		c.said = append(c.said, string(s.ask(p.call("confirm", answered(seal, "accept", ourID))).Raw))
	}
	c.hear(c.cli("approvals", "list"))
	return seal
}

// writesElsewhere changes the link by an approval, and removes it by another
// that is carried out at once.
func (c *canary) writesElsewhere(s *server) {
	c.tb.Helper()
	for _, p := range []proposal{
		{schemas.ToolUpdatePartner, wiretest.Object{"tenant": "contoso", "partner_id": otherID, "reason": "a change of hands"}},
		{schemas.ToolRemovePartner, wiretest.Object{"tenant": "contoso", "partner_id": otherID}},
	} {
		reply := s.ask(p.call("ask", nil))
		id, _ := reply.Path("structuredContent", "approval", "id").(string)
		c.said = append(c.said, string(reply.Raw))
		c.hear(c.cli("approvals", "show", id))
		c.hear(c.cli("approvals", "show", id, "--json"))
		c.said = append(c.said, c.approve(id, "--execute", "--log-level", "debug"))
		c.said = append(c.said, string(s.ask(proposal{p.tool, with(p.arguments, "approval_id", id)}.call("again", nil)).Raw))
	}
	if linked := c.tenant("contoso").PartnerID; linked != "" {
		c.tb.Errorf("linked is %q", linked)
	}
}

// invocationTokens issues tokens, calls with them until they are used up, approves
// with one, and revokes them. What shows a token once is not kept.
func (c *canary) invocationTokens() []string {
	c.tb.Helper()
	web := c.cli("serve", "--http", "127.0.0.1:0", "--log-level", "debug").start(c.tb)
	at := web.connection()
	once := between(c.cli("token", "issue", "--for", "once", "--tenants", "contoso", "--uses", "1", "--log-level", "debug").must(c.tb).stdout, `"token":"`, `"`)
	s := c.cli("token", "issue", "--for", "alice", "--scope", "partner.approve", "--tenants", "*", "--approver", approver, "--json").atTerminal(c.tb)
	s.answer("Passphrase of approver", passphrase)
	approves := between(s.end(), `"token":"`, `"`)
	if once == "" || approves == "" {
		c.tb.Fatal("no token was issued")
	}
	for _, token := range []string{once, once, approves, once + "x", at.Token} {
		as := connection{URL: at.URL, Token: token}
		body, err := as.post(wiretest.Modern.Call("1", schemas.ToolListTenants, nil), schemas.ToolListTenants)
		check(c.tb, err)
		c.said = append(c.said, body)
		request, err := http.NewRequest(http.MethodGet, strings.TrimSuffix(at.URL, "/mcp")+"/approvals", nil)
		check(c.tb, err)
		request.Header.Set("Authorization", "Bearer "+token)
		response, err := http.DefaultClient.Do(request)
		check(c.tb, err)
		list, err := io.ReadAll(response.Body)
		check(c.tb, err)
		check(c.tb, response.Body.Close())
		c.said = append(c.said, string(list))
	}
	for _, args := range [][]string{{"token", "list"}, {"token", "list", "--json"}, {"token", "revoke", "--for", "alice"}, {"approvals", "rotate-key"}} {
		c.hear(c.cli(args...))
	}
	web.signal()
	web.code()
	c.said = append(c.said, web.errs.String())
	return []string{once, approves, at.Token, strings.TrimPrefix(once, "mpt_"), strings.TrimPrefix(approves, "mpt_")}
}

func between(text, before, after string) string {
	_, rest, _ := strings.Cut(text, before)
	found, _, _ := strings.Cut(rest, after)
	return found
}

// wrongPassphrase types a passphrase that is almost right.
func (c *canary) wrongPassphrase() {
	c.tb.Helper()
	c.cli("freeze", "--reason", "a drill").must(c.tb)
	s := c.cli("unfreeze", "--approver", approver).atTerminal(c.tb)
	s.answer("Passphrase of approver", passphrase)
	c.said = append(c.said, s.end())
}

func (c *canary) recordCommands() {
	for _, args := range [][]string{
		{"approvals", "list", "--json"}, {"users", "list"}, {"ledger", "list"}, {"ledger", "list", "--json", "--limit", "0"},
		{"ledger", "verify"}, {"ledger", "verify", "--json"}, {"ledger", "head"}, {"ledger", "export"}, {"ledger", "export", "--format", "csv"},
		{"ledger", "head", "-o", filepath.Join(c.state, "head.json"), "--public-key-file", filepath.Join(c.state, "ledger.pem")},
		{"ledger", "export", "--format", "jsonl", "-o", filepath.Join(c.state, "ledger.jsonl")},
		{"ledger", "export", "--format", "csv", "-o", filepath.Join(c.state, "ledger.csv")},
		{"doctor", "--json"}, {"policy", "test", "--tool", schemas.ToolUpdatePartner, "--tenant", "contoso", "--partner-id", ourID},
	} {
		c.hear(c.cli(args...))
	}
}

// keys are the vault's own keys; anybody who has them could forge a record.
func (c *canary) keys() (keys []string) {
	c.tb.Helper()
	store, err := vault.OpenVault(disk.New(c.state), vault.KeySource{}, nil)
	check(c.tb, err)
	for _, name := range []string{ledger.KeyMAC, ledger.KeySigning, "seal"} {
		key, err := store.Keyring().Key(c.tb.Context(), name, 32, false)
		check(c.tb, err)
		keys = append(keys, string(key))
	}
	return keys
}

// filesInUse fails the test if the files to be searched are not there.
func (c *canary) filesInUse() {
	c.tb.Helper()
	for _, name := range []string{"ledger.db", "ledger.db-wal", "ledger.db-shm", "ledger.jsonl", "ledger.csv", "head.json"} {
		if info, err := os.Stat(filepath.Join(c.state, name)); err != nil || info.Size() == 0 {
			c.tb.Errorf("%s is not there to be searched (%v)", name, err)
		}
	}
}

// untold fails the test if too little went through it to show anything.
func (c *canary) untold(secrets int) {
	c.tb.Helper()
	said := strings.Join(c.said, "\n")
	if secrets < 8 || len(said) < 15_000 || !strings.Contains(said, "DEBUG") {
		c.tb.Errorf("%d secrets, and %d bytes were said: this shows little", secrets, len(said))
	}
	kinds := fmt.Sprint(of(c.entries(), "confirmed"), of(c.entries(), "outcome"))
	if !strings.Contains(kinds, approver) || !strings.Contains(kinds, "done") {
		c.tb.Errorf("the record holds no approved write: %s", kinds)
	}
}
