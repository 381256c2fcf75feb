package guard

import (
	"context"
	"fmt"
	"time"

	"mcp-partner/schemas"
)

// Approval is the operator's word, by flag, on whom to ask before a write. It
// counts only where the configuration has no rules.
type Approval string

// The modes. ApprovalAsk asks in the client for register_partner and a person
// elsewhere for what overwrites or removes. ApprovalNone is legal only against
// the simulator or with a bound on partner IDs.
const (
	ApprovalAsk       Approval = "ask"
	ApprovalRequester Approval = "requester"
	ApprovalApprover  Approval = "approver"
	ApprovalNone      Approval = "none"
)

// Options is what an operator decides at start.
type Options struct {
	// AllowWrites switches writes on where there are no rules.
	AllowWrites bool
	// Approval defaults to ApprovalAsk.
	Approval Approval
	// Rules are the configured policy; nil means that the two flags decide.
	Rules  []Rule
	Bounds Bounds
	// Simulated says that no real Azure is reached.
	Simulated bool
	Store     Store
	// Sealer defaults to one that lives as long as the process.
	Sealer *Sealer
	// ApproverCost is what a new approver's key costs to derive; the zero value
	// means what RFC 9106 recommends.
	ApproverCost Cost
	// Account is the operating-system account of this process.
	Account string
	// MaxTokenLife bounds how long an invocation token may live; it defaults to
	// MaxTokenLife, one hour.
	MaxTokenLife time.Duration
	// Announce is told of each question that waits for an approver; may be nil.
	Announce func(Ticket)
	// Now defaults to time.Now.
	Now func() time.Time
}

// Guard decides on every call, and is the only maker of permits.
type Guard struct {
	opts   Options
	policy *Policy
}

