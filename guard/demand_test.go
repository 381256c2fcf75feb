package guard_test

import (
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/guard/runs"
	"mcp-partner/schemas"
	"mcp-partner/schemas/problems"
)

// A page that was left open decides nothing.
func TestPageNeedsPasskeyOrRecentSignIn(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		by   access.Caller
		ago  time.Duration
		page bool
		code problems.Code
	}{
		"user of this server": {annaCaller, 0, true, problems.CodeNotAllowed},
		"issuer, at once":     {carlEntra, 0, true, ""},
		"issuer, 5 minutes":   {carlEntra, 5 * time.Minute, true, ""},
		"issuer, longer":      {carlEntra, 5*time.Minute + time.Second, true, problems.CodeNotAllowed},
		"issuer, in an hour":  {carlEntra, -time.Hour, true, problems.CodeNotAllowed},
		"issuer does not say": {carlEntra, 1 << 62, true, problems.CodeNotAllowed},
		"with a bearer token": {carlEntra, 1 << 62, false, ""},
		"user's bearer token": {annaCaller, 1 << 62, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newConsole(t, access.Demand{})
			i, ticket := c.ask("token:bot")
			said := yes(ticket)
			said.Page = test.page
			if test.ago != 1<<62 {
				said.SignedInAt = c.clock.Now().Add(-test.ago)
			}
			if _, err := c.DecideAs(t.Context(), approver(test.by), ticket.ID, said); codeOf(err) != test.code {
				t.Fatalf("%v, want %q", err, test.code)
			}
			want := stillWaits
			if test.code == "" {
				want = ""
			}
			if code := c.redeem(c.Guard, i, ticket.ID); code != want {
				t.Errorf("redeem: %q", code)
			}
		})
	}
}

func TestRuleDemandsPasskey(t *testing.T) {
	t.Parallel()
	demand := access.Demand{Passkey: true}
	c := newConsole(t, demand)
	_, ticket := c.ask(carlEntra)
	_, terminal := c.Approve(t.Context(), ticket.ID, anna.Name, anna.Passphrase)
	_, api := c.DecideAs(t.Context(), approver(annaCaller), ticket.ID, yes(ticket))
	for name, err := range map[string]error{"terminal": terminal, "API": api} {
		if codeOf(err) != problems.CodeNotAllowed || !strings.Contains(problems.As(err).Message, "passkey") || !strings.Contains(problems.As(err).Hint, "console") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := c.begin(annaCaller, ticket); codeOf(err) != problems.CodeNotAllowed {
		t.Errorf("a requester who is no user may be anna: %v", err)
	}
	if _, err := c.DecideAs(t.Context(), approver(annaCaller), ticket.ID, guard.DecisionRequest{Reason: "no"}); err != nil {
		t.Errorf("a denial needs none: %v", err)
	}
}

// What was approved under an earlier policy does not satisfy a stricter one.
func TestDemandIsCheckedAgainWhenApprovalIsUsed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		before, now access.Demand
		decide      func(c *console, ticket guard.Ticket) error
		code        problems.Code
	}{
		"a passkey approved": {access.Demand{}, access.Demand{Passkey: true}, func(c *console, ticket guard.Ticket) error {
			_, err := c.DecideAs(c.t.Context(), approver(annaCaller), ticket.ID, c.signed(annaCaller, c.anna, ticket, yes(ticket)))
			return err
		}, ""},
		"a passphrase approved": {access.Demand{}, access.Demand{Passkey: true}, func(c *console, ticket guard.Ticket) error {
			_, err := c.Approve(c.t.Context(), ticket.ID, anna.Name, anna.Passphrase)
			return err
		}, problems.CodeNotAllowed},
		"the API approved": {access.Demand{}, access.Demand{Passkey: true}, func(c *console, ticket guard.Ticket) error {
			_, err := c.DecideAs(c.t.Context(), approver(annaCaller), ticket.ID, yes(ticket))
			return err
		}, problems.CodeNotAllowed},
		"one approved": {access.Demand{}, access.Demand{Approvers: 2}, func(c *console, ticket guard.Ticket) error {
			_, err := c.Approve(c.t.Context(), ticket.ID, anna.Name, anna.Passphrase)
			return err
		}, problems.CodeApprovalMismatch},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newConsole(t, test.before)
			i, ticket := c.ask(bertCaller)
			if err := test.decide(c, ticket); err != nil {
				t.Fatal(err)
			}
			if code := c.redeem(c.under(test.now), i, ticket.ID); code != test.code {
				t.Errorf("%q, want %q", code, test.code)
			}
			if again, err := waits(c.under(test.now).Authorize(t.Context(), by(bertCaller), i, false)); err != nil || again.ID == ticket.ID {
				t.Errorf("a new question joins the old one: %v", err)
			}
			if test.code != "" {
				if code := c.redeem(c.Guard, i, ticket.ID); code != "" {
					t.Errorf("under the policy of then: %q", code)
				}
			}
		})
	}
}

