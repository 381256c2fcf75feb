package guard_test

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/internal/ledgertest"
	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas"
	"mcp-partner/schemas/problems"
)

// alice may approve in contoso; bot asks.
func alice() access.Principal {
	return access.Principal{Caller: "token:alice", Grant: access.Grant{Scopes: []access.Scope{access.ScopeApprove}, Tenants: []string{"contoso"}}}
}

func askedBy(caller access.Caller) guard.Intent {
	i := intent(schemas.ToolRegisterPartner)
	i.Caller = caller
	return i
}

func yes(t guard.Ticket) guard.DecisionRequest {
	digest := t.Digest()
	return guard.DecisionRequest{Approved: true, Digest: hex.EncodeToString(digest[:])}
}

func TestCallerWithApproveScopeApproves(t *testing.T) {
	t.Parallel()
	g, store, _ := withApprover(t)
	i := askedBy("token:bot")
	ticket := deferred(t, g, i)
	if list, err := g.QuestionsFor(t.Context(), alice()); err != nil || len(list) != 1 || list[0].ID != ticket.ID {
		t.Fatalf("%+v, %v", list, err)
	}
	decided, err := g.DecideAs(t.Context(), alice(), ticket.ID, yes(ticket))
	if err != nil || g.State(decided) != "approved" || decided.Decision.Approver != "token:alice" || decided.Decision.SameUser {
		t.Fatalf("%+v, %v", decided.Decision, err)
	}
	if _, err := g.DecideAs(t.Context(), alice(), ticket.ID, yes(ticket)); codeOf(err) != problems.CodeApprovalExpired {
		t.Errorf("decided twice: %v", err)
	}
	if list, err := g.QuestionsFor(t.Context(), alice()); err != nil || len(list) != 0 {
		t.Errorf("what is decided waits still: %+v, %v", list, err)
	}
	granted, pending, err := redeemed(g.Redeem(t.Context(), by("stdio"), i, ticket.ID))
	if err != nil || pending != nil || granted.Permit.Spend(wire()) != nil {
		t.Fatalf("%v", err)
	}
	if _, _, err := redeemed(g.Redeem(t.Context(), by("stdio"), i, ticket.ID)); codeOf(err) != problems.CodeApprovalExpired {
		t.Errorf("redeemed twice: %v", err)
	}
	var kinds []guard.EventKind
	for _, e := range store.Events() {
		if e.Approval == ticket.ID && e.Kind != guard.KindAsked {
			kinds = append(kinds, e.Kind)
			if e.Kind != guard.KindIntent && e.Approver != "token:alice" {
				t.Errorf("%s by %q", e.Kind, e.Approver)
			}
		}
	}
	if len(kinds) != 3 || kinds[0] != guard.KindApproved || kinds[1] != guard.KindConfirmed || kinds[2] != guard.KindIntent {
		t.Errorf("%v", kinds)
	}
}

func TestCallerWithApproveScopeDenies(t *testing.T) {
	t.Parallel()
	g, _, _ := withApprover(t)
	i := askedBy("token:bot")
	ticket := deferred(t, g, i)
	decided, err := g.DecideAs(t.Context(), alice(), ticket.ID, guard.DecisionRequest{Reason: "not \x1b[31mours"})
	if err != nil || g.State(decided) != "denied" || decided.Decision.Reason != untrusted.Sanitize("not \x1b[31mours") {
		t.Fatalf("%+v, %v", decided.Decision, err)
	}
	if _, _, err := redeemed(g.Redeem(t.Context(), by("stdio"), i, ticket.ID)); codeOf(err) != problems.CodeApprovalDeclined {
		t.Errorf("%v", err)
	}
}

