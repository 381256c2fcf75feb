package tools_test

import (
	"context"
	"crypto/sha256"
	"sync"

	"mcp-partner/guard"
	"mcp-partner/ledger"
	"mcp-partner/schemas"
)

// safe keeps the ledger's keys and counter where a crash does not reach them.
type safe struct {
	mu      sync.Mutex
	counter int64
}

func (*safe) Key(_ context.Context, name string, size int, _ bool) ([]byte, error) {
	key := sha256.Sum256([]byte(name))
	return key[:size], nil
}

func (s *safe) Counter(context.Context) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counter, nil
}

func (s *safe) SetCounter(_ context.Context, value int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counter = max(s.counter, value)
	return nil
}

// whole judges all that happened.
func (m *machine) whole(wrote int) (intents, reconciled int) {
	m.reconcile()
	ctx := context.Background()
	report, err := m.record.Verify(ctx, nil)
	if err != nil || !report.Whole() {
		m.rt.Fatalf("%v, %+v", err, report)
	}
	if writes := m.writes() - wrote; writes != m.spent || len(m.used) != m.spent {
		m.rt.Fatalf("%d writes, %d permits spent, under %d intents", writes, m.spent, len(m.used))
	}
	events, err := m.record.List(ctx, ledger.Filter{})
	if err != nil {
		m.rt.Fatal(err)
	}
	return m.trace(events)
}

// trace follows every intent back to its question and on to its outcome.
func (m *machine) trace(events []guard.Event) (intents, reconciled int) {
	byApproval, outcomes := map[string][]guard.Event{}, map[int64][]guard.Event{}
	for _, event := range events {
		if event.Kind == guard.KindOutcome {
			outcomes[event.Of] = append(outcomes[event.Of], event)
		}
		byApproval[event.Approval] = append(byApproval[event.Approval], event)
	}
	for _, event := range events {
		if event.Kind != guard.KindIntent {
			continue
		}
		intents++
		m.permitted(event, byApproval[event.Approval])
		if len(outcomes[event.Seq]) != 1 {
			m.rt.Fatalf("intent %d has the outcomes %+v", event.Seq, outcomes[event.Seq])
		}
		if l, open := m.left[event.Seq]; open {
			reconciled++
			m.found(event, l, outcomes[event.Seq][0])
		}
	}
	return intents, reconciled
}

// permitted fails the test unless an intent has a question of its own, answered
// yes in time by the person required.
func (m *machine) permitted(intent guard.Event, story []guard.Event) {
	count := map[guard.EventKind]int{}
	for _, event := range story {
		count[event.Kind]++
		if event.Kind == guard.KindAsked && (event.Seq > intent.Seq || intent.Time.Sub(event.Time) > guard.ApproverLife || !same(event.Intent, intent.Intent)) {
			m.rt.Fatalf("%+v was asked as %+v", intent, event)
		}
		if event.Kind == guard.KindAsked && event.Intent.Tool == schemas.ToolRegisterPartner && count[guard.KindApproved] == 0 && event.Rule != intent.Rule {
			m.rt.Fatalf("%+v by another rule than %+v", intent, event)
		}
		if event.Kind == guard.KindApproved && event.Seq > intent.Seq {
			m.rt.Fatalf("%+v was approved afterwards", intent)
		}
	}
	needsApprover := intent.Intent.Tool != schemas.ToolRegisterPartner
	if intent.Approval == "" || count[guard.KindIntent] != 1 || count[guard.KindAsked] != 1 || count[guard.KindConfirmed] != 1 || count[guard.KindDeclined] != 0 ||
		needsApprover && count[guard.KindApproved] != 1 {
		m.rt.Fatalf("%+v has the story %v", intent, count)
	}
}

func same(a, b guard.Intent) bool {
	return a.Caller == b.Caller && a.Tool == b.Tool && a.Identity == b.Identity && a.PartnerID == b.PartnerID && a.Before == b.Before
}

// found judges how an abandoned intent was closed, where nothing else has
// changed the link since.
func (m *machine) found(intent guard.Event, l leftover, outcome guard.Event) {
	applied := m.used[intent.Seq]
	if m.moves[l.tenant] != l.moves || outcome.Result == "unknown" {
		return
	}
	if want := map[bool]string{true: "applied", false: "not_applied"}[applied]; outcome.Result != want && m.died(outcome) {
		m.rt.Fatalf("%+v was closed as %s; it was %s", intent, outcome.Result, want)
	}
}

// died reports whether an outcome is one that a start found.
func (m *machine) died(outcome guard.Event) bool {
	return outcome.Result == "applied" || outcome.Result == "not_applied"
}
