package jobs_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"mcp-partner/fleet"
	"mcp-partner/guard"
	"mcp-partner/schemas/problems"
)

const day = 24 * time.Hour

// Three nights without a server are one audit, at the first look after them.
func TestMissedSlotsRunLateOnce(t *testing.T) {
	t.Parallel()
	onBoth(t, func(w *world) {
		p := w.open()
		s := p.add("nightly", "", fleet.Audit{})
		w.must(p.round())
		if runs := p.runs(s.Caller()); len(runs) != 0 {
			t.Fatalf("%d runs before the first slot", len(runs))
		}
		w.pass(3*day + time.Hour)
		for range 3 {
			w.must(p.round())
		}
		runs := p.runs(s.Caller())
		if len(runs) != 1 || runs[0].Rows != 3 || runs[0].State != fleet.RunFinished {
			t.Fatalf("%+v", runs)
		}
		w.pass(day)
		w.must(p.round())
		if runs = p.runs(s.Caller()); len(runs) != 2 {
			t.Errorf("%d runs after the next slot", len(runs))
		}
		if s := p.stored("nightly"); s.Last.Run != runs[0].ID || s.Last.Due.Hour() != 2 {
			t.Errorf("%+v", s.Last)
		}
	})
}

// Replicas that all find a slot begin it once, and so does one that died before it
// could say that it had begun it.
func TestSlotRunsOnceOverAllReplicas(t *testing.T) {
	t.Parallel()
	onBoth(t, func(w *world) {
		replicas := []*process{w.open(), w.open(), w.open()}
		s := replicas[0].add("nightly", "", fleet.Audit{})
		for range 2 {
			w.pass(day)
			var looking sync.WaitGroup
			for _, p := range replicas {
				looking.Go(func() { _ = p.round() }) // one of them may find the run begun a moment before
			}
			looking.Wait()
			replicas[0].runs(s.Caller())
		}
		w.must(replicas[1].round())
		if runs := replicas[0].runs(s.Caller()); len(runs) != 2 {
			t.Errorf("%d runs of 2 slots", len(runs))
		}
		w.pass(day)
		slot, _ := replicas[2].stored("nightly").Due(w.clock())
		if _, err := replicas[2].Audits.Start(t.Context(), s, slot); err != nil {
			t.Fatal(err)
		}
		replicas[2].Close()
		w.must(w.open().round())
		if runs := replicas[0].runs(s.Caller()); len(runs) != 3 || replicas[0].stored("nightly").Last.Run != runs[0].ID {
			t.Errorf("%d runs of 3 slots: %+v", len(runs), replicas[0].stored("nightly").Last)
		}
	})
}

// A process that ends in the middle of an audit leaves it to the next one, which
// completes it before it begins another.
func TestInterruptedAuditIsResumedFirst(t *testing.T) {
	t.Parallel()
	onBoth(t, func(w *world) {
		p := w.open()
		s := p.add("nightly", "", fleet.Audit{})
		w.pass(day)
		release := w.hold()
		w.must(p.round())
		w.arrived()
		if runs, _ := p.Fleet.Runs(t.Context(), fleet.RunFilter{}); len(runs) != 1 || runs[0].State != fleet.RunRunning {
			t.Fatalf("%+v", runs)
		}
		p.App.Fleet.Close()
		release()
		w.pass(day)
		next := w.open()
		for range 3 {
			_ = next.round() // while the one before has not ended there is no other
			next.runs(s.Caller())
		}
		runs := next.runs(s.Caller())
		if len(runs) != 2 || runs[0].State != fleet.RunFinished || runs[1].State != fleet.RunFinished {
			t.Errorf("%+v", runs)
		}
	})
}

// A slot that falls into a freeze of reads runs once after it was lifted.
func TestFreezeOfReadsHoldsSlotsBack(t *testing.T) {
	t.Parallel()
	onBoth(t, func(w *world) {
		p := w.open()
		s := p.add("nightly", "", fleet.Audit{})
		w.must(p.guard.SetFreeze(t.Context(), true, "an incident"))
		w.pass(2 * day)
		for range 2 {
			if err := p.round(); err == nil || problems.As(err).Code != problems.CodeFrozen {
				t.Fatalf("got %v", err)
			}
		}
		if runs := p.runs(s.Caller()); len(runs) != 0 || p.stored("nightly").Stopped != "" {
			t.Fatalf("%d runs in a freeze", len(runs))
		}
		w.must(p.Ledger.SetFreeze(t.Context(), guard.Freeze{}, guard.Event{Kind: guard.KindUnfreeze}))
		w.must(p.round())
		w.must(p.round())
		if runs := p.runs(s.Caller()); len(runs) != 1 {
			t.Errorf("%d runs after the freeze", len(runs))
		}
	})
}

// A schedule ends with the grant of the person for whom it was added, says why, and
// stays ended when that person is let in again.
func TestScheduleEndsWithItsCreator(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]string{
		"removed from callers": "callers:\n  grants: []\n",
		"a grant by group":     strings.Replace(callers("'*'"), "object_id: "+ann, "group: g", 1),
		"no right to read":     strings.Replace(callers("'*'"), "tenants:", "scopes: [partner.approve], tenants:", 1),
		"another tool":         strings.Replace(callers("'*'"), "tenants:", "tools: [list_tenants], tenants:", 1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "")
			p := w.open()
			s := p.add("hers", creator, fleet.Audit{})
			w.pass(day)
			w.must(p.round())
			if runs := p.runs(s.Caller()); len(runs) != 1 || runs[0].Rows != 3 {
				t.Fatalf("%+v", runs)
			}
			w.configure(config)
			w.pass(day)
			w.must(p.round())
			w.must(p.round())
			if stopped := p.stored("hers").Stopped; !strings.Contains(stopped, string(creator)) {
				t.Errorf("stopped because %q", stopped)
			}
			if got := p.entries(); strings.Count(got, "stopped hers: ") != 1 {
				t.Errorf("the record says %s", got)
			}
			w.configure(callers("'*'"))
			w.pass(day)
			w.must(p.round())
			if runs := p.runs(s.Caller()); len(runs) != 1 {
				t.Errorf("%d runs after it was stopped", len(runs))
			}
		})
	}
}