func TestUnauthorizedCallerCannotDecide(t *testing.T) {
	t.Parallel()
	change := func(change func(*access.Principal)) access.Principal {
		p := alice()
		change(&p)
		return p
	}
	for name, test := range map[string]struct {
		who  access.Principal
		said func(guard.Ticket) guard.DecisionRequest
		code problems.Code
	}{
		"without the scope": {who: change(func(p *access.Principal) {
			p.Grant.Scopes = []access.Scope{access.ScopeRead, access.ScopeWrite, access.ScopeChange}
		}), said: yes, code: problems.CodeInsufficientScope},
		"the operator":  {who: access.Principal{Caller: "stdio", Grant: access.FullGrant()}, said: yes, code: problems.CodeInsufficientScope},
		"nobody":        {who: change(func(p *access.Principal) { p.Caller = "" }), said: yes, code: problems.CodeInsufficientScope},
		"the requester": {who: change(func(p *access.Principal) { p.Caller = "token:bot" }), said: yes, code: problems.CodeNotAllowed},
		"another tenant's": {
			who: change(func(p *access.Principal) { p.Grant.Tenants = []string{"fabrikam"} }), said: yes, code: problems.CodeApprovalUnknown,
		},
		"no tenants": {who: change(func(p *access.Principal) { p.Grant.Tenants = nil }), said: yes, code: problems.CodeApprovalUnknown},
		"another partner ID's": {
			who: change(func(p *access.Principal) { p.Grant.PartnerIDs = []string{"7654321"} }), said: yes,
			code: problems.CodeApprovalUnknown,
		},
		"another tool's": {
			who: change(func(p *access.Principal) { p.Grant.Tools = []string{schemas.ToolRemovePartner} }), said: yes,
			code: problems.CodeApprovalUnknown,
		},
		"not what was shown": {who: alice(), said: func(guard.Ticket) guard.DecisionRequest {
			return guard.DecisionRequest{Approved: true, Digest: hex.EncodeToString(make([]byte, 32))}
		}, code: problems.CodeApprovalMismatch},
		"no digest": {
			who: alice(), said: func(guard.Ticket) guard.DecisionRequest { return guard.DecisionRequest{Approved: true} },
			code: problems.CodeApprovalMismatch,
		},
		"a token that is spent": {
			who: change(func(p *access.Principal) { p.Token, p.Counted = "tk_0", true }), said: yes, code: problems.CodeTokenRefused,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, _, _ := withApprover(t)
			i := askedBy("token:bot")
			ticket := deferred(t, g, i)
			if _, err := g.DecideAs(t.Context(), test.who, ticket.ID, test.said(ticket)); codeOf(err) != test.code {
				t.Errorf("%v, want %s", err, test.code)
			}
			if list, err := g.QuestionsFor(t.Context(), test.who); err == nil && test.code != problems.CodeApprovalMismatch && test.code != problems.CodeTokenRefused && len(list) > 0 {
				t.Errorf("it is shown %+v", list)
			}
			if _, pending, err := redeemed(g.Redeem(t.Context(), by("stdio"), i, ticket.ID)); err != nil || pending == nil {
				t.Errorf("after it: %v, %v", pending, err)
			}
		})
	}
}

// In-band questions are the client's own, and expired ones are over.
func TestInBandAndExpiredTicketsCannotBeDecided(t *testing.T) {
	t.Parallel()
	g, store, c := withApprover(t)
	asks := newGuard(t, guard.Options{AllowWrites: true, Store: store, Now: c.Now})
	seal, err := asked(asks.Authorize(t.Context(), by("stdio"), askedBy("token:bot"), true))
	if err != nil {
		t.Fatal(err)
	}
	id, _, _ := strings.Cut(string(seal), ".")
	inBand, ok, err := store.Ticket(t.Context(), id)
	if err != nil || !ok || !inBand.InBand {
		t.Fatal(inBand, err)
	}
	if _, err := g.DecideAs(t.Context(), alice(), id, yes(inBand)); codeOf(err) != problems.CodeApprovalUnknown {
		t.Errorf("a question of the client's: %v", err)
	}
	ticket := deferred(t, g, askedBy("token:bot"))
	c.Advance(guard.ApproverLife + time.Second)
	if _, err := g.DecideAs(t.Context(), alice(), ticket.ID, yes(ticket)); codeOf(err) != problems.CodeApprovalExpired {
		t.Errorf("an expired one: %v", err)
	}
}

