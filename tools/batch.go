package tools

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"mcp-partner/access"
	"mcp-partner/fleet"
	"mcp-partner/guard"
	"mcp-partner/internal/phrase"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/partnerid"
	"mcp-partner/schemas/problems"
)

const (
	// planManyWithin bounds the reading for a plan over many tenants; what was
	// not read by then is unknown.
	planBatchWithin = 25 * time.Second
	// answerWithin is when a call answers although its run continues.
	answerWithin = 38 * time.Second
)

func (s *Service) newWriter() *fleet.Writer {
	return fleet.NewWriter(fleet.WriterOptions{
		Guard: s.deps.Guard, Tenants: s.deps.Directory, Settled: s.deps.Settled, Pause: s.deps.Pause, Now: s.deps.Now, Logger: s.deps.Logger,
		Open: func(ctx context.Context, tenant schemas.Tenant, credential string) (fleet.Identity, error) {
			return s.deps.Clients.Client(ctx, tenant, credential)
		},
	})
}

// Close keeps runs from beginning further tenants, and waits until those that
// have begun are in a state from which the next start can continue.
func (s *Service) Close() { s.writer.Close() }

type batchRequest struct {
	many    schemas.Many
	ref     schemas.RunRef
	confirm schemas.Confirmation
	// asked are the arguments that an approval is bound to.
	arguments batchArguments
	strategy  guard.Strategy
	// everyCredential means all identities of a tenant, not the default alone.
	everyCredential bool
	// whole answers with all rows at once.
	whole bool
	// roles says whether roles are read afterwards; nil means for one tenant alone.
	roles *bool
}

// batchArguments are the arguments of a plan, by the names of the tools.
type batchArguments struct {
	PartnerID  partnerid.ID   `json:"partner_id,omitempty"`
	From       []partnerid.ID `json:"from,omitempty"`
	To         partnerid.ID   `json:"to,omitempty"`
	Strategy   string         `json:"strategy,omitempty"`
	Tenants    []string       `json:"tenants,omitempty"`
	Labels     []string       `json:"labels,omitempty"`
	Credential string         `json:"credential,omitempty"`
	First      int            `json:"first,omitempty"`
}

// begins reports whether there is anything that only a new run heeds.
func (a batchArguments) begins() bool {
	return a.PartnerID+a.To != "" || a.Strategy+a.Credential != "" || len(a.From)+len(a.Tenants)+len(a.Labels) > 0
}

func (a batchArguments) canonical() string {
	text, err := json.Marshal(a)
	if err != nil {
		panic("tools: " + err.Error()) // strings and numbers only
	}
	return string(text)
}

func (s *Service) ensurePartnerLinks(ctx context.Context, j *job, in *schemas.EnsurePartnerLinksInput) Result {
	return s.batch(ctx, j, batchRequest{
		many: in.Many, ref: in.RunRef, confirm: in.Confirmation, roles: in.IncludeRoles,
		arguments: batchArguments{
			PartnerID: in.PartnerID, Tenants: in.Tenants, Labels: in.Labels, Credential: in.Many.Credential, First: in.First,
		},
	})
}

func (s *Service) transitionPartner(ctx context.Context, j *job, in *schemas.TransitionPartnerInput) Result {
	w := batchRequest{
		many: in.Many, ref: in.RunRef, confirm: in.Confirmation, strategy: cmp.Or(guard.Strategy(in.Strategy), guard.StrategyUpdate), everyCredential: true, roles: new(false),
		arguments: batchArguments{
			From: in.From, To: in.To, Strategy: in.Strategy, Tenants: in.Tenants, Labels: in.Labels, Credential: in.Many.Credential, First: in.First,
		},
	}
	if err := checkTransition(w); err != nil && in.RunID == "" {
		return failure(err)
	}
	return s.batch(ctx, j, w)
}

func checkTransition(w batchRequest) error {
	bad := func(message string) error { return problems.New(problems.CodeInvalidArgument, message) }
	switch {
	case len(w.arguments.From) == 0:
		return bad("from is missing: give the old partner IDs.")
	case w.arguments.To == "":
		return bad("to is missing: give the new partner ID.")
	case slices.Contains(w.arguments.From, w.arguments.To):
		return bad("to is one of the old partner IDs: the old and the new partner ID must differ.")
	case w.strategy != guard.StrategyUpdate && w.strategy != guard.StrategyReplace:
		return bad("strategy must be update or remove-then-register.")
	default:
		return nil
	}
}

// check refuses arguments that would be ignored silently: a caller that resumes
// a run for one tenant must not resume it for all.
func (w batchRequest) check() error {
	switch {
	case w.ref.RunID != "" && w.arguments.begins():
		return problems.New(problems.CodeInvalidArgument,
			"run_id can be combined only with resume, first, cursor and limit: the plan of a run is fixed.")
	case w.ref.RunID == "" && w.ref.Resume:
		return problems.New(problems.CodeInvalidArgument, "resume needs run_id: name the run to resume.")
	case w.ref.Cursor != "" && w.from() < 0:
		return problems.New(problems.CodeInvalidArgument, "cursor is not valid: pass next_cursor unchanged.")
	default:
		return checkSelection(w.many.Tenants, w.many.Labels)
	}
}