// A schedule reads no more than its creator may now, also in the middle of a run.
func TestScheduleReadsWithinItsCreatorsGrant(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	p := w.open()
	names := w.sim.Tenants()
	s := p.add("hers", creator, fleet.Audit{})
	w.configure(callers(names[1].Name))
	w.pass(day)
	w.must(p.round())
	runs := p.runs(s.Caller())
	if len(runs) != 1 || runs[0].Rows != 1 {
		t.Fatalf("%+v", runs)
	}
	w.configure(callers("'*'"))
	w.pass(day)
	release := w.hold()
	w.must(p.round())
	w.arrived()
	w.must(p.removeSchedule("hers"))
	release()
	counts, _, err := p.Ledger.CountRows(t.Context(), p.runs(s.Caller())[0].ID)
	if err != nil || counts["unknown"] != 2 {
		t.Errorf("after the schedule was removed: %v, %v", counts, err)
	}
}

// Credentials that need a person are left out, and the run says how many.
func TestScheduleSignsNoPersonIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	p := w.open()
	s := p.add("nightly", "", fleet.Audit{})
	w.pass(day)
	w.must(p.round())
	report, err := p.Fleet.Report(t.Context(), fleet.Operator, p.runs(s.Caller())[0].ID)
	if err != nil || report.Run.Rows != 3 || report.Audit().LeftOut != 1 || report.Audit().TenantCount != 3 {
		t.Errorf("%+v, %v", report.Audit(), err)
	}
}

// What is wrong with a schedule itself is shown, and does not come back each minute.
func TestSlotThatCannotBeginSaysWhy(t *testing.T) {
	t.Parallel()
	onBoth(t, func(w *world) {
		p := w.open()
		s := p.add("nightly", "", fleet.Audit{Selection: fleet.Selection{Labels: []string{"none"}}})
		w.pass(day)
		for range 2 {
			w.must(p.round())
		}
		if got := p.stored("nightly"); !strings.Contains(got.Last.Problem, "label") || got.Last.Run != "" || len(p.runs(s.Caller())) != 0 {
			t.Errorf("%+v", got.Last)
		}
	})
}

func TestScheduleNamesAreTakenOnce(t *testing.T) {
	t.Parallel()
	onBoth(t, func(w *world) {
		p := w.open()
		s := p.add("nightly", "", fleet.Audit{})
		again := s
		again.Creator, again.CreatedAt = creator, s.CreatedAt.Add(time.Second)
		event := p.guard.Change(guard.KindSchedule, "added nightly")
		if err := p.Ledger.AddSchedule(t.Context(), again, event); problems.As(err).Code != problems.CodeInvalidArgument {
			t.Fatalf("got %v", err)
		}
		w.must(p.removeSchedule("nightly"))
		w.must(p.Ledger.AddSchedule(t.Context(), again, event))
		if changed, err := p.Ledger.ChangeSchedule(t.Context(), s, nil); changed || err != nil {
			t.Errorf("the one that was removed is changed: %t, %v", changed, err)
		}
		if got := p.entries(); got != "added nightly; removed nightly; added nightly" {
			t.Errorf("the record says %s", got)
		}
		report, err := p.Ledger.Verify(t.Context(), nil)
		if err != nil || !report.Whole() {
			t.Errorf("%+v, %v", report, err)
		}
	})
}

// A link that was removed behind our back is alerted after the next slot, once,
// whatever process compared the audits.
func TestVanishedLinkIsAlertedOnceOverARestart(t *testing.T) {
	t.Parallel()
	onBoth(t, func(w *world) {
		var mu sync.Mutex
		var got []string
		hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			mu.Lock()
			defer mu.Unlock()
			got = append(got, string(body))
		}))
		t.Cleanup(hook.Close)
		w.must(os.WriteFile(w.dir+"/key", []byte(strings.Repeat("k", 32)), 0o600))
		w.configure("allow-private: 127.0.0.0/8\nalerts:\n  - name: finops\n    to: {url: " + hook.URL + ", key_file: " + w.dir + "/key}\n")
		victim := w.sim.Tenants()[0]
		w.must(w.sim.SetLink(victim.TenantID, "1234567"))
		p := w.open()
		s := p.add("nightly", "", fleet.Audit{})
		for i := range 4 {
			if i == 1 {
				w.must(w.sim.ClearLink(victim.TenantID))
			}
			w.pass(day)
			w.must(p.round())
			p.runs(s.Caller())
			p.Close()
			p = w.open() // which compares what the one before began
			w.must(p.round())
			w.must(p.App.Deliver(t.Context()))
		}
		mu.Lock()
		defer mu.Unlock()
		if len(got) != 1 || !strings.Contains(got[0], "link_vanished") || !strings.Contains(got[0], victim.Name) {
			t.Errorf("%d messages: %s", len(got), got)
		}
	})
}