// The account tells who asked on this machine.
func TestPasskeyOfAnotherApprovesRequestFromKnownAccount(t *testing.T) {
	t.Parallel()
	for account, want := range map[string]problems.Code{"berts-pc": "", "ops": problems.CodeNotAllowed} {
		c := newConsole(t, access.Demand{Passkey: true})
		c.options.Account = account
		c.Guard = newGuard(t, c.options)
		i, ticket := c.ask("stdio")
		err := c.begin(annaCaller, ticket)
		if codeOf(err) != want {
			t.Errorf("%s: %v", account, err)
		}
		if err != nil {
			continue
		}
		if _, err := c.DecideAs(t.Context(), approver(annaCaller), ticket.ID, c.signed(annaCaller, c.anna, ticket, yes(ticket))); err != nil {
			t.Fatal(err)
		}
		if code := c.redeem(c.Guard, i, ticket.ID); code != "" {
			t.Errorf("%s: %q", account, code)
		}
	}
}

func TestTwoApproversDecide(t *testing.T) {
	t.Parallel()
	pass := func(who guard.Credentials) func(*console, string) error {
		return func(c *console, id string) error {
			_, err := c.Approve(c.t.Context(), id, who.Name, who.Passphrase)
			return err
		}
	}
	as := func(caller access.Caller) func(*console, string) error {
		return func(c *console, id string) error {
			ticket, err := c.Question(c.t.Context(), id, "")
			if err == nil {
				_, err = c.DecideAs(c.t.Context(), approver(caller), id, yes(ticket))
			}
			return err
		}
	}
	deny := func(c *console, id string) error {
		_, err := c.DecideAs(c.t.Context(), approver(bertCaller), id, guard.DecisionRequest{Reason: "no"})
		return err
	}
	const dora = access.Caller("entra:11111111-1111-1111-1111-111111111111:44444444-4444-4444-4444-444444444444")
	const guest = access.Caller("entra:99999999-1111-1111-1111-111111111111:55555555-4444-4444-4444-444444444444")
	for name, test := range map[string]struct {
		first, second func(*console, string) error
		code, redeem  problems.Code
	}{
		"two users":               {pass(anna), pass(bert), "", ""},
		"two people of an issuer": {as(carlEntra), as(dora), "", ""},
		"user and another":        {as(annaEntra), pass(bert), "", ""},
		"the same user":           {pass(anna), pass(anna), problems.CodeNotAllowed, stillWaits},
		"the same by the API":     {pass(anna), as(annaCaller), problems.CodeNotAllowed, stillWaits},
		"the same by the issuer":  {as(annaEntra), as(annaCaller), problems.CodeNotAllowed, stillWaits},
		"one who may be the same": {as(carlEntra), pass(bert), problems.CodeNotAllowed, stillWaits},
		"one in two tenants":      {as(carlEntra), as(guest), problems.CodeNotAllowed, stillWaits},
		"a denial ends it":        {pass(anna), deny, "", problems.CodeApprovalDeclined},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newConsole(t, access.Demand{Approvers: 2})
			i, ticket := c.ask("token:bot")
			if err := test.first(c, ticket.ID); err != nil {
				t.Fatal(err)
			}
			now, err := c.Question(t.Context(), ticket.ID, "")
			if err != nil || now.Approvals() != "1 of 2" || c.State(now) != guard.StatePending || c.redeem(c.Guard, i, ticket.ID) != stillWaits {
				t.Fatalf("after one: %+v, %v", now, err)
			}
			if err := test.second(c, ticket.ID); codeOf(err) != test.code {
				t.Errorf("second: %v", err)
			}
			if code := c.redeem(c.Guard, i, ticket.ID); code != test.redeem {
				t.Errorf("redeem: %q, want %q", code, test.redeem)
			}
			c.whole()
		})
	}
}

