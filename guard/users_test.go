package guard_test

import (
	"testing"
	"time"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/internal/ledgertest"
	"mcp-partner/internal/testkit"
	"mcp-partner/schemas"
	"mcp-partner/schemas/problems"
)

const (
	annaEntra = access.Caller("entra:11111111-1111-1111-1111-111111111111:22222222-2222-2222-2222-22222222222a")
	annaOIDC  = access.Caller("oidc:0123456789abcdef")
)

var bert = guard.Credentials{Name: "bert", Passphrase: []byte("battery staple")}

// staff is a guard with two approvers: anna, who is known under other names too, and bert.
func staff(t *testing.T) (*guard.Guard, *ledgertest.Store, *testkit.Clock) {
	t.Helper()
	c := newClock()
	store := ledgertest.New(t, c.Now)
	g := newGuard(t, guard.Options{AllowWrites: true, Approval: access.ApprovalApprover, Store: store, Now: c.Now, Account: "anna-ws", ApproverCost: guard.Cost{Time: 1, Memory: 64, Threads: 1}})
	user := guard.User{Name: "anna", Also: []access.Caller{annaEntra, annaOIDC, "token:annas-bot"}, Accounts: []string{"anna-ws"}}
	if err := g.AddUser(t.Context(), user, anna.Passphrase, guard.Credentials{}); err != nil {
		t.Fatal(err)
	}
	if err := g.AddUser(t.Context(), guard.User{Name: "bert"}, bert.Passphrase, anna); err != nil {
		t.Fatal(err)
	}
	return g, store, c
}

func approver(caller access.Caller) access.Principal {
	return access.Principal{Caller: caller, Grant: access.Grant{Scopes: []access.Scope{access.ScopeApprove}, Tenants: []string{access.AllTenants}}}
}

