package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/internal/testkit"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

// onStore runs a part of the contract of guard.Store.
func onStore(t *testing.T, test func(t *testing.T, s guard.Store, clock *testkit.Clock)) {
	onBoth(t, func(t *testing.T, build builder) {
		h := build(t)
		test(t, h.Ledger, h.clock)
	})
}

func TestTicketIsSpentOnce(t *testing.T) {
	onStore(t, func(t *testing.T, s guard.Store, _ *testkit.Clock) {
		i := intent("stdio", "contoso", "1234567")
		stored, err := s.PutTicket(ctx(), ticket("ap_1", i), 10, event(guard.KindAsked, i))
		if err != nil || stored.ID != "ap_1" {
			t.Fatal(stored, err)
		}
		spent, last, err := s.SpendTicket(ctx(), "ap_1", event(guard.KindConfirmed, i), event(guard.KindIntent, i))
		if err != nil || !spent || last != 3 {
			t.Fatal(spent, last, err)
		}
		for _, id := range []string{"ap_1", "ap_2"} {
			spent, last, err = s.SpendTicket(ctx(), id, event(guard.KindIntent, i))
			if err != nil || spent || last != 0 {
				t.Fatal(id, spent, last, err)
			}
		}
		open, err := s.Unfinished(ctx())
		if err != nil || len(open) != 1 || open[0].Seq != 3 {
			t.Fatal(open, err)
		}
		last, err = s.Append(ctx(), guard.Event{Time: noon(), Kind: guard.KindOutcome, Of: 3})
		if err != nil || last != 4 {
			t.Fatal(last, err)
		}
		if open, err = s.Unfinished(ctx()); err != nil || len(open) != 0 {
			t.Fatal(open, err)
		}
	})
}

func TestTicketIsSpentWithoutEvents(t *testing.T) {
	onStore(t, func(t *testing.T, s guard.Store, _ *testkit.Clock) {
		i := intent("stdio", "contoso", "1234567")
		_, err := s.PutTicket(ctx(), ticket("ap_1", i), 10, event(guard.KindAsked, i))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []bool{true, false} {
			if spent, _, err := s.SpendTicket(ctx(), "ap_1"); err != nil || spent != want {
				t.Fatal(spent, err)
			}
		}
	})
}

func TestEqualTicketsJoinAndOpenTicketsAreLimited(t *testing.T) {
	onStore(t, func(t *testing.T, s guard.Store, clock *testkit.Clock) {
		put := func(id, caller, tenant string, inBand bool) (guard.Ticket, error) {
			i := intent(caller, tenant, "1234567")
			new := ticket(id, i)
			new.InBand, new.CreatedAt, new.ExpiresAt = inBand, clock.Now(), clock.Now().Add(time.Hour)
			return s.PutTicket(ctx(), new, 2, event(guard.KindAsked, i))
		}
		for _, step := range []struct {
			id, caller, tenant string
			inBand             bool
			want               string
		}{
			{id: "ap_1", caller: "a", tenant: "contoso", want: "ap_1"}, {id: "ap_2", caller: "a", tenant: "contoso", want: "ap_1"},
			{id: "ap_3", caller: "a", tenant: "fabrikam", want: "ap_3"}, {id: "ap_4", caller: "a", tenant: "adatum"},
			{id: "ap_5", caller: "b", tenant: "adatum", want: "ap_5"},
			{id: "ap_6", caller: "a", tenant: "contoso", inBand: true, want: "ap_6"},
			{id: "ap_7", caller: "a", tenant: "contoso", inBand: true, want: "ap_7"},
			{id: "ap_8", caller: "a", tenant: "contoso", inBand: true},
		} {
			got, err := put(step.id, step.caller, step.tenant, step.inBand)
			if step.want == "" {
				problemOf(t, err, problems.CodeTooManyApprovals)
			} else if err != nil || got.ID != step.want {
				t.Errorf("%s: %s, %v", step.id, got.ID, err)
			}
		}
		clock.Advance(2 * time.Hour)
		if got, err := put("ap_9", "a", "contoso", false); err != nil || got.ID != "ap_9" {
			t.Error("after all expired:", got.ID, err)
		}
	})
}