// An earlier approval is looked at again as the last one is.
func TestEarlierApprovalIsCheckedAgain(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(*guard.Ticket){
		"control":     nil,
		"invented":    func(t *guard.Ticket) { t.Earlier[0].By = carlEntra },
		"the same":    func(t *guard.Ticket) { t.Earlier[0] = *t.Decision },
		"removed":     func(t *guard.Ticket) { t.Earlier = nil },
		"from denial": func(t *guard.Ticket) { t.Earlier[0].Signature = nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newConsole(t, access.Demand{Approvers: 2})
			i, ticket := c.ask("token:bot")
			decided, err := ticket, error(nil)
			for _, who := range []guard.Credentials{anna, bert} {
				if decided, err = c.Approve(t.Context(), ticket.ID, who.Name, who.Passphrase); err != nil {
					t.Fatal(err)
				}
			}
			if edit != nil {
				edit(&decided)
				if err := c.store.ChangeStates(t.Context(), func(tx guard.StateTx) error {
					return tx.Put(guard.TicketState, ticket.ID, decided, guard.Event{Time: c.clock.Now(), Kind: guard.KindRefusal})
				}); err != nil {
					t.Fatal(err)
				}
			}
			if code := c.redeem(c.Guard, i, ticket.ID); (code == "") != (edit == nil) {
				t.Errorf("%q", code)
			}
		})
	}
}

func TestSignatureOfOneStatementFitsNoOther(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	base := guard.Statement{Approval: "ap_1", Digest: [32]byte{1}, Approved: true, Reason: "agreed", By: annaCaller, Expires: at, Nonce: []byte("nonce")}
	statements := []guard.Statement{base}
	for _, change := range []func(*guard.Statement){
		func(s *guard.Statement) { s.Approval = "ap_2" },
		func(s *guard.Statement) { s.Approval = guard.LiftsFreeze },
		func(s *guard.Statement) { s.Digest[31] = 1 },
		func(s *guard.Statement) { s.Approved = false },
		func(s *guard.Statement) { s.Reason = "" },
		func(s *guard.Statement) { s.Reason = "agreed " },
		func(s *guard.Statement) { s.By = bertCaller },
		func(s *guard.Statement) { s.Reason, s.By = "agreedu", "ser:anna" }, // the border between two fields
		func(s *guard.Statement) { s.Expires = at.Add(time.Nanosecond) },
		func(s *guard.Statement) { s.Nonce = []byte("nonce2") },
		func(s *guard.Statement) { s.Nonce = nil },
	} {
		s := base
		change(&s)
		statements = append(statements, s)
	}
	d := newDevice(t, "anna")
	key := guard.Passkey{ID: d.id, PublicKey: d.public(), Origin: origin}
	for i, signed := range statements {
		assertion := d.sign(signed)
		for j, other := range statements {
			if err := (guard.Proof{Statement: other, Assertion: *assertion}).Verify(key); (err == nil) != (i == j) {
				t.Errorf("statement %d as %d: %v", i, j, err)
			}
		}
	}
}