// from is the place at which the page begins, below 0 where the cursor says none.
func (w batchRequest) from() int {
	if w.ref.Cursor == "" {
		return 0
	}
	from, err := strconv.Atoi(w.ref.Cursor)
	if err != nil {
		return -1
	}
	return from
}

// to is the ID afterwards, "" where each entry's own is registered.
func (w batchRequest) to() partnerid.ID { return w.arguments.PartnerID + w.arguments.To }

// reads reports whether the call writes nothing and needs no confirmation.
func (w batchRequest) reads(j *job) bool {
	return j.call.PlanOnly || w.many.Plan || w.ref.RunID != "" && !w.ref.Resume
}

func (w batchRequest) request(j *job) guard.Request {
	return guard.Request{Principal: j.call.Principal, Tool: j.op.Name, Arguments: w.arguments.canonical()}
}

// batch is the way of every write to many tenants: plan by reads, have the whole
// plan confirmed once, open a run, and let it go on by itself.
func (s *Service) batch(ctx context.Context, j *job, w batchRequest) Result {
	w.whole, j.since = j.call.Patient && w.ref.Limit == 0, time.Now()
	if w.reads(j) {
		quiet := *j
		quiet.call.PlanOnly = true
		j = &quiet
	}
	if err := s.admit(ctx, j, schemas.Tenant{}, w.to()); err != nil {
		return s.refusedBatch(ctx, j, w, err)
	}
	if err := cmp.Or(w.check(), s.mayAskForRoles(ctx, j, w)); err != nil {
		return s.refusedBatch(ctx, j, w, err)
	}
	result := s.planOrRun(ctx, j, w)
	s.batchRoles(ctx, j, w, &result.Envelope)
	return result
}

func (s *Service) planOrRun(ctx context.Context, j *job, w batchRequest) Result {
	if w.ref.RunID != "" {
		return s.earlier(ctx, j, w)
	}
	if w.reads(j) {
		return s.propose(ctx, j, w)
	}
	if seal, answer, ok := j.call.Confirmer.Resume(); ok {
		return s.admitted(ctx, j, w, s.deps.Guard.AnswerPlan(ctx, w.request(j), seal, answer))
	}
	if w.confirm.ApprovalID != "" {
		return s.admitted(ctx, j, w, s.deps.Guard.RedeemPlan(ctx, w.request(j), w.confirm.ApprovalID))
	}
	return s.propose(ctx, j, w)
}

// admitted continues with the guard's decision: a run, a question, or a
// refusal.
func (s *Service) admitted(ctx context.Context, j *job, w batchRequest, admission guard.Admission) Result {
	switch admission := admission.(type) {
	case guard.OpenRun:
		return s.execute(ctx, j, w, admission, 0)
	case guard.Asked:
		return Result{Elicitation: &admission}
	case guard.Waiting:
		return s.waitingBatch(ctx, w, admission)
	default:
		return s.refusedBatch(ctx, j, w, guard.RefusalOf(admission))
	}
}

func (s *Service) refusedBatch(ctx context.Context, j *job, w batchRequest, err error) Result {
	if !w.reads(j) {
		s.deps.Guard.Refused(ctx, guard.Intent{Caller: j.call.Principal.Caller, Tool: j.op.Name, PartnerID: w.to()}, problems.As(err).Code)
	}
	return failure(err)
}

// propose makes a plan, and shows it where nothing is to be written; else it has
// the plan confirmed as the policy says.
func (s *Service) propose(ctx context.Context, j *job, w batchRequest) Result {
	plan, err := s.planBatch(ctx, j, w)
	if err != nil {
		return s.refusedBatch(ctx, j, w, err)
	}
	_, err = s.deps.Guard.RulePlan(ctx, &plan, j.call.Principal)
	if err != nil && !w.reads(j) {
		return s.refusedBatch(ctx, j, w, err)
	}
	if _, rows := plan.Writes(); rows == 0 || w.reads(j) {
		return s.onlyPlan(w, plan, rows, err)
	}
	admission := s.deps.Guard.AuthorizePlan(ctx, j.call.Principal, plan, j.call.Confirmer.Reachable())
	if asked, ok := admission.(guard.Asked); ok {
		if answer, later := j.ask(ctx, asked); !later {
			admission = s.deps.Guard.AnswerPlan(context.WithoutCancel(ctx), w.request(j), asked.Seal, answer)
		}
	}
	return s.admitted(ctx, j, w, admission)
}