func TestFollowedFindsLaterIntentOfTenant(t *testing.T) {
	onStore(t, func(t *testing.T, s guard.Store, clock *testkit.Clock) {
		intent := func(kind guard.EventKind, tenant string) guard.Event {
			return guard.Event{Time: clock.Now(), Kind: kind, Intent: guard.Intent{Tool: "t", Identity: answers.Identity{TenantID: tenant}}}
		}
		first, err := s.Append(ctx(), intent(guard.KindIntent, "a"))
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			kind   guard.EventKind
			tenant string
			want   bool
		}{{kind: guard.KindIntent, tenant: "b"}, {kind: guard.KindOutcome, tenant: "a"}, {kind: guard.KindIntent, tenant: "a", want: true}} {
			if _, err := s.Append(ctx(), intent(step.kind, step.tenant)); err != nil {
				t.Fatal(err)
			}
			if got, err := s.Followed(ctx(), first, "a"); got != step.want || err != nil {
				t.Errorf("after %s of %s: %v, %v", step.kind, step.tenant, got, err)
			}
		}
	})
}

func TestTicketIsDecidedOnce(t *testing.T) {
	onStore(t, func(t *testing.T, s guard.Store, _ *testkit.Clock) {
		i := intent("stdio", "contoso", "1234567")
		if _, err := s.PutTicket(ctx(), ticket("ap_1", i), 10, event(guard.KindAsked, i)); err != nil {
			t.Fatal(err)
		}
		decision := guard.Decision{Approved: true, Approver: "ada", By: "token:ada", Token: "tk_1", Signature: []byte{1, 2, 3}, At: noon()}
		for n, want := range []bool{true, false} {
			if ok, err := s.DecideTicket(ctx(), "ap_1", decision, event(guard.KindApproved, i), nil); err != nil || ok != want {
				t.Fatal(n, ok, err)
			}
		}
		got, ok, err := s.Ticket(ctx(), "ap_1")
		if err != nil || !ok || !reflect.DeepEqual(*got.Decision, decision) {
			t.Fatal(got, ok, err)
		}
		if ok, err := s.DecideTicket(ctx(), "ap_2", decision, event(guard.KindApproved, i), nil); err != nil || ok {
			t.Fatal(ok, err)
		}
	})
}

// action is one random call on a store; it returns what there is to see.
type action func(s guard.Store) any

type outcome struct {
	Value any
	Code  problems.Code
}

func seen(value any, err error) outcome {
	if p, ok := errors.AsType[*problems.Problem](err); ok {
		return outcome{Code: p.Code}
	}
	return outcome{Value: value}
}

