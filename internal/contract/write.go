package contract

import (
	"cmp"
	"context"
	"fmt"
	"net/http"

	"mcp-partner/access"
	"mcp-partner/armclient"
	"mcp-partner/guard"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/partnerid"
	"mcp-partner/schemas/problems"
)

// Writer is how a link is made, moved and removed: as the guard allows, with a
// permit and a record for each request, and one confirmation for the run.
type Writer struct {
	Guard     *guard.Guard
	Principal access.Principal
	// PartnerID is linked and removed again. Second, if set, is the one to which
	// the link is moved in between; else it is moved to itself.
	PartnerID, Second partnerid.ID
	// Confirm asks the person at the terminal for the whole run; nil without one.
	// It is called only if the policy requires confirmation.
	Confirm func(context.Context, guard.Question) (guard.Answer, error)

	confirmed bool
}

func (w *Writer) moved() partnerid.ID {
	return cmp.Or(w.Second, w.PartnerID)
}

// mayWrite refuses a run that would touch a link that is there, or that the
// policy would not let come to its end, and has the run confirmed.
func (r *run) mayWrite(ctx context.Context) error {
	if r.read.Problem != nil {
		return r.read.Problem
	}
	if !r.read.Link.State.Absent() {
		return problems.New(problems.CodeAlreadyLinked,
			"This identity has a link in that tenant already, and contract-verify touches no link that it did not make itself.",
			problems.WithHint("Use a tenant and a credential that are meant for tests, without a link; or leave --with-partner-id out."))
	}
	ask := false
	for _, planned := range r.plan() {
		verdict, err := r.rule(ctx, planned)
		if err != nil {
			return err
		}
		if verdict.Ruling == access.RulingApprover {
			return problems.New(problems.CodePolicyDenied,
				fmt.Sprintf("The policy wants an approver for %s, and a run that is confirmed once cannot wait for one.", planned.Tool),
				problems.WithHint("Give --approval requester to confirm the run at this terminal, or a rule that allows it in that tenant."))
		}
		ask = ask || verdict.Ruling == access.RulingRequester
	}
	if !ask {
		return nil
	}
	return r.confirm(ctx)
}

// plan is one intent for each kind of write, in the states in which they will be
// made.
func (r *run) plan() []guard.Intent {
	w := r.Writer
	linked := answers.Link{State: answers.LinkLinked, PartnerID: w.PartnerID}
	moved := answers.Link{State: answers.LinkLinked, PartnerID: w.moved()}
	return []guard.Intent{
		r.intent(http.MethodPut, w.PartnerID, r.read.Link), r.intent(http.MethodPatch, w.moved(), linked),
		r.intent(http.MethodDelete, w.PartnerID, linked), r.intent(http.MethodDelete, w.moved(), moved),
	}
}

func (r *run) confirm(ctx context.Context) error {
	w := r.Writer
	expect := fmt.Sprint(r.Tenant.Name, " ", w.PartnerID)
	question := guard.Question{
		Text: fmt.Sprintf("Make a link to partner ID %s for identity %s in tenant %s (%s), move it to %s, and remove it again, to see how the provider answers?"+
			" Up to eight requests that write are sent, and attribution changes while it lasts. Only in a tenant that is meant for tests.",
			w.PartnerID, r.read.Identity.ObjectID, r.Tenant.Name, r.Tenant.TenantID, w.moved()),
		Prompt: "Type the tenant's name and the partner ID, with a space between", Expect: expect,
	}
	declined := problems.New(problems.CodeApprovalDeclined, "The run was not confirmed; nothing was written.",
		problems.WithHint("Run it at a terminal, or with a policy that allows these writes in that tenant."))
	if w.Confirm == nil {
		return declined
	}
	answer, err := w.Confirm(ctx, question)
	if err != nil || answer.Action != guard.ActionAccept || answer.Typed != expect {
		return declined
	}
	w.confirmed = true
	return nil
}

func (r *run) intent(method string, partnerID partnerid.ID, before answers.Link) guard.Intent {
	identity := r.read.Identity
	identity.Tenant = r.Tenant.Name
	return guard.Intent{
		Caller: r.Writer.Principal.Caller, Tool: toolOf(method), Identity: identity, PartnerID: partnerID, Before: guard.SnapshotOf(before),
		Expected: r.Tenant.ExpectedPartnerID, Labels: r.Tenant.Labels, Reason: "contract-verify",
	}
}

