// Package jobs does what happens by itself: audits of schedules, deliveries and
// upkeep. River is the queue. It triggers and never does the work itself: runs keep
// their own machine, and what must not happen twice is decided in the ledger.
package jobs

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"

	"mcp-partner/schemas/problems"
)

const (
	// minute is how often there is a look at what is to be done.
	minute = time.Minute
	// deliverEvery is how often the outbox is looked at, watchEvery how often there is a
	// look at what audits became.
	deliverEvery = 10 * time.Second
	watchEvery   = 15 * time.Second
	// jobTime bounds one job; none of them waits for an audit. A job of a process that
	// died is given to another one after rescueAfter, and not after River's hour.
	jobTime     = time.Minute
	rescueAfter = 2 * time.Minute
	// stopTime is how long jobs that are under way may take to end.
	stopTime = 5 * time.Second
	// kept is how long River keeps a job that is done. For so long the same slot is not
	// put into the queue again.
	kept = time.Hour
)

// OnFile starts the queue in a SQLite database of its own: River writes into it every
// few seconds, and each commit to ledger.db is looked at by every call. The function
// that is returned lets the jobs that are under way end, and closes the database.
func OnFile(ctx context.Context, db *sql.DB, w *Work) (stop func(), err error) {
	closer := func() { _ = db.Close() } // what is lost is found again
	return start(ctx, riversqlite.New(db), w, 5*time.Second, closer)
}

// OnServer is OnFile in a PostgreSQL database. It polls there too: nothing hangs on a
// LISTEN that is lost with its connection.
func OnServer(ctx context.Context, pool *pgxpool.Pool, w *Work) (stop func(), err error) {
	return start(ctx, riverpgxv5.New(pool), w, 2*time.Second, pool.Close)
}

func start[Tx any](ctx context.Context, driver riverdriver.Driver[Tx], w *Work, poll time.Duration, closer func()) (stop func(), err error) {
	defer func() {
		if err != nil {
			closer()
		}
	}()
	log := slog.New(quiet{w.Log.Handler()})
	migrator, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: log})
	if err != nil {
		return nil, err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return nil, err
	}
	client, err := river.NewClient(driver, &river.Config{
		Logger: log, PollOnly: true, FetchPollInterval: poll, FetchCooldown: min(poll, time.Second),
		Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 4}}, Workers: w.workers(insert[Tx]), PeriodicJobs: w.periodic(),
		JobTimeout: jobTime, RescueStuckJobsAfter: rescueAfter, MaxAttempts: 1, SoftStopTimeout: stopTime,
		CompletedJobRetentionPeriod: kept, CancelledJobRetentionPeriod: kept, DiscardedJobRetentionPeriod: kept,
	})
	if err != nil {
		return nil, err
	}
	ctx = context.WithoutCancel(ctx)
	return func() {
		_ = client.Stop(ctx) // jobs are told to end, and have some seconds to
		closer()
	}, client.Start(ctx)
}

// insert puts a slot into the queue, unless it is there.
func insert[Tx any](ctx context.Context, d due) error {
	_, err := river.ClientFromContext[Tx](ctx).Insert(ctx, d, &river.InsertOpts{UniqueOpts: river.UniqueOpts{ByArgs: true}})
	return err
}

// The kinds of jobs.
type (
	tickArgs    struct{}
	watchArgs   struct{}
	deliverArgs struct{}
	upkeepArgs  struct{}
)

func (tickArgs) Kind() string    { return "tick" }
func (watchArgs) Kind() string   { return "watch" }
func (deliverArgs) Kind() string { return "deliver" }
func (upkeepArgs) Kind() string  { return "upkeep" }
func (due) Kind() string         { return "audit" }

func (w *Work) workers(insert func(context.Context, due) error) *river.Workers {
	workers := river.NewWorkers()
	add(workers, w, func(ctx context.Context, _ tickArgs) error { return w.tick(ctx, insert) })
	add(workers, w, func(ctx context.Context, d due) error { return w.audit(ctx, d) })
	add(workers, w, func(ctx context.Context, _ watchArgs) error { return w.watch(ctx) })
	add(workers, w, func(ctx context.Context, _ upkeepArgs) error { return w.Upkeep(ctx) })
	add(workers, w, func(ctx context.Context, _ deliverArgs) error { return w.Deliver(ctx) })
	return workers
}

// add adds what works on one kind of jobs. A job that failed is over: the next look
// finds what is still to be done, and a job that waited to be tried again would keep
// its slot out of the queue.
func add[Args river.JobArgs](workers *river.Workers, w *Work, do func(context.Context, Args) error) {
	river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, job *river.Job[Args]) error {
		err := do(ctx, job.Args)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, errBusy):
			w.Log.DebugContext(ctx, err.Error())
		case ctx.Err() == nil:
			w.Log.WarnContext(ctx, "a job failed and will be done later", "job", job.Kind, "problem", problems.As(err).Code)
		}
		return river.JobCancel(err)
	}))
}

// periodic is what the leader puts into the queue. Each leader begins at once: what
// fell into a change of leaders is found by the first look of the next one.
func (w *Work) periodic() []*river.PeriodicJob {
	jobs := []*river.PeriodicJob{every(minute, tickArgs{}), every(watchEvery, watchArgs{}), every(minute, upkeepArgs{})}
	if w.Deliver != nil {
		jobs = append(jobs, every(deliverEvery, deliverArgs{}))
	}
	return jobs
}

func every(period time.Duration, args river.JobArgs) *river.PeriodicJob {
	opts := &river.InsertOpts{UniqueOpts: river.UniqueOpts{ByPeriod: period}}
	return river.NewPeriodicJob(river.PeriodicInterval(period), func() (river.JobArgs, *river.InsertOpts) { return args, opts }, &river.PeriodicJobOpts{RunOnStart: true})
}

// quiet lets what River warns of through: it tells of each step of its own.
type quiet struct{ slog.Handler }

// Enabled implements slog.Handler.
func (q quiet) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && q.Handler.Enabled(ctx, level)
}
