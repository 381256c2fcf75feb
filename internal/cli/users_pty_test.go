//go:build !windows

package cli

import (
	"strings"
	"testing"

	"mcp-partner/internal/exit"
)

// invitationIn is the link that a command printed, or "".
func invitationIn(shown string) string {
	_, link, _ := strings.Cut(shown, "https://partner.example.com/invite#")
	link, _, _ = strings.Cut(link, "\n")
	return strings.TrimSpace(link)
}

// As long as there is no approver the operator confirms an invitation at the terminal;
// after that an approver does, and for a reset a second one.
func TestInvitationsNeedSomebodysConsent(t *testing.T) {
	t.Parallel()
	o := newInstallation(t)
	at := []string{"--public-url", "https://partner.example.com/mcp"}
	invite := append([]string{"users", "invite", "carol", "--scopes", "partner.read", "--tenants", "con*"}, at...)
	for _, c := range []struct {
		typed string
		code  int
	}{{"caro\n", exit.CodeRefused}, {"\n", exit.CodeRefused}, {"carol\n", exit.CodeDone}} {
		s := o.at(invite...)
		s.expect("There is no approver yet who could consent.")
		s.typeLine(c.typed)
		if code, shown := s.end(); code != c.code || (len(invitationIn(shown)) == 43) != (code == exit.CodeDone) {
			t.Errorf("%q: exit code %d:\n%s", c.typed, code, shown)
		}
	}
	o.addAlice()
	s := o.at(append([]string{"users", "invite", "dave"}, at...)...)
	s.expect("An existing approver must consent.")
	s.typeLine("alice\n")
	s.expect("Passphrase of approver alice")
	s.typeLine(alicesPassphrase + "\n")
	code, shown := s.end()
	link := invitationIn(shown)
	if code != exit.CodeDone || len(link) != 43 || strings.Contains(shown, "horse") {
		t.Fatalf("exit code %d:\n%s", code, shown)
	}
	if record := o.must("ledger", "list", "--json"); strings.Contains(record, link) || !strings.Contains(record, "invited dave; scopes partner.approve; tenants *") {
		t.Error(record)
	}
	s = o.at(append([]string{"users", "reset", "alice"}, at...)...)
	s.expect("Approver's name: ")
	s.typeLine("alice\n")
	s.expect("Passphrase of approver alice")
	s.typeLine(alicesPassphrase + "\n")
	if code, shown := s.end(); code != exit.CodeRefused || !strings.Contains(shown, "a second approver must") || invitationIn(shown) != "" {
		t.Errorf("a reset by oneself: exit code %d:\n%s", code, shown)
	}
	list := o.must("users", "list", "--json")
	for _, want := range []string{`"name":"alice","sign_in":["passphrase"]`, `"name":"carol","sign_in":[],"scopes":["partner.read"],"tenants":["con*"]`, `"name":"dave"`} {
		if !strings.Contains(list, want) {
			t.Errorf("no %s in %s", want, list)
		}
	}
}