// randomAction draws a call. Tickets, callers and tenants are few, so that
// calls meet.
func randomAction(r *rand.Rand, n int, clock *testkit.Clock) action {
	at := clock.Now()
	caller, tenant := fmt.Sprint("caller", r.IntN(2)), fmt.Sprint("tenant", r.IntN(3))
	i := intent(caller, tenant, "1234567")
	e := func(kind guard.EventKind) guard.Event {
		return guard.Event{Time: at, Kind: kind, Intent: i, Rule: tenant}
	}
	id := fmt.Sprint("ap_", r.IntN(n+1))
	since := at.Add(-time.Duration(r.IntN(100)) * time.Minute)
	switch r.IntN(14) {
	case 0, 1, 2:
		new := ticket(fmt.Sprint("ap_", n), i)
		new.InBand, new.CreatedAt, new.ExpiresAt = r.IntN(4) == 0, at, at.Add(time.Duration(r.IntN(60))*time.Minute)
		return func(s guard.Store) any { return seen(s.PutTicket(ctx(), new, 3, e(guard.KindAsked))) }
	case 3, 4:
		d := guard.Decision{Approved: r.IntN(2) == 0, Approver: "ada", At: at}
		return func(s guard.Store) any { return seen(s.DecideTicket(ctx(), id, d, e(guard.KindApproved), nil)) }
	case 5, 6:
		return func(s guard.Store) any {
			confirmed := e(guard.KindConfirmed)
			confirmed.Approval = id
			spent, last, err := s.SpendTicket(ctx(), id, confirmed, e(guard.KindIntent))
			return seen([]any{spent, last}, err)
		}
	case 7:
		return func(s guard.Store) any { return seen(s.Append(ctx(), e(guard.KindIntent), e(guard.KindRefusal))) }
	case 8:
		closing := e(guard.KindOutcome)
		closing.Of = int64(r.IntN(n + 1))
		return func(s guard.Store) any { return seen(s.Append(ctx(), closing)) }
	case 9:
		f := guard.Freeze{Writes: r.IntN(2) == 0, Reason: tenant, Since: at}
		return func(s guard.Store) any { return seen(nil, s.SetFreeze(ctx(), f, e(guard.KindFreeze))) }
	case 10:
		a := guard.User{Name: tenant, Key: &guard.PassphraseKey{Salt: []byte(tenant), Time: 1, Memory: 2, Threads: 3, PublicKey: []byte("p")}, AddedAt: at}
		return func(s guard.Store) any { return seen(nil, putUser(s, a, e(guard.KindUser))) }
	case 11:
		return func(s guard.Store) any { return seen(nil, removeUser(s, tenant, e(guard.KindUser))) }
	case 12:
		return func(s guard.Store) any { return seen(s.CountIntents(ctx(), tenant, since)) }
	default:
		return func(s guard.Store) any { clock.Advance(time.Duration(r.IntN(7)) * time.Minute); return nil }
	}
}

// look returns all that a store shows.
func look(s guard.Store, n int) []any {
	var all []any
	for k := range n + 1 {
		t, ok, err := s.Ticket(ctx(), fmt.Sprint("ap_", k))
		all = append(all, seen([]any{t, ok}, err))
	}
	waiting, err := s.Tickets(ctx(), 100)
	slices.SortFunc(waiting, func(a, b guard.Ticket) int { return strings.Compare(a.ID, b.ID) })
	all = append(all, seen(waiting, err))
	live, err := s.Waiting(ctx())
	slices.SortFunc(live, func(a, b guard.Ticket) int { return strings.Compare(a.ID, b.ID) })
	all = append(all, seen(live, err))
	all = append(all, seen(s.Unfinished(ctx())), seen(s.Freeze(ctx())), seen(guard.Users(ctx(), s)))
	return all
}

// Whatever is called, in whatever order: the record stays whole, grows only by
// what was done, and another process sees the same of everything.
func TestAnySequenceKeepsRecordWhole(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		testkit.SkipShort(t, testkit.Properties)
		for seed := range uint64(4) {
			t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
				h, r := build(t), rand.New(rand.NewPCG(seed, 3))
				for n := range 100 {
					before := h.events()
					randomAction(r, n, h.clock)(h.Ledger)
					if after := h.events(); len(after) < len(before) || !cmp.Equal(after[:len(before)], before, cmpopts.EquateEmpty()) {
						t.Fatalf("call %d changed what stood in the record", n)
					}
					if n%20 == 19 {
						want := look(h.Ledger, n)
						h.whole()
						h.reopen()
						if diff := cmp.Diff(want, look(h.Ledger, n), cmpopts.EquateEmpty()); diff != "" {
							t.Fatalf("after call %d another process sees something else:\n%s", n, diff)
						}
					}
				}
				spent := map[string]int{}
				for _, e := range h.events() {
					if e.Kind == guard.KindConfirmed {
						spent[e.Approval]++
					}
				}
				for id, times := range spent {
					if times != 1 {
						t.Errorf("%s was spent %d times", id, times)
					}
				}
			})
		}
	})
}

