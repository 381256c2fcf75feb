// Package guard answers one question: may this happen? It holds the bounds and
// the policy of the server, asks for a person's confirmation, and issues the
// Permit without which armclient sends nothing but GET.
//
// The guard knows neither MCP nor Azure nor a database. It declares the Store
// that it needs, and fails closed: what it cannot decide is refused.
package guard

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"mcp-partner/access"
	"mcp-partner/schemas/problems"
)

// Options is what an operator decides at start.
type Options struct {
	// AllowWrites switches writes on where there are no rules.
	AllowWrites bool
	// Approval defaults to ApprovalAsk.
	Approval access.Approval
	// Rules are the configured policy; nil means that the two flags decide.
	Rules  []access.Rule
	Bounds access.Bounds
	// Simulated says that no real Azure is reached.
	Simulated bool
	Store     Store
	// Sealer defaults to one that lives as long as the process.
	Sealer *Sealer
	// ApproverCost is what a new approver's key costs to derive; the zero value
	// means what RFC 9106 recommends.
	ApproverCost Cost
	// Origin is where browsers reach this server, such as https://partner.example.com;
	// "" means that nobody decides with a passkey here.
	Origin string
	// Account is the operating-system account of this process.
	Account string
	// MaxTokenLife bounds how long an invocation token may live; it defaults to
	// MaxTokenLife, one hour.
	MaxTokenLife time.Duration
	// Standing returns what an access token of a consent gives now, or a
	// CodeTokenRefused problem. Nil refuses all such tokens.
	Standing func(context.Context, Token) (access.Grant, error)
	// Announce is called for each question that waits for an approver; may be nil.
	Announce func(Ticket)
	// Now defaults to time.Now.
	Now func() time.Time
}

// Settings are the options that make the policy.
func (o Options) Settings() access.Settings {
	return access.Settings{AllowWrites: o.AllowWrites, Approval: o.Approval, Rules: o.Rules, Bounds: o.Bounds, Simulated: o.Simulated}
}

// Guard decides on every call, and is the only maker of permits.
type Guard struct {
	opts   Options
	policy *access.Policy
}

// New makes a guard, or says which options do not go together.
func New(o Options) (*Guard, error) {
	policy, err := access.NewPolicy(o.Settings())
	if err != nil {
		return nil, err
	}
	if o.Store == nil {
		return nil, problems.New(problems.CodeInternal, "The guard was built without a store, so it could not remember approvals, freezes or writes.")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sealer == nil {
		o.Sealer = NewSealer()
	}
	o.MaxTokenLife = cmp.Or(o.MaxTokenLife, MaxTokenLife)
	// RFC 9106 recommends three passes over 64 MiB where memory is scarce.
	o.ApproverCost = cmp.Or(o.ApproverCost, Cost{Time: 3, Memory: 64 * 1024, Threads: 4})
	if o.Announce == nil {
		o.Announce = func(Ticket) {}
	}
	return &Guard{opts: o, policy: policy}, nil
}

// Confine returns the principal with the operator's bounds in its grant, so that
// whatever is looked up for it stays inside.
func (g *Guard) Confine(p access.Principal) access.Principal {
	p.Grant.Within = g.policy.Bounds()
	return p
}

// Bounds returns the operator's bounds.
func (g *Guard) Bounds() access.Bounds { return g.policy.Bounds() }

// Policy returns what the operator decided.
func (g *Guard) Policy() *access.Policy { return g.policy }

// WritesAllowed reports whether any write could ever be allowed.
func (g *Guard) WritesAllowed() bool { return g.policy.AllowsWrites() }

// Admit is the one decision on a subject. It is asked before anything is read,
// when the verdict may hang on the link that is not known yet, and again with
// the link before anything is written. An error refuses: a freeze, a caller that
// may not, a bound, a denial, or a rate that is used up. Else the verdict allows,
// or says whom to ask.
func (g *Guard) Admit(ctx context.Context, s access.Subject) (access.Verdict, error) {
	if err := g.thawed(ctx, s.Operation.Effect.Writes()); err != nil {
		return access.Verdict{}, err
	}
	return g.Allows(ctx, s)
}

// Allows is Admit for what this server holds: a freeze of reads hides nothing that was
// read before.
func (g *Guard) Allows(ctx context.Context, s access.Subject) (access.Verdict, error) {
	by, err := g.current(ctx, s.By)
	if err != nil {
		return access.Verdict{}, err
	}
	s.By = by
	verdict := g.policy.Evaluate(s)
	switch {
	case verdict.Refusal != nil, verdict.Open && s.Link != "":
		return verdict, verdict.Denial()
	case s.Link == "" || !s.Operation.Effect.Writes():
		return verdict, nil
	default:
		return verdict, g.withinRate(ctx, verdict)
	}
}

// current is a principal with what it is given now.
func (g *Guard) current(ctx context.Context, p access.Principal) (access.Principal, error) {
	if !p.Consented { // its own look at the token finds that out
		if err := g.stillHolds(ctx, p.Token); err != nil {
			return p, err
		}
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
func (g *Guard) withinRate(ctx context.Context, v access.Verdict) error {
	if v.Rate == nil {
		return nil
	}
	count, err := g.opts.Store.CountIntents(ctx, v.Rule, g.opts.Now().Add(-v.Rate.Per))
	if err != nil {
		return err
	}
	if count < v.Rate.Count {
		return nil
	}
	return RateExceeded(v.Rule, *v.Rate)
}

// RateExceeded is the refusal of a write beyond what a rule lets through.
func RateExceeded(rule string, rate access.Rate) error {
	return problems.New(problems.CodeRateExceeded, fmt.Sprintf("The policy's rule %s allows %d writes in %s, and all are used.",
		quote(rule), rate.Count, rate.Per), problems.WithRetryAfter(int(rate.Per.Seconds())))
}

// thawed refuses while a freeze is in force. A freeze that cannot be read counts as
// on for writes; reads go on, because nothing can be harmed by them, unless the store
// says that it knows of none only because it cannot be read.
func (g *Guard) thawed(ctx context.Context, write bool) error {
	freeze, err := g.opts.Store.Freeze(ctx)
	switch {
	case err != nil && (write || freeze.Reads):
		return err
	case err != nil:
		return nil
	default:
		return freeze.Refusal(write)
	}
}

// Frozen returns the freeze as it is now.
func (g *Guard) Frozen(ctx context.Context) (Freeze, error) {
	return g.opts.Store.Freeze(ctx)
}

// SetFreeze freezes every server of the store: writes, and reads
// as well if told so, or if they are frozen already: only Unfreeze lets go. What
// has begun is completed. Frozen says what is stopped then.
func (g *Guard) SetFreeze(ctx context.Context, reads bool, reason string) error {
	return g.freeze(ctx, reads, reason, g.change(KindFreeze, g.opts.Account, ""))
}

// Unfreeze lifts the freeze. It takes an approver's passphrase.
func (g *Guard) Unfreeze(ctx context.Context, by Credentials) error {
	if err := g.vouched(ctx, by, false); err != nil {
		return err
	}
	return g.opts.Store.SetFreeze(ctx, Freeze{}, g.change(KindUnfreeze, by.Name, ""))
}

// MayBegin refuses while writes are frozen, so that a run asks no questions
// about tenants that could not begin. Permit checks again.
func (g *Guard) MayBegin(ctx context.Context) error { return g.thawed(ctx, true) }