func (s *Service) planBatch(ctx context.Context, j *job, w batchRequest) (guard.Plan, error) {
	targets, err := s.targets(j.call.Principal, fleet.Selection{Tenants: w.many.Tenants, Labels: w.many.Labels})
	if err != nil {
		return guard.Plan{}, err
	}
	if targets = w.narrow(targets); len(targets) == 0 {
		return guard.Plan{}, problems.New(problems.CodeUnknownCredential, "No selected tenant has a credential with that name.")
	}
	reading := ctx
	if !j.call.Patient {
		var cancel context.CancelFunc
		reading, cancel = context.WithTimeout(ctx, planBatchWithin)
		defer cancel()
	}
	plan := s.writer.Plan(reading, fleet.PlanRequest{
		Plan: guard.Plan{
			Caller: j.call.Principal.Caller, Tool: j.op.Name, Arguments: w.arguments.canonical(), To: w.to(), From: w.arguments.From,
			Strategy: w.strategy, First: w.many.First, Reason: w.confirm.Reason,
		},
		Targets: targets, OwnIDs: s.deps.Guard.Bounds().PartnerIDs,
	}, j.paced("Reading links for the plan"))
	if ctx.Err() != nil {
		return guard.Plan{}, problems.New(problems.CodeCancelled, "The call was canceled while links were read for the plan.")
	}
	return plan, nil
}

func seenBy(p access.Principal) fleet.Visible {
	return func(t schemas.Tenant) bool { return p.Grant.AllowsTenant(t.Name) }
}

// narrow keeps the named credential, or the default one where one link a tenant
// is wanted.
func (w batchRequest) narrow(targets []fleet.Target) []fleet.Target {
	return slices.DeleteFunc(targets, func(t fleet.Target) bool {
		if w.many.Credential != "" {
			return t.Credential != w.many.Credential
		}
		return !w.everyCredential && t.Credential != t.Tenant.Credentials[0]
	})
}

// onlyPlan answers with a plan that is not carried out. Held is what would keep
// all of it from being carried out now.
func (s *Service) onlyPlan(w batchRequest, plan guard.Plan, rows int, held error) Result {
	envelope := s.page(w, fleet.Changes(plan, nil, nil))
	envelope.Status = answers.StatusDone
	envelope.Summary = fmt.Sprintf("Planned: %s; nothing was written. %s%s", phrase.Count(rows, "write"), envelope.Summary, notUndone(plan, rows))
	if held != nil {
		code := problems.As(held).Code
		envelope.Summary += " " + cmp.Or(map[problems.Code]string{
			problems.CodeWritesDisabled: "Writes are off here.", problems.CodeFrozen: "Writes are frozen now.",
		}[code], "It cannot be executed now: "+string(code)+".")
	}
	switch code := nothingTold(plan); {
	case w.many.Plan || rows > 0:
	case code != "":
		envelope.Problem = problems.New(code, "The link is unknown in every row, so nothing is written.")
		envelope.Status, envelope.Summary = problemEnvelope(envelope.Problem).Status, envelope.Problem.Message
	default:
		envelope.Status = answers.StatusUnchanged
		envelope.Summary = "There is nothing to write. " + fleet.Headline(fleet.Changes(plan, nil, nil))
	}
	return Result{Envelope: envelope}
}

// nothingTold is the problem of a row, where no row of a plan could be told. To
// call that unchanged would be a guess.
func nothingTold(plan guard.Plan) problems.Code {
	if slices.ContainsFunc(plan.Rows, func(row guard.PlanRow) bool { return row.Finding != guard.FindingUnknown }) {
		return ""
	}
	return plan.Rows[0].Problem
}

// notUndone says of a plan that writes what cannot be taken back.
func notUndone(plan guard.Plan, rows int) string {
	if rows == 0 {
		return ""
	}
	return " Cannot be undone: " + plan.Undone() + "."
}

func (s *Service) waitingBatch(ctx context.Context, w batchRequest, waiting guard.Waiting) Result {
	plan := waiting.Plan
	envelope := s.page(w, fleet.Changes(plan, nil, nil))
	_, rows := plan.Writes()
	envelope.Status, envelope.Approval = answers.StatusApprovalRequired, s.approval(ctx, waiting.Ticket)
	envelope.Summary = fmt.Sprintf("A person has to approve writes in %s; nothing was written. %s%s", phrase.Count(rows, "tenant"), envelope.Summary, notUndone(plan, rows))
	return Result{Envelope: envelope}
}

func (s *Service) planApproval(ctx context.Context, j *job, ticket guard.Ticket) Result {
	plan, err := s.deps.Guard.PlanOf(ctx, ticket)
	if err == nil && !plan.ShownTo(j.call.Principal.Grant) {
		err = guard.UnknownApproval()
	}
	if err != nil {
		return failure(err)
	}
	approval := s.approval(ctx, ticket)
	return done(answers.Envelope{
		Status: answers.StatusDone, Approval: approval,
		Summary: fmt.Sprintf("The approval of %s in %s is %s.", ticket.Intent.Tool, phrase.Count(ticket.Plan.Rows, "tenant"), approval.State),
	})
}