func (r *run) rule(ctx context.Context, intent guard.Intent) (access.Verdict, error) {
	return r.Writer.Guard.Admit(ctx, intent.Subject(r.Writer.Principal))
}

// permit gets the permit for one request. What the policy wants asked was
// answered for the whole run; each request still has a ticket of its own, which
// is bound to it and spent once.
func (r *run) permit(ctx context.Context, intent guard.Intent) guard.Admission {
	verdict, err := r.rule(ctx, intent)
	if err != nil {
		return guard.Refusal{Err: err}
	}
	if verdict.Ruling != access.RulingAllow && !(verdict.Ruling == access.RulingRequester && r.Writer.confirmed) {
		return guard.Refusal{Err: problems.New(problems.CodeApprovalDeclined, "This write was not confirmed with the run.")}
	}
	g, by := r.Writer.Guard, r.Writer.Principal
	admission := g.Authorize(ctx, by, intent, r.Writer.confirmed)
	if asked, ok := admission.(guard.Asked); ok {
		return g.Answer(ctx, by, intent, asked.Seal, guard.Answer{Action: guard.ActionAccept, Typed: asked.Question.Expect})
	}
	return admission
}

// write sends one request that writes, and reads back. Whatever happens then is
// recorded. An error means that nothing was sent.
func (r *run) write(ctx context.Context, method string, partnerID partnerid.ID) (armclient.Outcome, error) {
	intent := r.intent(method, partnerID, r.read.Link)
	admission := r.permit(ctx, intent)
	granted, ok := admission.(guard.Granted)
	if !ok {
		err := guard.RefusalOf(admission)
		r.Writer.Guard.Refused(ctx, intent, problems.As(err).Code)
		return armclient.Outcome{}, err
	}
	ctx = context.WithoutCancel(ctx)
	var outcome armclient.Outcome
	r.Wire.during(ctx, func(ctx context.Context) {
		outcome = r.Wire.client.Apply(ctx, granted.Permit, armclient.Change{Method: method, PartnerID: partnerID, Before: r.read.Link})
	})
	r.read = outcome.After
	if err := r.Writer.Guard.Finished(ctx, granted.Record, intent, recorded(outcome)); err != nil {
		r.report.Remains = "The record of a write is incomplete: its outcome could not be stored."
	}
	return outcome, nil
}

func recorded(outcome armclient.Outcome) guard.Outcome {
	result := string(answers.StatusDone)
	if outcome.Problem != nil {
		result = string(outcome.Problem.Code)
	}
	return guard.Outcome{Result: result, After: guard.SnapshotOf(outcome.After.Link), ARMRequestID: outcome.RequestID, CorrelationID: outcome.CorrelationID}
}

// toolOf is the operation of the catalogue that a change is made by, for the
// guard and the record.
func toolOf(method string) string {
	return map[string]string{
		http.MethodPut: schemas.ToolRegisterPartner, http.MethodPatch: schemas.ToolUpdatePartner, http.MethodDelete: schemas.ToolRemovePartner,
	}[method]
}

// step is one request of the life of a link.
type step struct {
	name   string
	method string
	id     partnerid.ID
	want   expected
	// linked is the partner ID that has to be linked afterwards; "" for none.
	linked partnerid.ID
}

// writes reports whether the version must have risen by one.
func (s step) writes() bool { return s.want.statuses[0] == http.StatusOK }

// leaves reports whether a link is what the step should leave.
func (s step) leaves(link answers.Link) bool {
	return link.State == answers.LinkLinked && link.PartnerID == s.linked || s.linked == "" && link.State.Absent()
}

// steps are what happens to the link, in order: what fails without a link, its
// making, what fails over it, its moving, its end.
func (w *Writer) steps() []step {
	first, second := w.PartnerID, w.moved()
	conflict := map[int][]string{409: {"Conflict", "PartnerIdAlreadyLinked"}}
	return []step{
		{"PATCH without a link", http.MethodPatch, second, expected{[]int{404}, notFound(), "PATCH without a link"}, ""},
		{"DELETE without a link", http.MethodDelete, first, expected{[]int{404}, notFound(), "DELETE of another ID than the linked one"}, ""},
		{"PUT where nothing is linked", http.MethodPut, first, expected{statuses: []int{200}, settles: "How long a PUT or DELETE takes"}, first},
		{"PUT over a live link", http.MethodPut, second, expected{[]int{409}, conflict, "Code of a PUT over a live link"}, first},
		{"PATCH of the link", http.MethodPatch, second, expected{statuses: []int{200}, settles: "Whether the version always rises by exactly one"}, second},
		{"DELETE of an ID that is not linked", http.MethodDelete, absentID, expected{[]int{404}, notFound(), "DELETE of another ID than the linked one"}, second},
		{"DELETE of the link", http.MethodDelete, second, expected{statuses: []int{200}}, ""},
	}
}

