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

// counted follows how many tasks run at once.
type counted struct {
	mu        sync.Mutex
	now, most int
}

func (c *counted) add(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now += n
	c.most = max(c.most, c.now)
}

// TestScheduleBoundsConcurrency runs schedules of every shape: each task completes
// once, after the attempts it needs and not before the time it asked for, and
// never more than the bound run at once.
func TestScheduleBoundsConcurrency(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		concurrency := rapid.IntRange(1, 9).Draw(r, "concurrency")
		n := rapid.IntRange(0, 60).Draw(r, "tasks")
		places, waits := make([]budgetKey, n), make([][]time.Duration, n)
		for i := range n {
			places[i] = budgetKey{rapid.SampledFrom([]string{"a", "b", "c"}).Draw(r, "credential"), rapid.SampledFrom([]string{"x", "y"}).Draw(r, "authority")}
			waits[i] = rapid.SliceOfN(rapid.Map(rapid.IntRange(1, 5000), func(ms int) time.Duration { return time.Duration(ms) * time.Millisecond }), 0, 3).Draw(r, "waits")
		}
		synctest.Test(t, func(*testing.T) { runOnce(r, concurrency, places, waits) })
	})
}

func allTasks(n int, at func(n int) budgetKey) []task {
	tasks := make([]task, n)
	for i := range tasks {
		key := at(i)
		tasks[i] = task{n: i, place: place{credential: key.credential, authority: key.authority}}
	}
	return tasks
}

func runOnce(r *rapid.T, concurrency int, places []budgetKey, waits [][]time.Duration) {
	running, notBefore, done := &counted{}, make([]time.Time, len(places)), make([]int, len(places))
	var mu sync.Mutex
	schedule(context.Background(), concurrency, allTasks(len(places), func(n int) budgetKey { return places[n] }), func(_ context.Context, t *task) step {
		running.add(1)
		defer running.add(-1)
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
	if running.most > concurrency {
		r.Errorf("%d tasks ran at once, the bound is %d", running.most, concurrency)
	}
}

// Tasks with long waits take no worker from the others.
func TestWaitingTasksHoldNoWorker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var mu sync.Mutex
		var quick time.Duration
		schedule(t.Context(), 2, allTasks(100, func(int) budgetKey { return budgetKey{} }), func(_ context.Context, task *task) step {
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

// After throttling fewer requests are in flight; successful answers restore the
// number.
func TestScheduleSlowsDownWhenThrottled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const most = 16
		var mu sync.Mutex
		inFlight, after, end := 0, 0, 0
		schedule(t.Context(), most, allTasks(600, func(int) budgetKey { return budgetKey{} }), func(_ context.Context, task *task) step {
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

// The schedule ends with its context even while tasks wait.
func TestScheduleStopsWithContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		began, tried := time.Now(), 0
		schedule(ctx, 1, allTasks(3, func(int) budgetKey { return budgetKey{} }), func(context.Context, *task) step {
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
	names := []string{"a", "b", "c", "d"}
	schedule(b.Context(), defaultConcurrency, allTasks(b.N, func(n int) budgetKey { return budgetKey{names[n%4], names[rand.IntN(2)]} }), func(context.Context, *task) step { return step{} })
}
