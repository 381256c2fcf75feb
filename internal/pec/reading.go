package pec

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/errgroup"

	"mcp-partner/internal/naming"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

// MostSubscriptions bounds how many subscriptions of a tenant are asked about in
// one reading; the rest is unknown and says so.
const MostSubscriptions = 1000

// mostNames bounds how many names of unlisted roles one reading asks for.
const mostNames = 10

// mostCached bounds the names that are kept.
const mostCached = 10_000

// NameCache keeps definitions of roles by tenant and GUID.
type NameCache = lru.Cache[string, Role]

// NewNameCache makes an empty one.
func NewNameCache() *NameCache {
	cache, _ := lru.New[string, Role](mostCached) // it fails for a size of zero alone
	return cache
}

// Options says what a reading asks for.
type Options struct {
	List *List
	// Only names the subscriptions to ask about; empty means all that are seen.
	Only []string
	// After and Limit select a page of them, in the order of their IDs; a Limit of
	// 0 means all.
	After string
	Limit int
	// Details asks also for how long roles are held, and for the names of roles
	// that are on no list.
	Details bool
	// Parallel is how many subscriptions are asked about at once; 0 means 1.
	Parallel int
	// Slot, if set, is called before each request, and what it returns after it.
	Slot func(context.Context) (release func(), err error)
	Now  func() time.Time
	// Cache keeps names of roles between readings; may be nil.
	Cache *NameCache
}

// Reading is the roles of one identity in one tenant, as far as they were read.
// It is for one goroutine.
type Reading struct {
	reader   Reader
	o        Options
	identity Identity
	listed   bool
	// subscriptions are those to ask about; seen is how many there are.
	subscriptions []Subscription
	seen          int
	more          bool
	held          []Held
	settled       []bool
	schedules     []Schedule
	scheduled     string
	failure       *problems.Problem
}

// Whether time limits of roles could be read.
const (
	schedulesRead    = "read"
	schedulesUnknown = "unknown"
	schedulesNotRead = "not_read"
)

