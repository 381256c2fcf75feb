package fleet

import (
	"context"
	"sync"
	"time"

	"mcp-partner/armclient"
	"mcp-partner/internal/pec"
)

// Limits bound how much of a run happens at once, and for how long. Fields that
// are zero get the default.
type Limits struct {
	// Concurrency is how many targets are asked at the same time; 64.
	Concurrency int
	// PerCredential and PerAuthority are how many of them may use one credential
	// at one authority, and sign in at one authority; as many as Concurrency.
	PerCredential, PerAuthority int
	// AttemptTime bounds one try of a target, sign-in included; 30 s.
	AttemptTime time.Duration
	// TargetTime bounds a target from its first try on, waiting included; 5 min.
	TargetTime time.Duration
	// RunTime bounds a run; 2 h. What was not asked by then ends as unknown.
	RunTime time.Duration
	// Tries is how often a target is asked whose answer says nothing; 3. Waiting
	// as long as the far side asks for is bounded by TargetTime alone.
	Tries int
	// Backoff is the first wait before such another try, doubled each time; 1 s.
	Backoff time.Duration
}

func (l Limits) withDefaults() Limits {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{{&l.AttemptTime, 30 * time.Second}, {&l.TargetTime, 5 * time.Minute}, {&l.RunTime, 2 * time.Hour}, {&l.Backoff, time.Second}} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	if l.Concurrency <= 0 {
		l.Concurrency = 64
	}
	if l.Tries <= 0 {
		l.Tries = 3
	}
	l.PerCredential = within(l.PerCredential, l.Concurrency)
	l.PerAuthority = within(l.PerAuthority, l.Concurrency)
	return l
}

func within(n, most int) int {
	if n <= 0 || n > most {
		return most
	}
	return n
}

// task is one target on its way through a schedule.
type task struct {
	// n is the target's place in the run.
	n int
	// tries counts how often it was asked, first says when that began.
	tries int
	first time.Time
	group *group
	// read is the link, once it is known, and roles what is known of roles.
	read  *armclient.LinkRead
	roles *pec.Reading
}

// step says how to go on with a task after a try.
type step struct {
	// again is how long to wait before the next try; 0 means that it is done.
	again time.Duration
	// slower: the authority asked to slow down.
	slower bool
}

// budgetKey says by which budgets a task is bounded.
type budgetKey struct{ credential, authority string }

// schedule runs tasks, so many at a time and within their budgets, until all
// are done or the context ends. A task that has to wait is put aside, and its
// worker goes on with another one. Tasks that had begun when the context ended
// are not waited for longer than they themselves look at it.
func schedule(ctx context.Context, limits Limits, tasks []task, placeOf func(task) budgetKey, do func(context.Context, *task) step) {
	q := newQueue(limits, tasks, placeOf)
	defer context.AfterFunc(ctx, q.close)()
	defer q.close()
	var workers sync.WaitGroup
	for range min(limits.Concurrency, len(tasks)) {
		workers.Go(func() {
			for {
				t, ok := q.next()
				if !ok {
					return
				}
				q.after(t, do(ctx, &t))
			}
		})
	}
	workers.Wait()
}