// An attacker who can write rows of the store, without a key of the vault,
// approves nothing: neither by naming a caller nor with a proof of something
// else.
func TestForgedStoreRowApprovesNothing(t *testing.T) {
	t.Parallel()
	for name, forged := range map[string]func(t *testing.T, g *guard.Guard, ticket guard.Ticket) guard.Decision{
		"no proof": func(*testing.T, *guard.Guard, guard.Ticket) guard.Decision { return guard.Decision{} },
		"zeros": func(*testing.T, *guard.Guard, guard.Ticket) guard.Decision {
			return guard.Decision{Signature: make([]byte, 80)}
		},
		"of another guard": func(t *testing.T, _ *guard.Guard, ticket guard.Ticket) guard.Decision {
			store := ledgertest.New(t, newClock().Now)
			other := newGuard(t, guard.Options{AllowWrites: true, Approval: access.ApprovalApprover, Store: store, Now: newClock().Now})
			if _, err := store.PutTicket(t.Context(), ticket, 10, guard.Event{}); err != nil {
				t.Fatal(err)
			}
			decided, err := other.DecideAs(t.Context(), alice(), ticket.ID, yes(ticket))
			if err != nil {
				t.Fatal(err)
			}
			return *decided.Decision
		},
		"of another ticket": func(t *testing.T, g *guard.Guard, _ guard.Ticket) guard.Decision {
			i := askedBy("token:bot")
			i.PartnerID = "7654321"
			other := deferred(t, g, i)
			decided, err := g.DecideAs(t.Context(), alice(), other.ID, yes(other))
			if err != nil {
				t.Fatal(err)
			}
			return *decided.Decision
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, store, _ := withApprover(t)
			i := askedBy("token:bot")
			ticket := deferred(t, g, i)
			decision := forged(t, g, ticket)
			decision.Approved, decision.By, decision.Approver = true, "token:alice", "token:alice"
			forge(t, store, ticket, decision)
			if granted, _, err := redeemed(g.Redeem(t.Context(), by("stdio"), i, ticket.ID)); codeOf(err) != problems.CodeApprovalUnknown || granted.Permit.Spend(wire()) == nil {
				t.Errorf("%v", err)
			}
		})
	}
}