func TestFreezeIsLiftedWithProof(t *testing.T) {
	t.Parallel()
	digest := func(c *console) string {
		freeze, err := c.Frozen(c.t.Context())
		if err != nil {
			c.t.Fatal(err)
		}
		sum := freeze.Digest()
		return hex.EncodeToString(sum[:])
	}
	passkey := func(c *console, by access.Caller, d *device) guard.DecisionRequest {
		s, _, err := c.BeginLift(c.t.Context(), approver(by))
		if err != nil {
			c.t.Fatal(err)
		}
		return guard.DecisionRequest{Statement: &s, Assertion: d.sign(s)}
	}
	again := func(c *console) {
		c.clock.Advance(time.Second)
		if err := c.Stop(c.t.Context(), approver(bertCaller), "another reason", false); err != nil {
			c.t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		by   access.Principal
		said func(*console) guard.DecisionRequest
		code problems.Code
	}{
		"passkey": {approver(annaCaller), func(c *console) guard.DecisionRequest { return passkey(c, annaCaller, c.anna) }, ""},
		"issuer": {approver(carlEntra), func(c *console) guard.DecisionRequest {
			return guard.DecisionRequest{Digest: digest(c), SignedInAt: c.clock.Now()}
		}, ""},
		"issuer, long ago": {approver(carlEntra), func(c *console) guard.DecisionRequest {
			return guard.DecisionRequest{Digest: digest(c), SignedInAt: c.clock.Now().Add(-time.Hour)}
		}, problems.CodeNotAllowed},
		"user without passkey": {approver(annaCaller), func(c *console) guard.DecisionRequest {
			return guard.DecisionRequest{Digest: digest(c), SignedInAt: c.clock.Now()}
		}, problems.CodeNotAllowed},
		"without the scope": {by(annaCaller), func(c *console) guard.DecisionRequest { return passkey(c, annaCaller, c.anna) }, problems.CodeInsufficientScope},
		"another freeze": {approver(annaCaller), func(c *console) guard.DecisionRequest {
			said := passkey(c, annaCaller, c.anna)
			again(c)
			return said
		}, problems.CodeApprovalUnknown},
		"another freeze, issuer": {approver(carlEntra), func(c *console) guard.DecisionRequest {
			said := guard.DecisionRequest{Digest: digest(c), SignedInAt: c.clock.Now()}
			again(c)
			return said
		}, problems.CodeApprovalMismatch},
		"another's passkey": {approver(annaCaller), func(c *console) guard.DecisionRequest { return passkey(c, bertCaller, c.bert) }, problems.CodeApprovalUnknown},
		"a decision": {approver(annaCaller), func(c *console) guard.DecisionRequest {
			_, ticket := c.ask("token:bot")
			return c.signed(annaCaller, c.anna, ticket, yes(ticket))
		}, problems.CodeApprovalUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newConsole(t, access.Demand{})
			if name != "a decision" { // nothing is asked in a freeze
				if err := c.Stop(t.Context(), by("entra:agent"), "an agent runs wild", true); err != nil {
					t.Fatal(err)
				}
			}
			said := test.said(c)
			if err := c.Lift(t.Context(), test.by, said); codeOf(err) != test.code {
				t.Fatalf("%v, want %q", err, test.code)
			}
			freeze, err := c.Frozen(t.Context())
			if err != nil || name != "a decision" && freeze.Writes != (test.code != "") {
				t.Errorf("%+v, %v", freeze, err)
			}
			events := c.store.Events()
			if last := events[len(events)-1]; test.code == "" && (last.Kind != guard.KindUnfreeze || last.Approver != string(test.by.Caller) || last.Caller != test.by.Caller || (last.Proof == nil) != (said.Statement == nil)) {
				t.Errorf("%+v", last)
			}
			c.whole()
		})
	}
}

