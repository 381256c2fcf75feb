package ledger

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"mcp-partner/guard"
)

// once is a row that expires.
type once struct {
	ID      string      `json:"id"`
	Expires guard.Stamp `json:"expires"`
}

func (h *house) namesOf(kind guard.StateKind, member string) (names []string) {
	h.t.Helper()
	h.must(h.States(ctx(), kind, func(body []byte) error {
		row := map[string]any{}
		err := json.Unmarshal(body, &row)
		names = append(names, row[member].(string))
		return err
	}))
	return names
}

func TestUsersAreKeptByName(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := build(t)
		for _, name := range []string{"bob", "ada"} {
			h.must(putUser(h, guard.User{Name: name}, event(guard.KindUser, guard.Intent{})))
		}
		if names := h.namesOf(guard.UserState, "name"); len(names) != 2 || names[0] != "ada" {
			t.Error(names)
		}
		var bob guard.User
		if ok, err := h.State(ctx(), guard.UserState, "bob", &bob); !ok || err != nil || bob.Name != "bob" {
			t.Error(ok, err)
		}
		h.must(removeUser(h, "bob", event(guard.KindUser, guard.Intent{})))
		if ok, err := h.State(ctx(), guard.UserState, "bob", &bob); ok || err != nil {
			t.Error("bob is there still", err)
		}
		if events := h.events(); len(events) != 3 {
			t.Errorf("%+v", events)
		}
		h.whole()
	})
}

// What a step read, wrote and recorded before it failed is undone, so that an invitation
// whose step fails stays unused.
func TestFailedChangeOfRowsLeavesNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := build(t)
		invitation := once{"one", guard.Stamp{Time: noon().Add(time.Hour)}}
		h.must(h.ChangeStates(ctx(), func(tx guard.StateTx) error { return tx.Put(guard.OnceState, "one", invitation) }))
		refused := errors.New("refused")
		err := h.ChangeStates(ctx(), func(tx guard.StateTx) error {
			if ok, err := tx.State(guard.OnceState, "one", &invitation); !ok || err != nil {
				t.Error(ok, err)
			}
			h.must(tx.Remove(guard.OnceState, "one"))
			h.must(tx.Put(guard.UserState, "eve", guard.User{Name: "eve"}, event(guard.KindUser, guard.Intent{})))
			return refused
		})
		if err == nil {
			t.Error("the failure is lost")
		}
		if names := h.namesOf(guard.OnceState, "id"); len(names) != 1 {
			t.Errorf("once: %v", names)
		}
		if names := h.namesOf(guard.UserState, "name"); len(names) != 0 || len(h.events()) != 0 {
			t.Errorf("users: %v", names)
		}
		h.whole()
	})
}

func TestExpiredRowsOfSigningInAreRemoved(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := build(t)
		h.must(h.ChangeStates(ctx(), func(tx guard.StateTx) error {
			h.must(tx.Put(guard.OnceState, "old", once{"old", guard.Stamp{Time: noon().Add(-time.Second)}}))
			h.must(tx.Put(guard.SessionState, "old", once{"old", guard.Stamp{Time: noon().Add(-time.Second)}}))
			return tx.Put(guard.OnceState, "new", once{"new", guard.Stamp{Time: noon().Add(time.Second)}})
		}))
		h.must(h.ChangeStates(ctx(), func(guard.StateTx) error { return nil }))
		h.must(putUser(h, guard.User{Name: "ada"}, event(guard.KindUser, guard.Intent{})))
		if names := h.namesOf(guard.OnceState, "id"); len(names) != 1 || names[0] != "new" {
			t.Errorf("once: %v", names)
		}
		if names := h.namesOf(guard.SessionState, "id"); len(names) != 0 {
			t.Errorf("sessions: %v", names)
		}
		h.whole()
	})
}
