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
	// RunTime bounds a run; 2 h. What was not asked by then ends as unknown.
	RunTime time.Duration
	// Backoff is the first wait before another try of a target whose answer said
	// nothing, doubled each time; 1 s.
	Backoff time.Duration
}

const (
	// defaultConcurrency is how many targets are asked at the same time.
	defaultConcurrency = 64
	// attemptTime bounds one try of a target, sign-in included, and targetTime a
	// target from its first try on, waiting included.
	attemptTime = 30 * time.Second
	targetTime  = 5 * time.Minute
	// targetTries is how often a target is asked whose answer says nothing. Waiting
	// as long as ARM asks for is bounded by targetTime alone.
	targetTries = 3
)

// task is one target on its way through a schedule.
type task struct {
	// n is the target's number in the run.
	n int
	place
	// tries counts the attempts, first is when they began.
	tries int
	first time.Time
	group *group
	// read is the link, once it is known, and roles what is known of roles.
	read  *armclient.LinkRead
	roles *pec.Reading
}

// step says how to continue a task after an attempt.
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
// worker takes another one. Tasks that had begun when the context ended must
// observe it themselves.
func schedule(ctx context.Context, concurrency int, tasks []task, do func(context.Context, *task) step) {
	q := newQueue(concurrency, tasks)
	defer context.AfterFunc(ctx, q.close)()
	defer q.close()
	var workers sync.WaitGroup
	for range min(concurrency, len(tasks)) {
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

// queue hands tasks out: those that are due, within the budgets, in their
// order; those that wait when their time has come.
type queue struct {
	mu          sync.Mutex
	changed     *sync.Cond
	authorities []*authority
	groups      map[budgetKey]*group
	// left counts the tasks that are not done.
	left   int
	closed bool
}

// authority is where credentials sign in, with the groups that could go on.
type authority struct {
	budget
	ready []*group
}

// group are the tasks of one credential at one authority.
type group struct {
	budget
	at     *authority
	tasks  []task
	queued bool // it is in at.ready
}

// budget bounds what is in flight. It is halved when ARM asks to slow
// down, and grows by one with each answer.
type budget struct{ inFlight, now, most int }

func (b *budget) free() bool { return b.inFlight < b.now }

// after takes an attempt off what is in flight.
func (b *budget) after(s step) {
	b.inFlight--
	if s.slower {
		b.now = max(1, b.now/2)
	} else if s.again == 0 {
		b.now = min(b.most, b.now+1)
	}
}

func newQueue(concurrency int, tasks []task) *queue {
	q := &queue{groups: map[budgetKey]*group{}, left: len(tasks)}
	q.changed = sync.NewCond(&q.mu)
	byName := map[string]*authority{}
	for _, t := range tasks {
		t.group = q.groupAt(budgetKey{t.credential, t.authority}, budget{now: concurrency, most: concurrency}, byName)
		t.group.tasks = append(t.group.tasks, t)
	}
	for _, g := range q.groups {
		g.offer()
	}
	return q
}

func (q *queue) groupAt(where budgetKey, most budget, byName map[string]*authority) *group {
	if g, ok := q.groups[where]; ok {
		return g
	}
	at, ok := byName[where.authority]
	if !ok {
		at = &authority{budget: most}
		byName[where.authority] = at
		q.authorities = append(q.authorities, at)
	}
	g := &group{budget: most, at: at}
	q.groups[where] = g
	return g
}

// offer puts the group in line at its authority if it can run.
func (g *group) offer() {
	if !g.queued && len(g.tasks) > 0 && g.free() {
		g.queued = true
		g.at.ready = append(g.at.ready, g)
	}
}

// next waits for a task that is due; ok is false when all are done, or the
// queue was closed.
func (q *queue) next() (t task, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.left > 0 && !q.closed {
		if t, ok := q.take(); ok {
			return t, true
		}
		q.changed.Wait()
	}
	return task{}, false
}

// take takes turns between authorities, and in each between its groups.
func (q *queue) take() (task, bool) {
	for range q.authorities {
		at := q.authorities[0]
		q.authorities = append(q.authorities[1:], at)
		if !at.free() || len(at.ready) == 0 {
			continue
		}
		g := at.ready[0]
		at.ready = at.ready[1:]
		g.queued = false
		t := g.tasks[0]
		g.tasks = g.tasks[1:]
		at.inFlight++
		g.inFlight++
		g.offer()
		return t, true
	}
	return task{}, false
}

// after takes a task back after an attempt.
func (q *queue) after(t task, s step) {
	q.mu.Lock()
	defer q.mu.Unlock()
	g := t.group
	g.after(s)
	g.at.after(s)
	if s.again == 0 {
		q.left--
	} else {
		time.AfterFunc(s.again, func() { q.wake(t) })
	}
	g.offer()
	if q.left == 0 {
		q.changed.Broadcast()
	} else {
		q.changed.Signal()
	}
}

// wake puts a task whose time has come behind those that are due.
func (q *queue) wake(t task) {
	q.mu.Lock()
	defer q.mu.Unlock()
	t.group.tasks = append(t.group.tasks, t)
	t.group.offer()
	q.changed.Signal()
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.changed.Broadcast()
}