// enrol gives a user a passkey, as a browser does that opens an invitation.
func enrol(t *testing.T, store guard.StateStore, name string, at time.Time) {
	t.Helper()
	err := store.ChangeStates(t.Context(), func(tx guard.StateTx) error {
		var user guard.User
		if ok, err := tx.State(guard.UserState, name, &user); !ok || err != nil {
			t.Fatal(ok, err)
		}
		user.Passkeys = []guard.Passkey{{ID: []byte("id"), PublicKey: []byte("key"), AddedAt: at}}
		return tx.Put(guard.UserState, name, user, guard.Event{Time: at, Kind: guard.KindUser})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Each name of anna asks, and each decides: none of the pairs approves. For another
// person the same requests are approved, and the two are told apart where the
// requester is known.
func TestNobodyApprovesTheirOwnRequestUnderAnotherName(t *testing.T) {
	t.Parallel()
	requesters := map[string]access.Caller{
		"entra": annaEntra, "entra in capitals": "entra:11111111-1111-1111-1111-111111111111:22222222-2222-2222-2222-22222222222A",
		"oidc": annaOIDC, "user": guard.UserCaller("anna"), "token": "token:annas-bot", "terminal account": "stdio", "start-up token": "http:0123",
	}
	for name, caller := range requesters {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, store, c := staff(t)
			enrol(t, store, "anna", c.Now().Add(-25*time.Hour))
			enrol(t, store, "bert", c.Now().Add(-25*time.Hour))
			c.Advance(time.Minute)
			ticket := deferred(t, g, askedBy(caller))
			if _, err := g.Approve(t.Context(), ticket.ID, anna.Name, anna.Passphrase); codeOf(err) != problems.CodeNotAllowed {
				t.Errorf("with the passphrase: %v", err)
			}
			for _, decider := range []access.Caller{annaEntra, annaOIDC, guard.UserCaller("anna"), "token:annas-bot"} {
				if _, err := g.DecideAs(t.Context(), approver(decider), ticket.ID, yes(ticket)); codeOf(err) != problems.CodeNotAllowed {
					t.Errorf("as %s: %v", decider, err)
				}
				if list, err := g.QuestionsFor(t.Context(), approver(decider)); err != nil || len(list) != 0 {
					t.Errorf("%s is asked: %v, %v", decider, list, err)
				}
			}
			decided, err := g.DecideAs(t.Context(), approver(guard.UserCaller("bert")), ticket.ID, yes(ticket))
			unknown := caller == "stdio" || caller == "http:0123"
			if err != nil || decided.Decision.SameUser != unknown {
				t.Errorf("bert: %+v, %v", decided.Decision, err)
			}
			if _, _, err := redeemed(g.Redeem(t.Context(), by("stdio"), askedBy(caller), ticket.ID)); err != nil {
				t.Errorf("redeem: %v", err)
			}
		})
	}
}

// The account of a server says nothing of a person who signed in to it.
func TestAccountOfServerIsNotThePersonWhoSignedIn(t *testing.T) {
	t.Parallel()
	g, _, _ := staff(t)
	ticket := deferred(t, g, askedBy("entra:11111111-1111-1111-1111-111111111111:33333333-3333-3333-3333-333333333333"))
	decided, err := g.Approve(t.Context(), ticket.ID, anna.Name, anna.Passphrase)
	if err != nil || !decided.Decision.SameUser {
		t.Errorf("%+v, %v", decided.Decision, err)
	}
}

// A token that anna consented to decides in her place.
func TestTokenDecidesNothingForWhoConsentedToIt(t *testing.T) {
	t.Parallel()
	g, _, _ := staff(t)
	for consenting, want := range map[string]problems.Code{"anna": problems.CodeNotAllowed, "bert": ""} {
		request := guard.TokenRequest{For: "desk-" + consenting, Grant: approver("").Grant, By: map[string]guard.Credentials{"anna": anna, "bert": bert}[consenting]}
		secret, _ := issue(t, g, request)
		p, err := g.AuthenticateToken(t.Context(), secret)
		if err != nil {
			t.Fatal(err)
		}
		ticket := deferred(t, g, askedBy(annaEntra))
		if _, err := g.DecideAs(t.Context(), p, ticket.ID, yes(ticket)); codeOf(err) != want {
			t.Errorf("%s: %v, want %q", consenting, err, want)
		}
	}
}

// Who is the same person is asked again when the approval is used.
func TestApprovalIsVoidOnceBothAreKnownAsOnePerson(t *testing.T) {
	t.Parallel()
	for _, known := range []bool{false, true} {
		g, store, _ := staff(t)
		i := askedBy("token:night")
		ticket := deferred(t, g, i)
		if _, err := g.Approve(t.Context(), ticket.ID, bert.Name, bert.Passphrase); err != nil {
			t.Fatal(err)
		}
		want := problems.Code("")
		if known {
			want = problems.CodeNotAllowed
			err := store.ChangeStates(t.Context(), func(tx guard.StateTx) error {
				var user guard.User
				_, err := tx.State(guard.UserState, "bert", &user)
				user.Also = []access.Caller{"token:night"}
				if err != nil {
					return err
				}
				return tx.Put(guard.UserState, "bert", user, guard.Event{Kind: guard.KindUser})
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := redeemed(g.Redeem(t.Context(), by("stdio"), i, ticket.ID)); codeOf(err) != want {
			t.Errorf("known %v: %v", known, err)
		}
	}
}

func TestUserApprovesWithinGrantAlone(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		grant access.Grant
		code  problems.Code
	}{
		"where nothing is said": {access.Grant{}, ""},
		"without the scope":     {access.Grant{Scopes: []access.Scope{access.ScopeRead}}, problems.CodeNotAllowed},
		"another tenant":        {access.Grant{Tenants: []string{"fabrikam"}}, problems.CodeNotAllowed},
		"a glob that fits":      {access.Grant{Tenants: []string{"con*"}}, ""},
		"another tool":          {access.Grant{Tools: []string{schemas.ToolRemovePartner}, Scopes: []access.Scope{access.ScopeApprove, access.ScopeChange}}, problems.CodeNotAllowed},
		"another partner ID":    {access.Grant{PartnerIDs: []string{"7654321"}}, problems.CodeNotAllowed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, _, _ := staff(t)
			cleo := guard.Credentials{Name: "cleo", Passphrase: []byte("twelve monkeys")}
			if err := g.AddUser(t.Context(), guard.User{Name: "cleo", Grant: test.grant}, cleo.Passphrase, anna); err != nil {
				t.Fatal(err)
			}
			ticket := deferred(t, g, askedBy("token:bot"))
			if _, err := g.Approve(t.Context(), ticket.ID, cleo.Name, cleo.Passphrase); codeOf(err) != test.code {
				t.Errorf("approve: %v, want %q", err, test.code)
			}
			wide := guard.TokenRequest{For: "desk", Grant: approver("").Grant, By: cleo}
			if _, _, err := g.IssueToken(t.Context(), wide); (codeOf(err) == "") != (name == "where nothing is said") {
				t.Errorf("a token for more than the approver has: %v", err)
			}
		})
	}
}

func TestUserIsRefusedWithWhatThereIsNot(t *testing.T) {
	t.Parallel()
	g, _, _ := staff(t)
	for name, user := range map[string]guard.User{
		"a space":          {Name: "anna b"},
		"a colon":          {Name: "user:anna"},
		"no name":          {},
		"a scope":          {Name: "c", Grant: access.Grant{Scopes: []access.Scope{"partner.all"}}},
		"a tool":           {Name: "c", Grant: access.Grant{Tools: []string{"drop_tables"}}},
		"a partner ID":     {Name: "c", Grant: access.Grant{PartnerIDs: []string{"12"}}},
		"a local caller":   {Name: "c", Also: []access.Caller{"stdio"}},
		"a name, as other": {Name: "c", Also: []access.Caller{"anna@example.com"}},
	} {
		if err := g.AddUser(t.Context(), user, []byte("long enough"), anna); err == nil {
			t.Errorf("%s was added", name)
		}
		if _, err := g.InviteUser(t.Context(), user, anna); err == nil {
			t.Errorf("%s was invited", name)
		}
	}
}