// fillValue gives every field of a value something that is not zero.
func fillValue(v reflect.Value, n *int) {
	*n++
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(noon().Add(time.Duration(*n) * time.Second)))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for k := range v.NumField() {
			fillValue(v.Field(k), n)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fillValue(v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fillValue(v.Index(0), n)
		fillValue(v.Index(1), n)
	case reflect.Array:
		for k := range v.Len() {
			fillValue(v.Index(k), n)
		}
	case reflect.String:
		v.SetString(fmt.Sprintf("<text %d>\u2028\n", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Uint8, reflect.Uint32:
		v.SetUint(uint64(*n % 200))
	case reflect.Func: // follows from what is kept
	default:
		panic(v.Kind())
	}
}

func filled[T any]() (value T) {
	n := 0
	fillValue(reflect.ValueOf(&value).Elem(), &n)
	return value
}

func TestNULIsWrittenAsTheReplacementCharacter(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := build(t)
		e := event(guard.KindRefusal, intent("stdio", "contoso", "1234567"))
		e.Detail = "\x00a\\u0000\x00\\\x00"
		_, err := h.Append(ctx(), e)
		h.must(err)
		if got := h.events()[0].Detail; got != "\ufffda\\u0000\ufffd\\\ufffd" {
			t.Errorf("%q", got)
		}
		h.whole()
	})
}

// TestNoFieldIsLost fails where the guard's types get a field that the ledger
// does not write.
func TestNoFieldIsLost(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := build(t)
		e, tk, a, f := filled[guard.Event](), filled[guard.Ticket](), filled[guard.User](), filled[guard.Freeze]()
		tk.ID, tk.Spent, tk.Plan.Body = "ap_1", false, []byte(`{"rows":[]}`)
		e.AtMost, e.Completes = nil, false // conditions, and no part of the record
		e.Result = f.Scope()               // what a freeze makes of it
		a.Grant.Within = access.Bounds{}
		invoked := filled[guard.Token]()
		invoked.ID, invoked.Grant.Within = "tk_1", access.Bounds{} // the bounds are those of the server that is called, set at each call
		invoked.Consent = json.RawMessage(`{"id":"f1"}`)           // has a row of its own
		h.must(h.ChangeStates(ctx(), func(tx guard.StateTx) error { return tx.Put(guard.FamilyState, invoked.Family, invoked.Consent) }))
		h.must(h.PutToken(ctx(), invoked, 10, e))
		_, err := h.Append(ctx(), e)
		h.must(err)
		_, err = h.PutTicket(ctx(), tk, 10, e)
		h.must(err)
		err = putUser(h, a, e)
		h.must(err)
		h.must(h.SetFreeze(ctx(), f, e))
		h.reopen()
		for n, got := range h.events() {
			e.Seq = int64(n + 1)
			if diff := cmp.Diff(e, got); diff != "" {
				t.Errorf("event %d:\n%s", n, diff)
			}
		}
		gotToken, _, err := h.Token(ctx(), "tk_1")
		h.must(err)
		if diff := cmp.Diff(invoked, gotToken); diff != "" {
			t.Error(diff)
		}
		gotTicket, _, err := h.Ticket(ctx(), "ap_1")
		h.must(err)
		if body, ok, err := h.Plan(ctx(), "ap_1"); err != nil || !ok || string(body) != string(tk.Plan.Body) {
			t.Errorf("the plan: %q, %v", body, err)
		}
		tk.Plan.Body = nil // it has a row of its own
		gotApprovers, err := guard.Users(ctx(), h)
		h.must(err)
		gotFreeze, err := h.Freeze(ctx())
		h.must(err)
		if diff := cmp.Diff([]any{tk, []guard.User{a}, f}, []any{gotTicket, gotApprovers, gotFreeze}); diff != "" {
			t.Error(diff)
		}
		if tk.Digest() != gotTicket.Digest() {
			t.Error("an approver's signature would not fit the ticket that comes back")
		}
		for _, found := range h.verify(nil).Findings {
			if !strings.Contains(found.What, "passkey's signature") { // nobody made the one that is filled in
				t.Error(found)
			}
		}
	})
}
