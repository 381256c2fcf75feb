package contract

import (
	"context"
	"fmt"
	"net/http"

	"mcp-partner/armclient"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/partnerid"
	"mcp-partner/schemas/problems"
)

// step is one request of the life of a link.
type step struct {
	name   string
	method string
	id     partnerid.ID
	want   expected
	// linked is the partner ID that has to be linked afterwards; "" for none.
	linked partnerid.ID
	// grows is true where the version must have risen by one.
	grows bool
}

// steps are what happens to the link, in order: what fails without a link, its
// making, what fails over it, its moving, its end.
func (w *Writer) steps() []step {
	first, second := w.PartnerID, w.moved()
	conflict := map[int][]string{409: {"Conflict", "PartnerIdAlreadyLinked"}}
	missing := map[int][]string{404: {"NotFound"}}
	return []step{
		{"PATCH without a link", http.MethodPatch, second, expected{[]int{404}, missing, "PATCH without a link"}, "", false},
		{"DELETE without a link", http.MethodDelete, first, expected{[]int{404}, missing, "DELETE of another ID than the linked one"}, "", false},
		{"PUT where nothing is linked", http.MethodPut, first, expected{statuses: []int{200}, settles: "How long a PUT or DELETE takes"}, first, true},
		{"PUT over a live link", http.MethodPut, second, expected{[]int{409}, conflict, "Code of a PUT over a live link"}, first, false},
		{"PATCH of the link", http.MethodPatch, second, expected{statuses: []int{200}, settles: "Whether the version always rises by exactly one"}, second, true},
		{"DELETE of an ID that is not linked", http.MethodDelete, absentID, expected{[]int{404}, missing, "DELETE of another ID than the linked one"}, second, false},
		{"DELETE of the link", http.MethodDelete, second, expected{statuses: []int{200}}, "", true},
	}
}

// life executes the steps. It stops if the link is not what the step before
// should have left: somebody else writes there, or the provider behaves
// unexpectedly. In the end it removes what it created.
func (r *run) life(ctx context.Context) {
	r.report.Wrote = true
	steps := r.Writer.steps()
	for i, s := range steps {
		check, goOn := r.step(ctx, s)
		r.add(check)
		if !goOn {
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

// step makes one request and checks answer, state and version.
func (r *run) step(ctx context.Context, s step) (check Check, goOn bool) {
	before := r.read.Link
	outcome, all, err := r.write(ctx, s.method, s.id)
	if err != nil {
		problem := problems.As(err)
		return Check{Name: s.name, Documented: s.want.String(), Answered: "nothing", Verdict: Skipped,
			Details: []string{"the guard did not allow it: " + string(problem.Code)}}, s.linked == before.PartnerID || s.linked == "" && before.State.Absent()
	}
	r.made = r.made || s.method != http.MethodDelete && outcome.Applied != armclient.AppliedNo
	check = r.compare(s.name, all, s.method, schemas.PathPartners+"/"+string(s.id), s.want)
	after := outcome.After.Link
	goOn = after.State == answers.LinkLinked && after.PartnerID == s.linked || s.linked == "" && after.State.Absent()
	switch {
	case after.State == answers.LinkUnknown:
		check.Details = append(check.Details, "read back, the link is unknown")
		goOn = false
	case !goOn:
		check.Verdict = Differs
		check.Details = append(check.Details, "read back, the link is not what this request should leave")
	case s.grows:
		r.grown(&check, s, before, after)
	}
	if outcome.Problem != nil && outcome.Problem.Code == problems.CodeConcurrentChange {
		r.shared, goOn = true, false
		check.Verdict = Differs
		check.Details = append(check.Details, "somebody else seems to write there as well, or the version does not rise by one")
	}
	return check, goOn
}

// grown compares the versions around a write that was carried out.
func (r *run) grown(check *Check, s step, before, after answers.Link) {
	if check.Verdict == Agrees && s.want.settles != "" {
		check.Settles, check.Verdict = s.want.settles, Settled
	}
	switch {
	case before.Version == nil || after.Version == nil:
		check.Details = append(check.Details, "the version cannot be compared: one of the two reads has none")
	case *after.Version != *before.Version+1:
		check.Verdict = Differs
		check.Details = append(check.Details, fmt.Sprintf("the version rose by %d and not by one", *after.Version-*before.Version))
	default:
		check.Details = append(check.Details, "the version rose by one")
	}
	check.Details = append(check.Details, "one read afterwards shows it")
}

// cleanUp removes a link that this run made. One to another ID, or one that
// somebody else has touched, is left alone.
func (r *run) cleanUp(ctx context.Context) {
	link := r.read.Link
	switch {
	case link.State.Absent():
		return
	case r.made && !r.shared && link.State == answers.LinkLinked && (link.PartnerID == r.Writer.PartnerID || link.PartnerID == r.Writer.moved()):
		if _, _, err := r.write(ctx, http.MethodDelete, link.PartnerID); err == nil && r.read.Link.State.Absent() {
			return
		}
	}
	r.report.Remains = "A link may remain in that tenant: read it, and remove what this run made."
}

// afterDelete is what a read says once the link is gone.
func (r *run) afterDelete(ctx context.Context) {
	all := r.Wire.during(ctx, func(ctx context.Context) { r.read = r.Wire.client.Link(ctx) })
	want := expected{[]int{200, 404}, map[int][]string{404: {"NotFound"}}, "GET after a DELETE: 404, or 200 with `Deleted`"}
	check := r.compare("GET after the DELETE", all, http.MethodGet, schemas.PathPartners, want)
	switch {
	case r.read.Link.State == answers.LinkLinked:
		check.Verdict = Differs
		check.Details = append(check.Details, "the link is live again")
	case check.Verdict == Agrees:
		check.Verdict, check.Settles = Settled, want.settles
	}
	r.add(check)
}