// NewReading makes a reading that has asked for nothing yet.
func NewReading(reader Reader, o Options) *Reading {
	if o.List == nil {
		o.List = BuiltIn()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Slot == nil {
		o.Slot = func(context.Context) (func(), error) { return func() {}, nil }
	}
	if o.Cache == nil {
		o.Cache = NewNameCache()
	}
	o.Parallel = max(o.Parallel, 1)
	return &Reading{reader: reader, o: o, scheduled: schedulesNotRead}
}

// Refused is a reading that may not be made: its result says why, and nothing of
// roles.
func Refused(why *problems.Problem, o Options) *Reading {
	r := NewReading(nil, o)
	r.failure = why
	return r
}

// Continue asks for what is missing. It returns the problem that is worth
// another try later, with the longest wait that was asked for; nil where
// another try would tell nothing more.
func (r *Reading) Continue(ctx context.Context) *problems.Problem {
	if !r.listed {
		if problem := r.list(ctx); problem != nil {
			r.failure = problem
			return retryable(problem)
		}
		r.failure, r.listed = nil, true
	}
	if r.o.Details && r.scheduled == schedulesNotRead {
		r.readSchedules(ctx)
	}
	again := r.readAssignments(ctx)
	if again == nil && r.o.Details {
		r.readNames(ctx)
	}
	return again
}

func retryable(p *problems.Problem) *problems.Problem {
	if p == nil || !p.Retryable {
		return nil
	}
	return p
}

// list finds out which subscriptions there are, and whose roles are read.
func (r *Reading) list(ctx context.Context) *problems.Problem {
	var all []Subscription
	err := r.request(ctx, func() (err error) {
		all, r.identity, err = r.reader.Subscriptions(ctx)
		return err
	})
	if err != nil {
		return problems.As(err)
	}
	if !naming.IsGUID(r.identity.ObjectID) {
		return problems.New(problems.CodeTokenUnreadable, "The token does not name its identity, so its roles cannot be read.")
	}
	r.seen = len(all)
	slices.SortFunc(all, func(a, b Subscription) int { return strings.Compare(a.ID, b.ID) })
	r.choose(all)
	r.held, r.settled = make([]Held, len(r.subscriptions)), make([]bool, len(r.subscriptions))
	return nil
}

func (r *Reading) choose(all []Subscription) {
	chosen := all
	if len(r.o.Only) > 0 {
		chosen = named(all, r.o.Only)
	}
	first := len(chosen)
	for i, s := range chosen {
		if s.ID > r.o.After {
			first = i
			break
		}
	}
	chosen = chosen[first:]
	if limit := r.o.Limit; limit > 0 && len(chosen) > limit {
		chosen, r.more = chosen[:limit], true
	}
	r.subscriptions = chosen
}

// named returns the subscriptions of the given IDs, with those as well that the
// identity does not see: ARM says why.
func named(all []Subscription, ids []string) []Subscription {
	byID := make(map[string]Subscription, len(all))
	for _, s := range all {
		byID[s.ID] = s
	}
	chosen := make([]Subscription, 0, len(ids))
	for _, id := range ids {
		id = strings.ToLower(id)
		s, ok := byID[id]
		if !ok {
			s = Subscription{ID: id}
		}
		chosen = append(chosen, s)
	}
	slices.SortFunc(chosen, func(a, b Subscription) int { return strings.Compare(a.ID, b.ID) })
	return slices.CompactFunc(chosen, func(a, b Subscription) bool { return a.ID == b.ID })
}

func (r *Reading) request(ctx context.Context, send func() error) error {
	release, err := r.o.Slot(ctx)
	if err != nil {
		return err
	}
	defer release()
	return send()
}

// readSchedules asks for how long roles are held. Without a licence for it that
// stays unknown, and nothing else does.
func (r *Reading) readSchedules(ctx context.Context) {
	err := r.request(ctx, func() (err error) {
		r.schedules, err = r.reader.Schedules(ctx)
		return err
	})
	r.scheduled = schedulesRead
	if err != nil {
		r.schedules, r.scheduled = nil, schedulesUnknown
	}
}

// readAssignments asks about the subscriptions that have no answer yet, several
// at once.
func (r *Reading) readAssignments(ctx context.Context) *problems.Problem {
	asked := min(len(r.subscriptions), MostSubscriptions)
	var group errgroup.Group
	group.SetLimit(r.o.Parallel)
	for i := range asked {
		if !r.settled[i] {
			group.Go(func() error {
				r.readOne(ctx, i)
				return nil
			})
		}
	}
	_ = group.Wait() // each subscription has its own failure
	return r.worthAnotherTry(asked)
}

func (r *Reading) readOne(ctx context.Context, i int) {
	held := Held{Identity: r.identity, Subscription: r.subscriptions[i]}
	err := r.request(ctx, func() (err error) {
		held.Assignments, held.RequestID, err = r.reader.Assignments(ctx, held.Subscription.ID, r.identity.ObjectID)
		return err
	})
	if err != nil {
		held.Assignments, held.Problem = nil, problems.As(err)
	}
	r.held[i], r.settled[i] = held, retryable(held.Problem) == nil
}

func (r *Reading) worthAnotherTry(asked int) *problems.Problem {
	var worst *problems.Problem
	for i := range asked {
		if p := r.held[i].Problem; !r.settled[i] && (worst == nil || p.RetryAfterSeconds > worst.RetryAfterSeconds) {
			worst = p
		}
	}
	return worst
}

// readNames asks for the names of roles that are on no list. Without a name the
// GUID is shown.
func (r *Reading) readNames(ctx context.Context) {
	names := map[string]Role{}
	for i := range r.held {
		for _, a := range r.held[i].Assignments {
			if _, stands := r.o.List.lookup(a.RoleID); stands == unlisted && a.RoleID != "" {
				r.name(ctx, names, r.subscriptions[i].ID, a.RoleID)
			}
		}
		r.held[i].Names = names
	}
}

func (r *Reading) name(ctx context.Context, names map[string]Role, subscriptionID, roleID string) {
	if _, known := names[roleID]; known {
		return
	}
	key := r.identity.TenantID + "/" + roleID
	if role, known := r.o.Cache.Get(key); known {
		names[roleID] = role
		return
	}
	if len(names) >= mostNames {
		return
	}
	names[roleID] = Role{ID: roleID}
	// Where the name cannot be read, the GUID is shown.
	_ = r.request(ctx, func() error {
		role, err := r.reader.Role(ctx, subscriptionID, roleID)
		if err == nil {
			names[roleID] = role
			r.o.Cache.Add(key, role)
		}
		return err
	})
}

// Next is where the next page begins; "" behind the last one.
func (r *Reading) Next() string {
	if !r.more {
		return ""
	}
	return r.subscriptions[len(r.subscriptions)-1].ID
}

// Problem is why the subscriptions could not be listed, or nil.
func (r *Reading) Problem() *problems.Problem { return r.failure }

// Identity is whose roles were read.
func (r *Reading) Identity() Identity { return r.identity }

// Result judges what was read.
func (r *Reading) Result() *answers.PECRoles {
	result := &answers.PECRoles{ListDate: r.o.List.Date, Schedules: r.scheduled, NotChecked: notChecked(r.scheduled)}
	if r.failure != nil {
		result.Reason, result.Fix = string(r.failure.Code), cmp.Or(r.failure.Hint, r.failure.Message)
		return result
	}
	result.Verdicts.Subscriptions = max(r.seen, len(r.subscriptions))
	result.Rows = make([]answers.PECSubscription, len(r.subscriptions))
	for i, s := range r.subscriptions {
		held := r.held[i]
		if held.Subscription.ID == "" {
			held = Held{Identity: r.identity, Subscription: s, Problem: problems.New(problems.CodeTimeout,
				"The tenant has more subscriptions than one call reads, or the time limit was reached.", problems.WithHint("Name the subscription in subscriptions."))}
		}
		held.Schedules, held.Now = r.schedules, r.o.Now()
		row := r.o.List.Judge(held)
		result.Verdicts.Add(row.Verdict, row.Partial)
		result.Rows[i] = row
	}
	return result
}

// notChecked says what the verdicts do not rest on.
func notChecked(scheduled string) []string {
	list := []string{
		"roles of other identities, and admin-on-behalf-of",
		"deny assignments",
		"whether roles were held all day",
		"credit itself: Microsoft decides it elsewhere",
	}
	if scheduled != schedulesRead {
		list = append(list, "whether roles are permanent")
	}
	return list
}