func TestCallerStops(t *testing.T) {
	t.Parallel()
	scoped := func(scopes ...access.Scope) access.Principal {
		return access.Principal{Caller: carlEntra, Grant: access.Grant{Scopes: scopes, Tenants: []string{"contoso"}}}
	}
	for name, test := range map[string]struct {
		by     access.Principal
		reason string
		code   problems.Code
	}{
		"who writes":   {scoped(access.ScopeWrite), "stop", ""},
		"who changes":  {scoped(access.ScopeChange), "stop", ""},
		"who approves": {scoped(access.ScopeApprove), "stop", ""},
		"who reads":    {scoped(access.ScopeRead, access.ScopeMetrics), "stop", problems.CodeInsufficientScope},
		"nobody":       {access.Principal{Grant: access.FullGrant()}, "stop", problems.CodeInsufficientScope},
		"no reason":    {scoped(access.ScopeWrite), " ", problems.CodeInvalidArgument},
	} {
		c := newConsole(t, access.Demand{})
		if err := c.Stop(t.Context(), test.by, test.reason, false); codeOf(err) != test.code {
			t.Errorf("%s: %v, want %q", name, err, test.code)
		}
		freeze, err := c.Frozen(t.Context())
		if err != nil || freeze.Writes != (test.code == "") || freeze.Writes && freeze.By != string(carlEntra) {
			t.Errorf("%s: %+v, %v", name, freeze, err)
		}
	}
}

// A plan asks for what the strictest of its rows demands, and each tenant asks again.
func TestDemandHoldsForPlanAndForEachTenant(t *testing.T) {
	t.Parallel()
	c := newConsole(t, access.Demand{})
	plan := manyPlan(schemas.ToolTransitionPartner, 4, runs.StepRemove, runs.StepReplace)
	plan.Caller = "token:bot"
	request := guard.Request{Principal: by(plan.Caller), Tool: plan.Tool, Arguments: plan.Arguments}
	ticket, err := waits(c.AuthorizePlan(t.Context(), by(plan.Caller), plan, true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Approve(t.Context(), ticket.ID, anna.Name, anna.Passphrase); err != nil {
		t.Fatal(err)
	}
	for name, demand := range map[string]access.Demand{"passkey": {Passkey: true}, "two approvers": {Approvers: 2}} {
		if err := guard.RefusalOf(c.under(demand).RedeemPlan(t.Context(), request, ticket.ID)); err == nil {
			t.Errorf("%s: a plan with less is executed", name)
		}
	}
	run := runOf(t, c.RedeemPlan(t.Context(), request, ticket.ID))
	run.By = by(plan.Caller)
	if _, _, err := c.under(access.Demand{Approvers: 2}).Permit(t.Context(), run, guard.Progress{Row: 0}, runs.StepRemove, hereOf(run.Plan.Rows[0])); codeOf(err) != problems.CodeApprovalMismatch {
		t.Errorf("a tenant begins with less: %v", err)
	}
	if _, _, err := c.Permit(t.Context(), run, guard.Progress{Row: 0}, runs.StepRemove, hereOf(run.Plan.Rows[0])); err != nil {
		t.Errorf("under the policy of then: %v", err)
	}
}

func TestStricterVerdictDemandsBoth(t *testing.T) {
	t.Parallel()
	asked := access.Verdict{Ruling: access.RulingApprover}
	one, two := asked, asked
	one.Demand, two.Demand = access.Demand{Passkey: true}, access.Demand{Approvers: 2}
	want := access.Demand{Passkey: true, Approvers: 2}
	for _, pair := range [][2]access.Verdict{{one, two}, {two, one}} {
		if got := access.Stricter(access.Stricter(access.NothingWritten(), pair[0]), pair[1]); got.Demand != want {
			t.Errorf("%+v", got.Demand)
		}
	}
}