// A proof names who approved: another name, the requester's among them, does
// not fit it.
func TestApprovalProofFitsOnlyItsCaller(t *testing.T) {
	t.Parallel()
	for name, want := range map[access.Caller]problems.Code{
		"token:alice": "", "token:bob": problems.CodeApprovalUnknown, "token:alicf": problems.CodeApprovalUnknown, "token:bot": problems.CodeApprovalUnknown,
	} {
		sealer := guard.NewSealer()
		on := func() (*guard.Guard, *ledgertest.Store) {
			store := ledgertest.New(t, newClock().Now)
			return newGuard(t, guard.Options{AllowWrites: true, Approval: access.ApprovalApprover, Store: store, Sealer: sealer, Now: newClock().Now}), store
		}
		here, _ := on()
		there, store := on()
		i := askedBy("token:bot")
		ticket := deferred(t, here, i)
		decided, err := here.DecideAs(t.Context(), alice(), ticket.ID, yes(ticket))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.PutTicket(t.Context(), ticket, 10, guard.Event{}); err != nil {
			t.Fatal(err)
		}
		decision := *decided.Decision
		decision.By = name
		forge(t, store, ticket, decision)
		if _, _, err := redeemed(there.Redeem(t.Context(), by("stdio"), i, ticket.ID)); codeOf(err) != want {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}

func TestSameUserOverTheNetwork(t *testing.T) {
	t.Parallel()
	for asked, want := range map[access.Caller]bool{
		"token:bot": false, "stdio": true, "terminal": true, "http:0123abcd": true, "insecure-no-auth": true, "entra:t:o": true, "oidc:0123": true,
	} {
		g, _, _ := withApprover(t)
		ticket := deferred(t, g, askedBy(asked))
		decided, err := g.DecideAs(t.Context(), alice(), ticket.ID, yes(ticket))
		if err != nil || decided.Decision.SameUser != want {
			t.Errorf("asked by %s: %+v, %v", asked, decided.Decision, err)
		}
	}
}

// What a token approved holds as long as nobody takes the token back, and a token
// that decides in an approver's place goes with that approver.
func TestApprovalEndsWhenTokenIsRevoked(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(t *testing.T, g *guard.Guard){
		"revoked": func(t *testing.T, g *guard.Guard) {
			if n, err := g.RevokeTokens(t.Context(), guard.TokenSelection{For: "token:alice"}); n != 1 || err != nil {
				t.Fatal(n, err)
			}
		},
		"its approver removed": func(t *testing.T, g *guard.Guard) {
			if err := g.RemoveUser(t.Context(), anna.Name, anna); err != nil {
				t.Fatal(err)
			}
		},
		"":                                  func(*testing.T, *guard.Guard) {},
		"expired, and its approver removed": nil,
	} {
		g, _, c := withApprover(t)
		if end == nil {
			end = func(t *testing.T, g *guard.Guard) {
				c.Advance(guard.DefaultTokenLife)
				if err := g.RemoveUser(t.Context(), anna.Name, anna); err != nil {
					t.Fatal(err)
				}
			}
		}
		secret, _ := issue(t, g, guard.TokenRequest{For: "alice", Grant: alice().Grant, By: anna})
		reading, _ := issue(t, g, readToken("nightly"))
		p, err := g.AuthenticateToken(t.Context(), secret)
		if err != nil {
			t.Fatal(err)
		}
		i := askedBy("token:bot")
		ticket := deferred(t, g, i)
		if _, err := g.DecideAs(t.Context(), p, ticket.ID, yes(ticket)); err != nil {
			t.Fatal(err)
		}
		end(t, g)
		if _, err := g.AuthenticateToken(t.Context(), secret); (err != nil) != (name != "") {
			t.Errorf("%s: the token: %v", name, err)
		}
		if _, err := g.AuthenticateToken(t.Context(), reading); err != nil && !strings.HasPrefix(name, "expired") {
			t.Errorf("%s: a token to read: %v", name, err)
		}
		c.Advance(guard.DefaultTokenLife) // that it expires changes nothing
		granted, _, err := redeemed(g.Redeem(t.Context(), by("stdio"), i, ticket.ID))
		if name == "" && err != nil || name != "" && (codeOf(err) != problems.CodeTokenRefused && codeOf(err) != problems.CodeNotAllowed || granted != guard.Granted{}) {
			t.Errorf("%s: redeemed: %v", name, err)
		}
	}
}

// What a client approved for a person holds as long as the consent and the person's
// scope to approve do.
func TestApprovalEndsWithTheConsentBehindIt(t *testing.T) {
	t.Parallel()
	for name, ended := range map[string]func() (access.Grant, error){
		"":      nil,
		"ended": func() (access.Grant, error) { return access.Grant{}, problems.New(problems.CodeTokenRefused, "ended") },
		"lost scope": func() (access.Grant, error) {
			return access.Grant{Scopes: []access.Scope{access.ScopeRead}, Tenants: []string{"*"}}, nil
		},
		"lost tenant": func() (access.Grant, error) {
			return access.Grant{Scopes: []access.Scope{access.ScopeApprove}, Tenants: []string{"fabrikam"}}, nil
		},
		"unreachable": func() (access.Grant, error) { return access.Grant{}, problems.New(problems.CodeInternal, "no store") },
	} {
		c := newClock()
		store := ledgertest.New(t, c.Now)
		standing := func() (access.Grant, error) { return alice().Grant, nil }
		g := newGuard(t, guard.Options{AllowWrites: true, Approval: access.ApprovalApprover, Store: store, Now: c.Now,
			Standing: func(context.Context, guard.Token) (access.Grant, error) { return standing() }})
		secret, token := guard.NewAccessToken("oidc:alice", "fm_1", "https://here.example/mcp", alice().Grant, c.Now(), c.Now().Add(time.Minute))
		if err := store.ChangeStates(t.Context(), func(tx guard.StateTx) error {
			return errors.Join(tx.Put(guard.FamilyState, "fm_1", struct{}{}), tx.Put(guard.TokenState, token.ID, token))
		}); err != nil {
			t.Fatal(err)
		}
		p, err := g.AuthenticateToken(t.Context(), secret)
		if err != nil {
			t.Fatal(err)
		}
		i := askedBy("oidc:bot")
		ticket := deferred(t, g, i)
		if _, err := g.DecideAs(t.Context(), p, ticket.ID, yes(ticket)); err != nil {
			t.Fatal(name, err)
		}
		if ended != nil {
			standing = ended
		}
		if _, _, err := redeemed(g.Redeem(t.Context(), by("stdio"), i, ticket.ID)); (err != nil) != (name != "") {
			t.Errorf("%s: redeemed: %v", name, err)
		}
	}
}