// life executes the steps. It stops if the link is not what the step before
// should have left: somebody else writes there, or the provider behaves
// unexpectedly. In the end it removes what it created.
func (r *run) life(ctx context.Context) {
	r.report.Wrote = true
	steps := r.Writer.steps()
	for i, s := range steps {
		if !r.step(ctx, s) {
			for _, left := range steps[i+1:] {
				r.skip(left.name, left.want, "the step before ended the run")
			}
			break
		}
	}
	r.cleanUp(ctx)
	if r.report.Remains == "" && r.read.Link.State.Absent() {
		r.afterDelete(ctx)
	}
}

// step makes one request, checks answer, state and version, and reports whether
// the next may follow.
func (r *run) step(ctx context.Context, s step) (goOn bool) {
	before := r.read.Link
	outcome, err := r.write(ctx, s.method, s.id)
	if err != nil {
		r.skip(s.name, s.want, "the guard did not allow it: "+string(problems.As(err).Code))
		return s.leaves(before)
	}
	r.made = r.made || s.method != http.MethodDelete && outcome.Applied != armclient.AppliedNo
	check := r.add(r.compare(s.name, r.Wire.seen, s.method, schemas.PathPartners+"/"+string(s.id), s.want))
	after := outcome.After.Link
	switch {
	case after.State == answers.LinkUnknown:
		check.Details = append(check.Details, "read back, the link is unknown")
	case !s.leaves(after):
		check.differ("read back, the link is not what this request should leave")
	case s.writes():
		check.grown(s.want, before, after)
	}
	if outcome.Problem != nil && outcome.Problem.Code == problems.CodeConcurrentChange {
		r.shared = true
		check.differ("somebody else seems to write there as well, or the version does not rise by one")
	}
	return s.leaves(after) && !r.shared
}

// grown compares the versions around a write that was carried out.
func (c *Check) grown(want expected, before, after answers.Link) {
	c.settle(want)
	switch {
	case before.Version == nil || after.Version == nil:
		c.Details = append(c.Details, "the version cannot be compared: one of the two reads has none")
	case *after.Version != *before.Version+1:
		c.differ(fmt.Sprintf("the version rose by %d and not by one", *after.Version-*before.Version))
	default:
		c.Details = append(c.Details, "the version rose by one")
	}
	c.Details = append(c.Details, "one read afterwards shows it")
}

func (c *Check) differ(detail string) {
	c.Verdict = Differs
	c.Details = append(c.Details, detail)
}

// settle is for an answer that closes an open question although the document
// leaves nothing open about its status.
func (c *Check) settle(want expected) {
	if c.Verdict == Agrees && want.settles != "" {
		c.Verdict, c.Settles = Settled, want.settles
	}
}

// cleanUp removes a link that this run made. One to another ID, or one that
// somebody else has touched, is left alone.
func (r *run) cleanUp(ctx context.Context) {
	link := r.read.Link
	switch {
	case link.State.Absent():
		return
	case r.made && !r.shared && link.State == answers.LinkLinked && (link.PartnerID == r.Writer.PartnerID || link.PartnerID == r.Writer.moved()):
		if _, err := r.write(ctx, http.MethodDelete, link.PartnerID); err == nil && r.read.Link.State.Absent() {
			return
		}
	}
	r.report.Remains = "A link may remain in that tenant: read it, and remove what this run made."
}

// afterDelete is what a read says once the link is gone.
func (r *run) afterDelete(ctx context.Context) {
	want := expected{[]int{200, 404}, notFound(), "GET after a DELETE: 404, or 200 with `Deleted`"}
	check := r.get(ctx, "GET after the DELETE", schemas.PathPartners, want, func(ctx context.Context) { r.read = r.Wire.client.Link(ctx) })
	if check.settle(want); r.read.Link.State == answers.LinkLinked {
		check.differ("the link is live again")
	}
}
