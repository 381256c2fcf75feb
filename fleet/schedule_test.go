package fleet

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// counted follows how many tasks of each name run at once.
type counted struct {
	mu        sync.Mutex
	now, most map[string]int
}

func newCounted() *counted { return &counted{now: map[string]int{}, most: map[string]int{}} }

func (c *counted) add(n int, names ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range names {
		c.now[name] += n
		c.most[name] = max(c.most[name], c.now[name])
	}
}

// TestScheduleKeepsItsBudgets runs schedules of every shape: each task is done
// once, after as many tries as it needs and no sooner than it asked for, and at
// no time run more than the budgets allow.
func TestScheduleKeepsItsBudgets(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		limits := Limits{
			Concurrency:   rapid.IntRange(1, 9).Draw(r, "concurrency"),
			PerCredential: rapid.IntRange(0, 5).Draw(r, "per credential"), PerAuthority: rapid.IntRange(0, 7).Draw(r, "per authority"),
		}.withDefaults()
		n := rapid.IntRange(0, 60).Draw(r, "tasks")
		places, waits := make([]budgetKey, n), make([][]time.Duration, n)
		for i := range n {
			places[i] = budgetKey{rapid.SampledFrom([]string{"a", "b", "c"}).Draw(r, "credential"), rapid.SampledFrom([]string{"x", "y"}).Draw(r, "authority")}
			waits[i] = rapid.SliceOfN(rapid.Map(rapid.IntRange(1, 5000), func(ms int) time.Duration { return time.Duration(ms) * time.Millisecond }), 0, 3).Draw(r, "waits")
		}
		synctest.Test(t, func(*testing.T) { runOnce(r, limits, places, waits) })
	})
}

func runOnce(r *rapid.T, limits Limits, places []budgetKey, waits [][]time.Duration) {
	running, notBefore, done := newCounted(), make([]time.Time, len(places)), make([]int, len(places))
	var mu sync.Mutex
	schedule(context.Background(), limits, allTasks(len(places)), func(t task) budgetKey { return places[t.n] }, func(_ context.Context, t *task) step {
		at := places[t.n]
		names := []string{"", at.authority, at.authority + at.credential}
		running.add(1, names...)
		defer running.add(-1, names...)
		mu.Lock()
		early := time.Now().Before(notBefore[t.n])
		mu.Unlock()
		if early {
			r.Errorf("task %d was tried before its time", t.n)
		}
		time.Sleep(10 * time.Millisecond)
		t.tries++
		mu.Lock()
		defer mu.Unlock()
		if t.tries <= len(waits[t.n]) {
			notBefore[t.n] = time.Now().Add(waits[t.n][t.tries-1])
			return step{again: waits[t.n][t.tries-1]}
		}
		done[t.n]++
		return step{}
	})
	if slices.ContainsFunc(done, func(n int) bool { return n != 1 }) {
		r.Errorf("not each task was done once: %v", done)
	}
	for name, most := range running.most {
		budget := []int{limits.Concurrency, limits.PerAuthority, limits.PerCredential}[len(name)]
		if most > budget {
			r.Errorf("%d tasks of %q ran at once, the budget is %d", most, name, budget)
		}
	}
}

// TestScheduleDoesNotWaitForThoseWhoWait: tasks that wait for long take no
// worker from the others.
func TestScheduleDoesNotWaitForThoseWhoWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var mu sync.Mutex
		var quick time.Duration
		schedule(t.Context(), Limits{Concurrency: 2}.withDefaults(), allTasks(100), func(task) budgetKey { return budgetKey{} }, func(_ context.Context, task *task) step {
			time.Sleep(10 * time.Millisecond)
			if task.tries++; task.n < 50 && task.tries == 1 {
				return step{again: time.Minute}
			}
			mu.Lock()
			defer mu.Unlock()
			if task.n >= 50 {
				quick = max(quick, time.Since(began))
			}
			return step{}
		})
		if quick > 510*time.Millisecond {
			t.Errorf("those who need not wait took %s", quick)
		}
		if took := time.Since(began); took > time.Minute+800*time.Millisecond {
			t.Errorf("all took %s", took)
		}
	})
}

// TestScheduleSlowsDown: after an authority asked for it, fewer are in flight,
// and with answers it becomes as many again.
func TestScheduleSlowsDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const most = 16
		var mu sync.Mutex
		inFlight, after, end := 0, 0, 0
		schedule(t.Context(), Limits{Concurrency: most}.withDefaults(), allTasks(600), func(task) budgetKey { return budgetKey{} }, func(_ context.Context, task *task) step {
			mu.Lock()
			inFlight++
			switch {
			case task.n >= most && task.n < most+8:
				after = max(after, inFlight)
			case task.n > 500:
				end = max(end, inFlight)
			}
			mu.Unlock()
			time.Sleep(10 * time.Millisecond)
			mu.Lock()
			inFlight--
			mu.Unlock()
			if task.tries++; task.n < most && task.tries == 1 {
				return step{again: time.Second, slower: true}
			}
			return step{}
		})
		if after > most/4 || end != most {
			t.Errorf("%d were in flight after the authority had asked to slow down, %d at the end", after, end)
		}
	})
}

// TestScheduleEnds with its context, whatever waits.
func TestScheduleEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		began, tried := time.Now(), 0
		schedule(ctx, Limits{Concurrency: 1}.withDefaults(), allTasks(3), func(task) budgetKey { return budgetKey{} }, func(context.Context, *task) step {
			tried++
			return step{again: time.Hour}
		})
		if took := time.Since(began); took != 5*time.Second || tried != 3 {
			t.Errorf("it ended after %s and %d tries", took, tried)
		}
	})
}

// BenchmarkSchedule is what the schedule itself costs for each task.
func BenchmarkSchedule(b *testing.B) {
	limits := Limits{}.withDefaults()
	names := []string{"a", "b", "c", "d"}
	schedule(b.Context(), limits, allTasks(b.N), func(t task) budgetKey { return budgetKey{names[t.n%4], names[rand.IntN(2)]} }, func(context.Context, *task) step { return step{} })
}
