package guard_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/internal/ledgertest"
	"mcp-partner/internal/testkit"
	"mcp-partner/schemas/problems"
)

// invitation returns the row of a handle, and the user.
func invitation(t *testing.T, store guard.StateStore, handle, name string) (guard.Invitation, guard.User) {
	t.Helper()
	var row guard.Invitation
	var user guard.User
	if ok, err := store.State(t.Context(), guard.OnceState, guard.InvitationName(handle), &row); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if ok, err := store.State(t.Context(), guard.UserState, name, &user); !ok || err != nil {
		t.Fatal(ok, err)
	}
	return row, user
}

func TestInvitationHoldsOnceForAQuarterOfAnHour(t *testing.T) {
	t.Parallel()
	g, store, c := staff(t)
	cleo := guard.User{Name: "cleo", Grant: access.Grant{Scopes: []access.Scope{access.ScopeRead}}}
	if _, err := g.InviteUser(t.Context(), cleo, guard.Credentials{}); codeOf(err) != problems.CodeNotAllowed {
		t.Errorf("nobody consented: %v", err)
	}
	first, err := g.InviteUser(t.Context(), cleo, anna)
	if err != nil {
		t.Fatal(err)
	}
	second, err := g.InviteUser(t.Context(), guard.User{Name: "cleo"}, anna)
	if err != nil || first == second {
		t.Fatal("invited again, before a passkey was made", err)
	}
	row, user := invitation(t, store, first, "cleo")
	if !row.Holds(user, c.Now()) || row.Holds(user, c.Now().Add(15*time.Minute)) || row.IssuedBy != "anna" || !user.Grant.Has(access.ScopeRead) || user.Grant.Has(access.ScopeApprove) {
		t.Errorf("%+v, %+v", row, user)
	}
	if _, err := g.InviteUser(t.Context(), guard.User{Name: "cleo", Grant: access.Grant{Scopes: []access.Scope{access.ScopeApprove}}}, anna); codeOf(err) != problems.CodeInvalidArgument {
		t.Errorf("an invitation widened a grant: %v", err)
	}
	enrol(t, store, "cleo", c.Now())
	for _, handle := range []string{first, second} {
		if row, user := invitation(t, store, handle, "cleo"); row.Holds(user, c.Now()) {
			t.Error("an invitation holds after a passkey was made")
		}
	}
	if _, err := g.InviteUser(t.Context(), guard.User{Name: "cleo"}, anna); codeOf(err) != problems.CodeInvalidArgument {
		t.Errorf("a second passkey by an invitation: %v", err)
	}
}

// A clock goes on between any two looks at it.
func TestLastInvitationHoldsAloneThoughTimeGoesOn(t *testing.T) {
	t.Parallel()
	c := newClock()
	now := func() time.Time { c.Advance(time.Nanosecond); return c.Now() }
	store := ledgertest.New(t, now)
	g := newGuard(t, guard.Options{Store: store, Now: now})
	before := ""
	invite := func() (string, error) {
		return g.InviteUser(t.Context(), guard.User{Name: "dora"}, guard.Credentials{})
	}
	for _, invite := range []func() (string, error){
		invite, invite,
		func() (string, error) { return g.ResetUser(t.Context(), "dora", guard.Credentials{}) },
	} {
		handle, err := invite()
		if err != nil {
			t.Fatal(err)
		}
		if row, user := invitation(t, store, handle, "dora"); !row.Holds(user, now()) {
			t.Errorf("the invitation %+v does not hold for %+v", row, user)
		}
		if row, user := invitation(t, store, cmp.Or(before, handle), "dora"); before != "" && row.Holds(user, now()) {
			t.Error("the invitation before holds beside a newer one")
		}
		before = handle
	}
}

func TestNewPasskeyApprovesNothingForADay(t *testing.T) {
	t.Parallel()
	g, store, c := staff(t)
	enrol(t, store, "bert", c.Now())
	decide := func(want problems.Code, when string) {
		t.Helper()
		ticket := deferred(t, g, askedBy("token:bot"))
		decided, err := g.DecideAs(t.Context(), approver(guard.UserCaller("bert")), ticket.ID, yes(ticket))
		if codeOf(err) != want {
			t.Errorf("%s: %v, want %q", when, err, want)
		}
		if err == nil {
			if _, _, err := redeemed(g.Redeem(t.Context(), by("stdio"), askedBy("token:bot"), decided.ID)); err != nil {
				t.Errorf("%s: %v", when, err)
			}
		}
	}
	decide(problems.CodeNotAllowed, "at once")
	c.Advance(24*time.Hour - time.Second)
	decide(problems.CodeNotAllowed, "a second before")
	c.Advance(time.Second)
	decide("", "after a day")
	enrol(t, store, "bert", c.Now())
	if err := g.ConfirmUser(t.Context(), "bert", bert); codeOf(err) != problems.CodeNotAllowed {
		t.Errorf("confirmed by themselves: %v", err)
	}
	decide(problems.CodeNotAllowed, "before it is confirmed")
	if err := g.ConfirmUser(t.Context(), "bert", anna); err != nil {
		t.Fatal(err)
	}
	decide("", "confirmed")
}

