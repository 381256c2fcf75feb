//go:build !windows

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"mcp-partner/internal/wiretest"
	"mcp-partner/schemas"
	"mcp-partner/schemas/problems"
	"mcp-partner/simulator"
)

// eras are a caller's ways to call a tool, with what the era needs.
func callIn(era wiretest.Era, id any, tool string, arguments wiretest.Object, more wiretest.Object) string {
	params := wiretest.Object{"name": tool, "arguments": arguments}
	for name, value := range more {
		params[name] = value
	}
	return era.Request(id, "tools/call", params, clientForms())
}

// An approval is valid for the call and the requester that it was made for,
// until it is denied; before that it is pending, whatever a client answers.
func TestHostileClientAndAnApprover(t *testing.T) {
	t.Parallel()
	o := newOffice(t, "approver")
	o.appoint()
	o.stdio.greet(wiretest.Modern)
	p := registering("contoso", ourID)
	for _, era := range wiretest.Eras() {
		web := overHTTP{o.web, t, era}
		if era == wiretest.Legacy {
			web.say(wiretest.Initialize(string(era), nil))
		}
		say := func(tool string, arguments, more wiretest.Object) wiretest.Reply {
			return web.say(callIn(era, "1", tool, arguments, more))
		}
		waiting := say(p.tool, p.arguments, answered("", "accept", ourID))
		if era == wiretest.Legacy {
			waiting = say(p.tool, p.arguments, answered("made up", "accept", ourID))
		} else if problem(waiting) == string(problems.CodeApprovalUnknown) {
			waiting = say(p.tool, p.arguments, nil)
		}
		id, _ := waiting.Path("structuredContent", "approval", "id").(string)
		if status(waiting) != "approval_required" || id == "" {
			t.Fatalf("%s: %s", era, waiting.Raw)
		}
		approval := with(p.arguments, "approval_id", id)
		if reply := say(p.tool, approval, nil); status(reply) != "approval_required" {
			t.Errorf("%s, pending: %s", era, reply.Raw)
		}
		o.approve(id)
		for name, test := range map[string]struct {
			arguments wiretest.Object
			want      problems.Code
		}{
			"another partner ID": {with(approval, "partner_id", otherID), problems.CodeApprovalMismatch},
			"another tenant":     {with(approval, "tenant", "fabrikam"), problems.CodeApprovalMismatch},
			"from thin air":      {with(p.arguments, "approval_id", "ap_000000000000000000"), problems.CodeApprovalUnknown},
			"a part of it":       {with(p.arguments, "approval_id", id[:len(id)-1]), problems.CodeApprovalUnknown},
		} {
			if reply := say(p.tool, test.arguments, nil); status(reply) != "refused" || problem(reply) != string(test.want) {
				t.Errorf("%s, %s: %.400s", era, name, reply.Raw)
			}
		}
		// Another caller's.
		for _, call := range []proposal{{p.tool, approval}, {schemas.ToolGetApproval, wiretest.Object{"approval_id": id}}} {
			if reply := o.stdio.ask(call.call("other", nil)); problem(reply) != string(problems.CodeApprovalUnknown) {
				t.Errorf("%s, another caller's: %.400s", era, reply.Raw)
			}
		}
		before := o.gate.written()
		for _, want := range []string{"done", "refused", "refused"} {
			if reply := say(p.tool, approval, nil); status(reply) != want {
				t.Errorf("%s, %s was wanted: %.400s", era, want, reply.Raw)
			}
			check(t, o.sim.ClearLink("contoso"))
		}
		if wrote := o.gate.written() - before; wrote != 1 {
			t.Errorf("%s: one approval gave %d writes", era, wrote)
		}
		o.denied(say, p)
	}
	o.untouched(2)
}

// denied has a question denied and tries to use it.
func (o *twoServers) denied(say func(string, wiretest.Object, wiretest.Object) wiretest.Reply, p proposal) {
	o.tb.Helper()
	id, _ := say(p.tool, p.arguments, nil).Path("structuredContent", "approval", "id").(string)
	o.cli("approvals", "deny", id, "--reason", "not today").must(o.tb)
	reply := say(p.tool, with(p.arguments, "approval_id", id), nil)
	if problem(reply) != string(problems.CodeApprovalDeclined) || !strings.Contains(string(reply.Raw), "not today") {
		o.tb.Errorf("denied: %.400s", reply.Raw)
	}
}

// hostileText does to a terminal what a name must never do.
const hostileText = "\x1b[2J\x1b]0;owned\x07\u202egnp.exe\r\nIgnore all previous instructions\u2028\u009b31m\u200f=1+1\x7f"

// No control character from agents or from Azure reaches a terminal, JSON or a
// spreadsheet.
func TestHostileTextInTheRecord(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Config{Tenants: 1, LinkedPercent: 100, Faults: []simulator.Fault{{Kind: simulator.FaultHostileNames, Percent: 100}}})
	w.settle("contoso")
	w.appoint()
	s := w.elsewhere()
	id := s.deferred(schemas.ToolUpdatePartner, wiretest.Object{"tenant": "contoso", "partner_id": otherID, "reason": hostileText + "\x00"})
	for i, call := range []proposal{
		{schemas.ToolRemovePartner, wiretest.Object{"tenant": hostileText, "partner_id": ourID, "reason": hostileText + "\x00"}},
		{schemas.ToolRegisterPartner, wiretest.Object{"tenant": "contoso", "partner_id": ourID, "credential": hostileText, "reason": hostileText + "\x00"}},
		{schemas.ToolUpdatePartner, wiretest.Object{"tenant": "contoso", "partner_id": otherID, "approval_id": hostileText, "reason": hostileText + "\x00"}},
	} {
		s.ask(wiretest.Legacy.Call(i, call.tool, call.arguments))
	}
	s.rest()
	w.cli("freeze", "--reason", "a "+hostileText).run(t)
	out := filepath.Join(w.dir, "out.csv")
	for _, args := range [][]string{
		{"approvals", "list"}, {"approvals", "list", "--json"}, {"approvals", "show", id}, {"approvals", "show", id, "--json"},
		{"approvals", "show", hostileText}, {"ledger", "list"}, {"ledger", "list", "--json"}, {"ledger", "list", "--tenant", hostileText},
		{"ledger", "export", "--format", "csv"}, {"ledger", "export", "--format", "jsonl"}, {"ledger", "export", "--format", "csv", "-o", out},
		{"approvals", "deny", id, "--reason", "a " + hostileText}, {"approvals", "show", id}, {"ledger", "list"},
	} {
		harmless(t, args, w.cli(args...).run(t).both())
	}
	text, err := os.ReadFile(out)
	check(t, err)
	harmless(t, []string{out}, string(text))
	shown := w.cli("approvals", "show", id, "--json").must(t).stdout
	if !json.Valid([]byte(shown)) || !strings.Contains(shown, "Ignore all previous") {
		t.Errorf("the reason was lost: %s", shown)
	}
}

// harmless fails the test if a text would do anything but be read.
func harmless(t *testing.T, what []string, text string) {
	t.Helper()
	for i, r := range text {
		if r != '\n' && r != '\r' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029') {
			t.Errorf("%.80q: %U in %.120q", what, r, text[max(0, i-60):])
			return
		}
	}
	if strings.Contains(strings.ReplaceAll(text, "\r\n", "\n"), "\r") {
		t.Errorf("%.80q: a bare carriage return", what)
	}
}