// New makes a guard, or says which options do not go together.
func New(o Options) (*Guard, error) {
	policy, err := NewPolicy(o)
	if err != nil {
		return nil, err
	}
	if o.Store == nil {
		return nil, schemas.NewProblem(schemas.CodeInternal, "The guard was built without a store, so it could not remember approvals, freezes or writes.")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sealer == nil {
		o.Sealer = NewSealer()
	}
	if o.ApproverCost == (Cost{}) {
		o.ApproverCost = recommended()
	}
	if o.MaxTokenLife == 0 {
		o.MaxTokenLife = MaxTokenLife
	}
	if o.Announce == nil {
		o.Announce = func(Ticket) {}
	}
	return &Guard{opts: o, policy: policy}, nil
}

// rules returns the configured ones, or those that the flags stand for.
func (o Options) rules() ([]Rule, error) {
	if o.Rules != nil {
		return o.Rules, nil
	}
	if o.Approval == ApprovalNone && !o.Simulated && len(o.Bounds.PartnerIDs) == 0 {
		return nil, schemas.NewProblem(schemas.CodeInvalidArgument,
			"--approval none lets an agent write without a person: it needs --simulate, or --partner-ids with the IDs it may use.")
	}
	writes := []string{string(schemas.EffectWrite)}
	destroys := []string{string(schemas.EffectDestroy)}
	switch {
	case !o.AllowWrites:
		return nil, nil
	case o.asks() && o.Simulated:
		// A simulation has no approvers, and nothing that another person would protect.
		return []Rule{{Name: "--allow-writes, simulated", Operations: append(writes, destroys...), Ruling: RulingRequester}}, nil
	case o.asks():
		return []Rule{{Name: "--allow-writes, new links", Operations: writes, Ruling: RulingRequester}, {Name: "--allow-writes", Operations: destroys, Ruling: RulingApprover}}, nil
	case o.Approval == ApprovalRequester:
		return []Rule{{Name: "--approval requester", Operations: append(writes, destroys...), Ruling: RulingRequester}}, nil
	case o.Approval == ApprovalApprover:
		return []Rule{{Name: "--approval approver", Operations: append(writes, destroys...), Ruling: RulingApprover}}, nil
	case o.Approval == ApprovalNone:
		return nil, nil // see unasked
	default:
		return nil, schemas.NewProblem(schemas.CodeInvalidArgument, "--approval is "+quote(string(o.Approval))+"; it is ask, requester, approver or none.")
	}
}

// asks reports whether the flags leave it to the operation whom to ask.
func (o Options) asks() bool { return o.Approval == ApprovalAsk || o.Approval == "" }

// Bounds returns the operator's bounds.
func (g *Guard) Bounds() Bounds { return g.policy.bounds }

// Policy returns what the operator decided.
func (g *Guard) Policy() *Policy { return g.policy }

// WritesAllowed reports whether any write could ever be allowed.
func (g *Guard) WritesAllowed() bool { return g.policy.writes }

// Admit is the one decision on a subject. It is asked before anything is read,
// when the verdict may hang on the link that is not known yet, and again with
// the link before anything is written. An error refuses: a freeze, a caller that
// may not, a bound, a denial, or a rate that is used up. Else the verdict allows,
// or says whom to ask.
func (g *Guard) Admit(ctx context.Context, s Subject) (Verdict, error) {
	if err := g.thawed(ctx, s.Operation.Effect.Writes()); err != nil {
		return Verdict{}, err
	}
	by, err := g.current(ctx, s.By)
	if err != nil {
		return Verdict{}, err
	}
	s.By = by
	verdict := g.policy.Evaluate(s)
	switch {
	case verdict.refusal != nil:
		return verdict, verdict.refusal
	case verdict.open && s.Link != "":
		return verdict, denied(verdict)
	case s.Link == "" || !s.Operation.Effect.Writes():
		return verdict, nil
	default:
		return verdict, g.withinRate(ctx, verdict)
	}
}

func writesOff(tool string) error {
	return schemas.NewProblem(schemas.CodeWritesDisabled, "This server reads only: it was started without --allow-writes, so "+tool+" is off.")
}

// current is a principal with what it is given now.
func (g *Guard) current(ctx context.Context, p Principal) (Principal, error) {
	if err := g.stillHolds(ctx, p.Token); err != nil {
		return p, err
	}
	if p.Revalidate == nil {
		return g.Confine(p), nil
	}
	grant, err := p.Revalidate()
	p.Grant = grant
	return g.Confine(p), err
}

// withinRate refuses early, before anybody is asked. What holds is counted again
// with the intent.
func (g *Guard) withinRate(ctx context.Context, v Verdict) error {
	if v.rate == nil {
		return nil
	}
	count, err := g.opts.Store.CountIntents(ctx, v.Rule, g.opts.Now().Add(-v.rate.Per))
	if err != nil {
		return storeProblem(err)
	}
	if count < v.rate.Count {
		return nil
	}
	return RateExceeded(v.Rule, *v.rate)
}

// RateExceeded is the refusal of a write beyond what a rule lets through.
func RateExceeded(rule string, rate Rate) error {
	return schemas.NewProblem(schemas.CodeRateExceeded, fmt.Sprintf("The policy's rule %s allows %d writes in %s, and they are used up.",
		quote(rule), rate.Count, rate.Per), schemas.WithRetryAfter(int(rate.Per.Seconds())))
}

func denied(v Verdict) error {
	return schemas.NewProblem(schemas.CodePolicyDenied, fmt.Sprintf("The policy denies this: %s (%s).", quote(v.Rule), v.Why))
}

// thawed refuses while a freeze is in force. A freeze that cannot be read counts as
// on for writes; reads go on, because nothing can be harmed by them.
func (g *Guard) thawed(ctx context.Context, write bool) error {
	freeze, err := g.opts.Store.Freeze(ctx)
	switch {
	case err != nil && write:
		return storeProblem(err)
	case err != nil:
		return nil
	case freeze.Reads || freeze.Writes && write:
		return schemas.NewProblem(schemas.CodeFrozen, fmt.Sprintf("Frozen by the operator since %s: %s",
			freeze.Since.UTC().Format(time.RFC3339), quote(freeze.Reason)))
	default:
		return nil
	}
}