// rowOf is a session or a consent, as far as the guard reads it.
func rowOf(id string, caller access.Caller, expires time.Time) map[string]any {
	return map[string]any{"id": id, "person": map[string]any{"caller": caller}, "expires": guard.Stamp{Time: expires}}
}

func putSignIns(t *testing.T, store guard.StateStore, c *testkit.Clock, callers ...access.Caller) {
	t.Helper()
	err := store.ChangeStates(t.Context(), func(tx guard.StateTx) error {
		for _, caller := range callers {
			for _, kind := range []guard.StateKind{guard.SessionState, guard.FamilyState} {
				if err := tx.Put(kind, "of "+string(caller), rowOf("of "+string(caller), caller, c.Now().Add(time.Hour))); err != nil {
					return err
				}
			}
			_, token := guard.NewAccessToken(caller, "of "+string(caller), "here", access.FullGrant(), c.Now(), c.Now().Add(15*time.Minute))
			if err := tx.Put(guard.TokenState, token.ID, token); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// left counts sessions and consents, and the tokens that are live.
func left(t *testing.T, g *guard.Guard, store guard.StateStore) (rows, tokens int) {
	t.Helper()
	for _, kind := range []guard.StateKind{guard.SessionState, guard.FamilyState} {
		if err := store.States(t.Context(), kind, func([]byte) error { rows++; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	all, err := g.Tokens(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range all {
		if g.TokenState(token) == "live" {
			tokens++
		}
	}
	return rows, tokens
}

func TestSignOutEndsWhatAUserSignedInToAndKeepsTheUser(t *testing.T) {
	t.Parallel()
	g, store, c := staff(t)
	putSignIns(t, store, c, guard.UserCaller("anna"), annaEntra, guard.UserCaller("bert"))
	users, err := g.Users(t.Context())
	if err != nil || len(users) != 2 {
		t.Fatal(users, err)
	}
	if n, err := g.Sessions(t.Context(), users[0]); n != 2 || err != nil {
		t.Errorf("%d sessions of anna, %v", n, err)
	}
	if err := g.SignOutUser(t.Context(), "anna", ""); err != nil {
		t.Fatal(err)
	}
	if rows, tokens := left(t, g, store); rows != 2 || tokens != 1 {
		t.Errorf("left: %d rows and %d tokens, want those of bert", rows, tokens)
	}
	if n, err := g.Sessions(t.Context(), users[0]); n != 0 || err != nil {
		t.Errorf("%d sessions of anna, %v", n, err)
	}
	ticket := deferred(t, g, askedBy("oidc:bot"))
	approve(t, g, ticket)
	if err := g.SignOutUser(t.Context(), "mallory", ""); codeOf(err) != problems.CodeInvalidArgument {
		t.Errorf("nobody: %v", err)
	}
}

func TestSignOutEndsWhatAPersonOfAnIssuerSignedInTo(t *testing.T) {
	t.Parallel()
	g, store, c := staff(t)
	putSignIns(t, store, c, "entra:t:carol", "entra:t:dave")
	if err := g.SignOutUser(t.Context(), "entra:t:carol", ""); err != nil {
		t.Fatal(err)
	}
	if rows, tokens := left(t, g, store); rows != 2 || tokens != 1 {
		t.Errorf("left: %d rows and %d tokens, want those of dave", rows, tokens)
	}
}

func TestResetNeedsASecondApproverAndVoidsEverything(t *testing.T) {
	t.Parallel()
	g, store, c := staff(t)
	enrol(t, store, "anna", c.Now().Add(-25*time.Hour))
	putSignIns(t, store, c, guard.UserCaller("anna"), annaOIDC)
	given := deferred(t, g, askedBy("oidc:bot"))
	approve(t, g, given)
	other := deferred(t, g, askedBy("oidc:other"))
	if _, err := g.Approve(t.Context(), other.ID, bert.Name, bert.Passphrase); err != nil {
		t.Fatal(err)
	}
	own := deferred(t, g, askedBy(annaEntra))
	for name, consenting := range map[string]guard.Credentials{"anna": anna, "nobody": {}, "a guess": {Name: "bert", Passphrase: []byte("guess guess")}} {
		if _, err := g.ResetUser(t.Context(), "anna", consenting); codeOf(err) != problems.CodeNotAllowed {
			t.Errorf("%s consented: %v", name, err)
		}
	}
	before, err := g.InviteUser(t.Context(), guard.User{Name: "dora"}, anna)
	if err != nil {
		t.Fatal(err)
	}
	c.Advance(time.Second)
	handle, err := g.ResetUser(t.Context(), "anna", bert)
	if err != nil {
		t.Fatal(err)
	}
	row, user := invitation(t, store, handle, "anna")
	if !row.Holds(user, c.Now()) || user.Key != nil || len(user.Passkeys) != 0 || !user.Grant.Has(access.ScopeApprove) || len(user.Also) != 3 {
		t.Errorf("%+v, %+v", row, user)
	}
	if rows, tokens := left(t, g, store); rows != 0 || tokens != 0 {
		t.Errorf("left: %d rows and %d tokens", rows, tokens)
	}
	for name, test := range map[string]struct {
		ticket guard.Ticket
		caller access.Caller
		void   bool
	}{"what anna approved": {given, "oidc:bot", true}, "what anna asked": {own, annaEntra, true}, "what bert approved": {other, "oidc:other", false}} {
		_, pending, err := redeemed(g.Redeem(t.Context(), by("stdio"), askedBy(test.caller), test.ticket.ID))
		if (err != nil) != test.void || pending != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := g.Approve(t.Context(), deferred(t, g, askedBy("oidc:third")).ID, anna.Name, anna.Passphrase); codeOf(err) != problems.CodeNotAllowed {
		t.Errorf("the old passphrase: %v", err)
	}
	if row, user := invitation(t, store, before, "dora"); !row.Holds(user, c.Now()) {
		t.Error("the invitation of somebody else is void")
	}
	if _, err := g.ResetUser(t.Context(), "dora", bert); err != nil {
		t.Fatal(err)
	}
	if row, user := invitation(t, store, before, "dora"); row.Holds(user, c.Now()) {
		t.Error("an invitation from before the reset holds")
	}
}

// An approval over the network is void once its user was reset or removed.
func TestApprovalOfResetOrRemovedUserIsVoid(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		end  func(*guard.Guard, *ledgertest.Store) error
		void bool
	}{
		"control": {func(*guard.Guard, *ledgertest.Store) error { return nil }, false},
		"removed": {func(g *guard.Guard, _ *ledgertest.Store) error { return g.RemoveUser(t.Context(), "bert", anna) }, true},
		"reset, and the tickets were not reached": {func(_ *guard.Guard, s *ledgertest.Store) error {
			return s.ChangeStates(t.Context(), func(tx guard.StateTx) error {
				var user guard.User
				_, _ = tx.State(guard.UserState, "bert", &user)
				user.ResetAt = newClock().Now().Add(time.Hour)
				return tx.Put(guard.UserState, "bert", user, guard.Event{Kind: guard.KindUser})
			})
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			g, store, c := staff(t)
			enrol(t, store, "bert", c.Now().Add(-25*time.Hour))
			c.Advance(time.Minute)
			ticket := deferred(t, g, askedBy("token:bot"))
			if _, err := g.DecideAs(t.Context(), approver(guard.UserCaller("bert")), ticket.ID, yes(ticket)); err != nil {
				t.Fatal(err)
			}
			if err := test.end(g, store); err != nil {
				t.Fatal(err)
			}
			_, _, err := redeemed(g.Redeem(t.Context(), by("stdio"), askedBy("token:bot"), ticket.ID))
			if (err != nil) != test.void {
				t.Errorf("%v, want void: %v", err, test.void)
			}
		})
	}
}

// A user with a passkey gets a passphrase too, and keeps the grant.
func TestPasskeyUserGetsPassphrase(t *testing.T) {
	t.Parallel()
	g, _, _ := staff(t)
	cleo := guard.User{Name: "cleo", Grant: access.Grant{Scopes: []access.Scope{access.ScopeApprove}, Tenants: []string{"contoso"}}}
	if _, err := g.InviteUser(t.Context(), cleo, anna); err != nil {
		t.Fatal(err)
	}
	if err := g.AddUser(t.Context(), guard.User{Name: "cleo", Grant: access.Grant{Tenants: []string{"*"}}}, []byte("twelve monkeys"), anna); codeOf(err) != problems.CodeInvalidArgument {
		t.Errorf("a passphrase widened a grant: %v", err)
	}
	if err := g.AddUser(t.Context(), guard.User{Name: "cleo"}, []byte("twelve monkeys"), anna); err != nil {
		t.Fatal(err)
	}
	users, err := g.Users(t.Context())
	if err != nil || len(users) != 3 || users[2].Key == nil || users[2].Grant.Tenants[0] != "contoso" {
		t.Errorf("%+v, %v", users, err)
	}
}

// No handle of an invitation is in the record or in a row.
func TestInvitationIsNowhereInTheLedger(t *testing.T) {
	t.Parallel()
	g, store, _ := staff(t)
	handle, err := g.InviteUser(t.Context(), guard.User{Name: "cleo"}, anna)
	if err != nil {
		t.Fatal(err)
	}
	events, err := json.Marshal(store.Events())
	if err != nil {
		t.Fatal(err)
	}
	text := string(events)
	for _, kind := range []guard.StateKind{guard.OnceState, guard.UserState} {
		if err := store.States(t.Context(), kind, func(body []byte) error { text += string(body); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if strings.Contains(text, handle) || !strings.Contains(text, "invited cleo") {
		t.Error(text)
	}
}

// failing fails at the nth row that a transaction writes or removes, and counts them.
type failing struct {
	guard.Store
	at, seen int
}

type failingTx struct {
	guard.StateTx
	*failing
}

func (f *failing) ChangeStates(ctx context.Context, change func(guard.StateTx) error) error {
	return f.Store.ChangeStates(ctx, func(tx guard.StateTx) error { return change(failingTx{tx, f}) })
}

func (f *failing) step() error {
	if f.seen++; f.seen == f.at {
		return errors.New("full disk")
	}
	return nil
}

func (tx failingTx) Put(kind guard.StateKind, name string, row any, events ...guard.Event) error {
	return cmp.Or(tx.step(), tx.StateTx.Put(kind, name, row, events...))
}

func (tx failingTx) Remove(kind guard.StateKind, name string, events ...guard.Event) error {
	return cmp.Or(tx.step(), tx.StateTx.Remove(kind, name, events...))
}

func (tx failingTx) State(kind guard.StateKind, name string, into any) (bool, error) {
	return tx.StateTx.State(kind, name, into)
}

func (tx failingTx) States(ctx context.Context, kind guard.StateKind, each func([]byte) error) error {
	return tx.StateTx.States(ctx, kind, each)
}

// A reset that took the keys and left the tokens would look done.
func TestEndOfAUserIsAllOrNothing(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*guard.Guard) error{
		"reset":    func(g *guard.Guard) error { _, err := g.ResetUser(t.Context(), "anna", bert); return err },
		"removal":  func(g *guard.Guard) error { return g.RemoveUser(t.Context(), "anna", bert) },
		"sign-out": func(g *guard.Guard) error { return g.SignOutUser(t.Context(), "anna", "") },
	} {
		_, store, c := staff(t)
		putSignIns(t, store, c, guard.UserCaller("anna"))
		f := &failing{Store: store}
		g := newGuard(t, guard.Options{AllowWrites: true, Approval: access.ApprovalApprover, Store: f, Now: c.Now, ApproverCost: guard.Cost{Time: 1, Memory: 64, Threads: 1}})
		deferred(t, g, askedBy(annaEntra))
		entries := len(store.Events())
		for f.at = 1; ; f.at++ {
			f.seen = 0
			err := end(g)
			if f.seen < f.at {
				if err != nil || f.at < 4 {
					t.Errorf("%s: %v after %d steps", name, err, f.seen)
				}
				break
			}
			users, _ := g.Users(t.Context())
			if rows, tokens := left(t, g, store); err == nil || rows != 2 || tokens != 1 || len(store.Events()) != entries || users[0].Key == nil || !users[0].SignedOutAt.IsZero() {
				t.Errorf("%s, failed at step %d: %v, left %d rows, %d tokens, %d new entries", name, f.at, err, rows, tokens, len(store.Events())-entries)
			}
		}
	}
}
